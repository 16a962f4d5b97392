"""What the package offers stays what it is, whichever of its modules is imported later."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest
from shoal import deployments


@pytest.mark.parametrize("name", deployments.__all__)
def test_no_module_takes_the_place_of_what_is_offered(name: str) -> None:
    for module in pkgutil.iter_modules(deployments.__path__):
        importlib.import_module(f"shoal.deployments.{module.name}")
    assert not isinstance(getattr(deployments, name), ModuleType)
