"""What AWS refuses: one case per rule, at least."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws
from shoal_local import strict
from strict_cases.all import CASES
from strict_cases.case import Case
from strict_world import Account, code_of


@pytest.fixture(scope="module", autouse=True)
def rules() -> Iterator[None]:
    with strict.installed():
        yield


@pytest.fixture(autouse=True)
def small_quotas(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's are 50 and 100; :mod:`test_strict_behaviour` looks at the numbers."""
    monkeypatch.setattr("shoal_local.strict.elbv2_listeners.MAXIMUM_LISTENERS", 3)
    monkeypatch.setattr("shoal_local.strict.elbv2_rules.MAXIMUM_RULES", 3)
    monkeypatch.setattr("shoal_local.strict.elbv2_rules.MAXIMUM_GROUPS", 3)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_aws_refuses(case: Case) -> None:
    with mock_aws():
        # Given
        account = Account()
        case.given(account)
        # When / Then
        assert code_of(lambda: case.when(account)) == case.code
