"""The one table of the worker's faults, at the end of the run; ``WRITE=1`` puts it on its page."""

from __future__ import annotations

import os

import pytest
from campaign import worker_table

_TESTS = ("test_worker_faults", "test_sigkill", "test_sigterm")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ended = [one.nodeid for name in ("passed", "failed") for one in terminalreporter.stats.get(name, [])]
    if not any(test in node for node in ended for test in _TESTS):
        return
    found = worker_table.lines(worker_table.kept())
    terminalreporter.section("faults of a worker's life")
    terminalreporter.write("\n".join(found) + "\n")
    if os.environ.get("WRITE") == "1":
        worker_table.put(worker_table.PAGE, found, worker_table.MARK)
