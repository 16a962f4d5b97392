"""Whatever way a fleet ends, no process of it lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from fleet_world import eventually, pids, running_world


def test_the_end_of_the_fleet_leaves_no_process() -> None:
    with running_world() as world:
        # Given
        pond = world.pond()
        pond.make_capacity()
        pond.make_service(pond.make_definition(FAKE_STUBBORN="1", FAKE_CHILD="1"))
        eventually(pond.running)
        needle = f"SHOAL_DEPLOYMENT={pond.name}"
        eventually(lambda: len(pids(needle)) == 2)
        # When
        world.fleet.stop()
        # Then
        assert pids(needle) == []


def test_a_process_that_is_killed_takes_its_tasks_with_it() -> None:
    # Given a parent that cannot clean up
    marker = f"SHOAL_ORPHAN={os.getpid()}"
    script = f"""
        import sys
        from pathlib import Path
        from shoal_local.fleet.logs import LogPump
        from shoal_local.fleet.process import ContainerProcess
        name, _, value = {marker!r}.partition("=")
        child = ContainerProcess(["sleep", "300"], {{name: value, "PATH": "/usr/bin:/bin"}}, Path("."))
        child.run(LogPump(None, "", "", sys.stdout), lambda pid: None)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], env=environment) as parent:
        eventually(lambda: any(_command(pid) == "sleep" for pid in pids(marker)))
        # When
        parent.send_signal(signal.SIGKILL)
    # Then
    assert eventually(lambda: not pids(marker))


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
