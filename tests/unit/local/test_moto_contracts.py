"""One case per private name of moto that the embedded cloud replaces or reads."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import shoal_local
from shoal_local.errors import MotoChanged
from shoal_local.patches import CONTRACTS, Contract


def _contracts() -> list[Contract]:
    for module in pkgutil.walk_packages(shoal_local.__path__, "shoal_local."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return list(CONTRACTS)


@pytest.mark.parametrize("contract", _contracts(), ids=lambda contract: contract.name)
def test_moto_still_has_what_is_patched(contract: Contract) -> None:
    contract.check()


@pytest.mark.parametrize(
    ("contract", "words"),
    [
        (Contract("moto.awslambda.models", "LambdaFunction.gone", None), "has no moto.awslambda.models"),
        (Contract("moto.awslambda.models", "LambdaFunction._invoke_lambda", ("self",)), "takes"),
    ],
)
def test_a_change_in_moto_is_named(contract: Contract, words: str) -> None:
    with pytest.raises(MotoChanged, match=words):
        contract.check()


def test_a_replacement_never_wraps_a_replacement_and_can_be_taken_back() -> None:
    # Given
    from moto.cloudformation.models import Stack

    contract = Contract("moto.cloudformation.models", "Stack.verify_readiness", ("self",))
    shipped = Stack.verify_readiness
    # When
    contract.replace(lambda self: "one")
    contract.replace(lambda self: "two")
    # Then
    assert contract.original is shipped
    assert Stack.verify_readiness(None) == "two"
    contract.restore()
    assert Stack.verify_readiness is shipped


def test_an_addition_refuses_what_moto_has() -> None:
    with pytest.raises(MotoChanged, match="moto has"):
        Contract("moto.cloudformation.models", "Stack.verify_readiness", None).add(print)
