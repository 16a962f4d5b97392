"""moto as it ships is laxer than AWS: should it catch up, a rule can go."""

from __future__ import annotations

import pytest
from moto import mock_aws
from strict_behaviours import BEHAVIOURS, Behaviour
from strict_cases.all import CASES
from strict_cases.case import Case
from strict_world import Account, code_of


@pytest.mark.parametrize("case", [c for c in CASES if not c.stock_agrees], ids=lambda case: case.name)
def test_moto_does_not_refuse(case: Case) -> None:
    with mock_aws():
        account = Account()
        case.given(account)
        try:
            found = code_of(lambda: case.when(account))
        except Exception as error:  # noqa: BLE001 - moto answers some of these with a bare 500
            found = type(error).__name__
        assert found != case.code


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.__name__)
def test_moto_does_not_behave(behaviour: Behaviour) -> None:
    with mock_aws(), pytest.raises(Exception):  # noqa: B017 - an assertion, an error answer, a bare 500
        behaviour(Account())
