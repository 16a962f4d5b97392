"""A case of the strict rules: what is set up, what is refused, with which code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from strict_world import Account

Step = Callable[[Account], Any]


@dataclass(frozen=True)
class Case:
    """After ``given``, ``when`` is refused with ``code`` by ``rule``."""

    rule: str
    code: str
    when: Step
    given: Step = lambda _: None
    stock_agrees: bool = False
    """moto already answers this code: the case guards the rule's place only."""

    @property
    def name(self) -> str:
        return f"{self.rule}-{self.code}"
