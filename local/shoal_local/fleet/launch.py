"""Run a command that dies with its parent: ``python -S -E launch.py PARENT_PID COMMAND...``.

A script of its own, since setting this up between fork and exec is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """prctl(2): the kernel sends SIGKILL when the parent ends, however it ends."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the parent ended before this process began")
    os.execvpe(command[0], command, os.environ)  # noqa: S606  the command is the container's


if __name__ == "__main__":
    main()
