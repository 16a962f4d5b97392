"""The start-up check of the processor."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from shoal_worker.service.errors import ConfigurationError
from shoal_worker.service.processor import check_processor, missing_features

GOOD = "processor : 0\nmodel name : x\nflags\t\t: fpu sse4_1 avx f16c fma avx2 avx512f\n"


@pytest.mark.parametrize(
    ("cpuinfo", "missing"),
    [
        (GOOD, []),
        (GOOD.replace("avx2 ", ""), ["AVX2"]),
        (GOOD.replace(" f16c fma", ""), ["F16C", "FMA3"]),
        ("", ["SSE4.1", "AVX", "AVX2", "F16C", "FMA3"]),
    ],
)
def test_missing_instruction_sets_are_named(cpuinfo: str, missing: list[str]) -> None:
    assert missing_features(cpuinfo) == missing


def test_an_old_x86_is_refused_with_advice(tmp_path: Path) -> None:
    # Given
    (tmp_path / "cpuinfo").write_text(GOOD.replace(" avx2", ""))
    # When
    with pytest.raises(ConfigurationError) as raised:
        check_processor("x86_64", tmp_path / "cpuinfo")
    # Then
    assert "AVX2" in raised.value.reason
    assert "g4dn" in raised.value.reason


def test_32_bits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="64-bit"):
        check_processor("i686", tmp_path / "cpuinfo", bits=32)


@pytest.mark.parametrize(("machine", "word"), [("aarch64", "not x86"), ("x86_64", "not checked")])
def test_what_cannot_be_judged_is_a_warning(
    machine: str, word: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        check_processor(machine, tmp_path / "absent")
    assert word in caplog.text


def test_a_good_x86_passes_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cpuinfo").write_text(GOOD)
    check_processor("x86_64", tmp_path / "cpuinfo")
    assert caplog.text == ""
