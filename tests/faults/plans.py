"""A plan: one scenario and the faults that meet it, as one word that can be typed again.

``deploy:ecs.CreateService#1:lost*`` is the first CreateService of the scenario ``deploy``; two faults are
joined by ``+``; a function's fault names the function: ``deploy:lambda.task_cluster#1:timeout``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from faults.kinds import AWS_KINDS, FUNCTION_KINDS

_FAULT = re.compile(r"(?P<call>[a-z0-9]+\.\w+)#(?P<number>[1-9]\d*):(?P<kind>[a-z0-9-]+\*{0,2})")


@dataclass(frozen=True)
class Fault:
    """The ``number``-th ``call`` (``ecs.CreateService``) of a scenario, counted from 1, meets ``kind``."""

    call: str
    number: int
    kind: str

    def __str__(self) -> str:
        return f"{self.call}#{self.number}:{self.kind}"


@dataclass(frozen=True)
class Plan:
    scenario: str
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return ":".join([self.scenario, *(["+".join(map(str, self.faults))] if self.faults else [])])

    @property
    def command(self) -> str:
        """What runs it again."""
        return f"make campaign PLAN='{self}'"


def parse(text: str) -> Plan:
    """A plan as :meth:`Plan.__str__` writes it.

    Raises:
        ValueError: it is not spelled so.
    """
    scenario, _, rest = text.partition(":")
    return Plan(scenario, tuple(_fault(part) for part in rest.split("+")) if rest else ())


def _fault(text: str) -> Fault:
    found = _FAULT.fullmatch(text)
    kinds = FUNCTION_KINDS if text.startswith("lambda.") else AWS_KINDS
    if found is None or found["kind"] not in kinds:
        raise ValueError(f"{text}: write <service>.<Operation>#<number>:<kind>, a kind of {', '.join(kinds)}")
    return Fault(found["call"], int(found["number"]), found["kind"])
