"""Every private name of moto that this package replaces or reads, each with the shape it must have.

A new version of moto breaks here first and says which name moved, instead of somewhere far away. The contract
test (tests/unit/local) checks each of them.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shoal_local.errors import MotoChanged

CONTRACTS: dict[Contract, None] = {}
_ORIGINALS: dict[Contract, Any] = {}
_ABSENT = object()
FORGET: list[Callable[[], None]] = []
"""Called at each change of moto's classes: what was worked out from them before is void."""


@dataclass(frozen=True)
class Contract:
    """``module`` has ``path`` (dotted); ``parameters``: names in order, or None for what is not called."""

    module: str
    path: str
    parameters: tuple[str, ...] | None

    @property
    def name(self) -> str:
        return f"{self.module}.{self.path}"

    def _owner(self) -> Any:
        owner: Any = importlib.import_module(self.module)
        for part in self.path.split(".")[:-1]:
            owner = getattr(owner, part, None)
        return owner

    @property
    def _attribute(self) -> str:
        return self.path.rsplit(".", 1)[-1]

    @property
    def original(self) -> Any:
        """What moto ships, also after it has been replaced."""
        if self in _ORIGINALS:
            return _ORIGINALS[self]
        owner = self._owner()
        if not hasattr(owner, self._attribute):
            raise MotoChanged(f"moto has no {self.name} any more: mend what replaces it")
        return inspect.getattr_static(owner, self._attribute)

    def check(self) -> None:
        """Raise unless the name is there and takes these parameters.

        Raises:
            MotoChanged: moto has moved or reshaped it.
        """
        original = self.original
        if self.parameters is None:
            return
        function = getattr(original, "__func__", original)
        found = tuple(inspect.signature(function).parameters)
        if found != self.parameters:
            raise MotoChanged(
                f"{self.name} takes {found}, not {self.parameters}: read it and mend its replacement"
            )

    def replace(self, replacement: Any) -> None:
        """Put ``replacement`` in its place; doing so again replaces the replacement, never wraps it."""
        self.check()
        _ORIGINALS.setdefault(self, self.original)
        self._set(replacement)

    def add(self, addition: Any) -> None:
        """Put ``addition`` where moto has nothing.

        Raises:
            MotoChanged: moto has it by now.
        """
        if self not in _ORIGINALS and hasattr(self._owner(), self._attribute):
            raise MotoChanged(f"moto has {self.name} now: drop the addition or make it a replacement")
        _ORIGINALS.setdefault(self, _ABSENT)
        self._set(addition)

    def restore(self) -> None:
        """What moto ships again."""
        original = _ORIGINALS.pop(self, None)
        if original is not None:
            self._set(original)

    def _set(self, value: Any) -> None:
        if value is _ABSENT:
            delattr(self._owner(), self._attribute)
        else:
            setattr(self._owner(), self._attribute, value)
        for forget in FORGET:
            forget()


def contract(module: str, path: str, parameters: str | None = None) -> Contract:
    """Register a contract; ``parameters`` is a list of names with spaces between."""
    made = Contract(module, path, None if parameters is None else tuple(parameters.split()))
    CONTRACTS.setdefault(made)
    return made


def restore_all() -> None:
    """moto as it ships: for whoever uses it plainly after the cloud has stopped."""
    for each in list(_ORIGINALS):
        each.restore()
