"""A case in a process of its own, forked from the warm world: what it does to the account ends with it."""

from __future__ import annotations

import functools
import gc
import os
import pickle
import resource
import select
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CASE_SECONDS = 120
"""Of processor time: the machine may have other work, or stand still, for as long as it likes."""
_WAITS = 10
"""So much longer on the wall a case may take: a case that waits for what never comes uses no processor."""


class CaseFailed(Exception):
    """The case itself broke, or did not end; the message holds its traceback."""


def forked(work: Callable[[], Any], seconds: float = CASE_SECONDS) -> Any:
    """What ``work`` answers in a child; picklable.

    Raises:
        CaseFailed: it raised, died, or took more than ``seconds`` of the processor.
    """
    reader, writer = os.pipe()
    child = fork()
    if child == 0:
        os.close(reader)
        finish(writer, work, seconds)
    os.close(writer)
    return collect(child, reader, seconds)


def at_once(works: list[Callable[[], Any]], seconds: float = CASE_SECONDS) -> list[Any]:
    """What each of ``works`` answers, all in children of their own at the same time."""
    children = []
    for work in works:
        reader, writer = os.pipe()
        child = fork()
        if child == 0:
            os.close(reader)
            finish(writer, work, seconds)
        os.close(writer)
        children.append((child, reader))
    return [collect(child, reader, seconds) for child, reader in children]


@dataclass(frozen=True)
class Claims:
    """Numbered work for several processes: who comes first does it. ``folder`` is empty at the beginning."""

    folder: Path

    def take(self, number: int) -> bool:
        """Whether this process is the first to ask for ``number``."""
        try:
            os.close(os.open(self.folder / str(number), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


def shared_out(work: Callable[[Claims], list[Any]], processes: int, seconds: float) -> list[Any]:
    """What ``work`` answers in each of some processes, together; they share the claims."""
    with tempfile.TemporaryDirectory() as folder:
        found = at_once([functools.partial(work, Claims(Path(folder)))] * processes, seconds)
    return [one for each in found for one in each]


def fork() -> int:
    """A child that shares the memory of now; 0 in the child."""
    gc.freeze()
    sys.stdout.flush()
    with warnings.catch_warnings():
        # Python 3.12 warns of threads that a fork would lose; the world has none
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def finish(writer: int, work: Callable[[], Any], seconds: float = CASE_SECONDS) -> None:
    """In the child: write the answer and end the process, whatever happens."""
    bound(seconds)
    try:
        answer = ("answer", work())
    except BaseException:  # noqa: BLE001 - the child's last word; the parent raises it
        answer = ("error", traceback.format_exc())
    with os.fdopen(writer, "wb") as pipe:
        pickle.dump(answer, pipe)
    os._exit(0)


def bound(seconds: float) -> None:
    """In the child: so much more of the processor, then the system ends it; its own children count apart."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, most))


def collect(child: int, reader: int, seconds: float) -> Any:
    """In the parent: the child's answer."""
    with os.fdopen(reader, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], seconds * _WAITS)
        if not ready:
            os.kill(child, signal.SIGKILL)
        text = pipe.read()
    os.waitpid(child, 0)
    kind, answer = pickle.loads(text) if text else ("error", "it died or took too long")
    if kind == "error":
        raise CaseFailed(answer)
    return answer
