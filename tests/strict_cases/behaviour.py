"""The list of what AWS does and moto 5.2.5 does not: a function fails on stock moto and names its rules."""

from __future__ import annotations

from collections.abc import Callable

from strict_world import Account

Behaviour = Callable[[Account], None]
BEHAVIOURS: list[Behaviour] = []
SHOWN: set[str] = set()


def shows(*rules: str) -> Callable[[Behaviour], Behaviour]:
    def register(behaviour: Behaviour) -> Behaviour:
        BEHAVIOURS.append(behaviour)
        SHOWN.update(rules)
        return behaviour

    return register
