"""Crash dumps: every thread's stack, where a fault of native code (a decoder, a driver) ends the process.

The seeds' SD_DEBUG_CRASH: off by default; the folder is one that outlives the container, a mounted volume.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from shoal_worker.service.errors import ConfigurationError


@contextlib.contextmanager
def crash_dumps(folder: Path | None) -> Iterator[Path | None]:
    """While the block runs, SIGSEGV, SIGFPE, SIGABRT, SIGBUS and SIGILL write
    ``crash-<time>-<process>.txt`` into ``folder``; a run without a crash leaves no file. None: no dumps.

    Raises:
        ConfigurationError: the folder cannot be written to.
    """
    if folder is None:
        yield None
        return
    target = folder / f"crash-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = target.open("wb")
    except OSError as error:
        raise ConfigurationError(
            f"crash dumps cannot be written to {folder} ({error.strerror}): mount a writable volume there, "
            "set SHOAL_CRASH_DIR, or set SHOAL_CRASH_DUMPS to 0"
        ) from error
    with file:
        faulthandler.enable(file, all_threads=True)
        try:
            yield target
        finally:
            faulthandler.disable()
    if target.stat().st_size == 0:
        target.unlink()
