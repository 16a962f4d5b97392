"""``python -m shoal_local up | down``: keep the embedded cloud running for people and the SAM CLI."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from shoal_local.clock import Clock
from shoal_local.cloud import PROJECT, Cloud
from shoal_local.errors import LocalCloudError
from shoal_local.state import read_state, remove_state


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    file = Path(options.state_file).absolute()
    try:
        return _up(options, file) if options.command == "up" else _down(file)
    except LocalCloudError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shoal_local", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--port", type=int, default=0, help="of the AWS endpoint; 0 takes a free one")
    parser.add_argument("--clock", type=float, default=1.0, help="how many times faster simulated time runs")
    parser.add_argument("--environment", choices=["dev", "qa", "prod"], default="prod")
    parser.add_argument("--no-deploy", action="store_true", help="leave the account empty, for `sam deploy`")
    parser.add_argument("--no-iam", action="store_true", help="do not enforce permissions")
    parser.add_argument("--reset", action="store_true", help="end a running cloud and start clean")
    default = PROJECT / ".shoal" / "local.json"
    parser.add_argument("--state-file", default=str(default), help="where the addresses and keys are written")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _up(options: argparse.Namespace, file: Path) -> int:
    running = read_state(file)
    if running and _answers(running):
        if not options.reset:
            _say(f"already up at {running['endpoint_url']} (pid {running['pid']}); --reset starts clean")
            return 0
        _down(file)
    if options.reset:
        shutil.rmtree(file.parent / "code", ignore_errors=True)
    started = time.monotonic()
    cloud = Cloud(
        environment=options.environment,
        deploy=not options.no_deploy,
        clock=Clock(options.clock),
        iam=not options.no_iam,
        port=options.port,
        state_folder=file.parent,
    )
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: cloud.stop_requested.set())
    with cloud:
        cloud.write_state(file)
        _report(cloud, file, time.monotonic() - started)
        cloud.stop_requested.wait()
        remove_state(file)
    _say("down; its state is gone")
    return 0


def _report(cloud: Cloud, file: Path, seconds: float) -> None:
    _say(f"up in {seconds:.1f} s, on 127.0.0.1 only; the state lives as long as this process")
    _say(f"  AWS endpoint  {cloud.endpoint_url}")
    if cloud.outputs:
        _say(f"  API           {cloud.api_url}")
        _say(f"  stack         {cloud.stack_name}")
    _say(f"  clock         {cloud.clock.speed:g} times real time")
    _say(f"  credentials   in {file}")
    for name, value in cloud.environment().items():
        if "SECRET" not in name:
            _say(f"  export {name}={value}")
    _say("press Ctrl-C, or run `python -m shoal_local down`, to end it")


def _down(file: Path) -> int:
    running = read_state(file)
    if not running or not _answers(running):
        remove_state(file)
        _say("no cloud is running")
        return 0
    _ask(running, "stop", b"{}")
    for _ in range(200):
        if not _alive(int(running["pid"])):
            remove_state(file)
            _say("stopped")
            return 0
        time.sleep(0.1)
    sys.stderr.write(f"the cloud (pid {running['pid']}) does not end: kill it\n")
    return 1


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").exists() or ") Z " not in Path(f"/proc/{pid}/stat").read_text()


def _answers(running: dict[str, Any]) -> bool:
    try:
        return bool(_ask(running, "health").get("status") == "up")
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _ask(running: dict[str, Any], path: str, body: bytes | None = None) -> dict[str, Any]:
    url = f"{running['endpoint_url']}/_shoal/{path}"
    with urllib.request.urlopen(url, data=body, timeout=5) as answer:  # noqa: S310 - our own loopback address
        document: dict[str, Any] = json.loads(answer.read())
        return document


if __name__ == "__main__":
    sys.exit(main())
