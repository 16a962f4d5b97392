"""Which faults are tried: all that mean something by default, every one with ``FULL=1``."""

from __future__ import annotations

import hashlib
import os

from faults import kinds
from faults.explore import Choose
from faults.plans import Fault

FULL = os.environ.get("FULL") == "1"
WHOLE = FULL or os.environ.get("WHOLE") == "1"
"""Not only what a quarter of an hour on two cores has room for."""
SEED = os.environ.get("SEED") or "1"

FIRST = ("denied**", "throttle**", "lost**", "crash-after**")
"""What makes a deployment fail, so that a second fault can meet its rollback."""
SECOND = ("throttle*", "denied", "lost*", "crash-before", "crash-after")


_SAME_FOR_A_READ = frozenset({"5xx-after", "crash-after"})
"""The caller sees what ``5xx`` and ``crash-before`` show it, and there is nothing else to see."""


def single(name: str, number: int, _: tuple[Fault, ...]) -> list[str]:
    """Every kind that the call can meet, once: a read has no effect, so that after it is before it.

    A lasting fault from the second call of an operation on is a lasting fault from its first one, only later:
    these are for ``FULL=1``.
    """
    if name.startswith("lambda."):
        return [kind for kind in kinds.FUNCTION_KINDS if FULL or number == 1 or not _lasts(kind)]
    found = [kind for kind in kinds.AWS_KINDS if FULL or number == 1 or not _lasts(kind)]
    senseless = _SAME_FOR_A_READ if kinds.is_read(name.partition(".")[2]) else kinds.VIEWS
    return [kind for kind in found if kinds.split(kind)[0] not in senseless]


def one_of(many: tuple[str, ...], share: float) -> Choose:
    """A share of ``many`` for each call, the same for the same seed."""

    def choose(name: str, number: int, before: tuple[Fault, ...]) -> list[str]:
        if name.startswith("lambda."):
            return []
        return [kind for kind in many if lot(f"{before} {name}#{number}:{kind}") < share]

    return choose


def some(choose: Choose, share: float) -> Choose:
    """A share of what ``choose`` names, by lot."""

    def fewer(name: str, number: int, before: tuple[Fault, ...]) -> list[str]:
        return [kind for kind in choose(name, number, before) if lot(f"{name}#{number}:{kind}") < share]

    return fewer


def first_failures(once: float, lasting: float) -> Choose:
    """The beginning of a rollback: a call is denied, or the first call of an operation meets a lasting fault.

    Each by its own share of the calls.
    """
    single_one, chosen = one_of(("denied",), once), one_of(FIRST, lasting)

    def choose(name: str, number: int, before: tuple[Fault, ...]) -> list[str]:
        lasts = chosen(name, number, before) if number == 1 or FULL else []
        return [*single_one(name, number, before), *lasts]

    return choose


def seconds(after_one: float, after_lasting: float) -> Choose:
    """What meets the rollback: by one share where the first fault is over, by another where it lasts."""
    plain, still = one_of(SECOND, after_one), one_of(SECOND, after_lasting)
    return lambda name, number, before: (still if _lasts(before[0].kind) else plain)(name, number, before)


def lot(text: str) -> float:
    """A number from 0 to 1 that the seed and the text decide."""
    drawn = hashlib.sha256(f"{SEED} {text}".encode()).digest()
    return int.from_bytes(drawn[:6], "big") / 2**48


def _lasts(kind: str) -> bool:
    return kinds.split(kind)[1] == kinds.LASTING
