"""The start-up check of containment: what the kernel has, what is missing, what is required."""

from __future__ import annotations

import logging

import pytest
from shoal_worker.service import containing
from shoal_worker.service.errors import ConfigurationError


@pytest.mark.parametrize(
    ("wanted", "landlock", "seccomp", "told", "warned"),
    [
        ("available", 7, True, "limits, no new privileges, Landlock 7, seccomp", ""),
        ("required", 4, True, "limits, no new privileges, Landlock 4, seccomp", ""),
        ("available", 0, True, "limits, no new privileges, seccomp", "without Landlock"),
        ("available", 0, False, "limits, no new privileges", "without Landlock and seccomp"),
        ("off", 7, True, "off", "track trusted videos only"),
    ],
)
def test_it_says_what_holds(
    wanted: containing.Containment, landlock: int, seccomp: bool, told: str, warned: str,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    # Given
    monkeypatch.setattr(containing, "landlock_version", lambda: landlock)
    monkeypatch.setattr(containing, "seccomp_available", lambda: seccomp)
    # When / Then
    with caplog.at_level(logging.WARNING):
        assert containing.check_containment(wanted) == told
    assert warned in caplog.text
    assert bool(warned) == bool(caplog.records)


def test_what_is_required_and_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containing, "landlock_version", lambda: 0)
    with pytest.raises(ConfigurationError, match=r"no Landlock: use Amazon Linux 2023.*SHOAL_CONTAINMENT"):
        containing.check_containment("required")
