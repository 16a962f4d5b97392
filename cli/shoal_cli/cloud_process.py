"""The embedded cloud as a child process: started, waited for, asked, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from shoal_cli.console import waiting
from shoal_cli.errors import CliError
from shoal_cli.processes import is_alive

_START_SECONDS = 90.0
_STOP_SECONDS = 15.0


class CloudDidNotStart(CliError):
    """The embedded cloud ended or stayed silent; its log says why."""

    exit_code = 7


@dataclass(frozen=True)
class CloudOptions:
    """``clock``: cloud seconds in a second; ``port`` 0: a free one; ``deploy`` template.yaml first."""

    clock: float
    port: int = 0
    reset: bool = False
    deploy: bool = True


def command(state_file: Path, options: CloudOptions) -> list[str]:
    """The command line of the embedded cloud."""
    words = [sys.executable, "-m", "shoal_local", "up", "--state-file", str(state_file)]
    words += ["--clock", str(options.clock), "--port", str(options.port)]
    words += [] if options.deploy else ["--no-deploy"]
    return words + (["--reset"] if options.reset else [])


def start(state_file: Path, log: Path, options: CloudOptions) -> subprocess.Popen[bytes]:
    """Start it in a session of its own and wait until its API answers.

    Raises:
        CloudDidNotStart: with the end of its log.
    """
    state_file.parent.mkdir(parents=True, exist_ok=True)
    state_file.unlink(missing_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink, waiting() as bar:
        task = bar.add_task("starting the embedded cloud and deploying template.yaml into it")
        process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            command(state_file, options),
            stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        _wait_until_up(process, state_file, log)
        bar.update(task, description="the embedded cloud is up, template.yaml is deployed")
    return process


def _wait_until_up(process: subprocess.Popen[bytes], state_file: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not state_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise CloudDidNotStart(f"the embedded cloud did not start; the end of {log}:", tail)
        time.sleep(0.1)


def stop(pid: int) -> None:
    """Ask it to stop, then insist; its children are in its process group."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        if not _exists(pid):
            return
        time.sleep(0.1)
    os.killpg(pid, signal.SIGKILL)


def _exists(pid: int) -> bool:
    try:
        finished, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return is_alive(pid)
    return finished == 0


@contextmanager
def running(state_file: Path, log: Path, *, clock: float) -> Iterator[dict[str, Any]]:
    """The state of a cloud that lives as long as the block."""
    process = start(state_file, log, CloudOptions(clock))
    try:
        yield json.loads(state_file.read_text())
    finally:
        stop(process.pid)


def ask(endpoint_url: str, what: str) -> Any:
    """One page of the embedded cloud's own face: ``mailbox``, ``inventory``, ``iam``, ``health``."""
    response = requests.get(f"{endpoint_url}/_shoal/{what}", timeout=30)
    response.raise_for_status()
    return response.json()
