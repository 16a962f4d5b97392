"""`shoal local`: the embedded cloud on this machine."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Annotated

import typer

from shoal_cli import cloud_process
from shoal_cli.connection import STATE_FILE
from shoal_cli.console import console, table
from shoal_cli.errors import NoCloud
from shoal_cli.processes import is_alive

app = typer.Typer(help="The embedded cloud on this machine: no AWS account, no Docker.", no_args_is_help=True)
LOG_FILE = STATE_FILE.with_name("local.log")


@app.command()
def up(
    clock: Annotated[float, typer.Option(help="seconds of cloud time in one second of yours")] = 20.0,
    port: Annotated[int, typer.Option(help="port on 127.0.0.1; 0 takes a free one")] = 0,
    reset: Annotated[
        bool, typer.Option("--reset", help="stop a running one first: its state is gone")
    ] = False,
    deploy: Annotated[bool, typer.Option(help="--no-deploy leaves it empty, for `sam deploy`")] = True,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="stay in this terminal until Ctrl-C")
    ] = False,
) -> None:
    """Start it, deploy template.yaml into it, keep it running."""
    options = cloud_process.CloudOptions(clock, port, reset, deploy)
    if reset:
        stop_running()
    if _pid() is not None:
        console.print("it is running already; `shoal local up --reset` starts clean")
        return
    if foreground:
        subprocess.run(cloud_process.command(STATE_FILE, options), check=False)  # noqa: S603
        return
    cloud_process.start(STATE_FILE, LOG_FILE, options)
    state = json.loads(STATE_FILE.read_text())
    console.print(
        f"AWS endpoint  {state['endpoint_url']}\nREST API      {state['api_url']}\nlog           {LOG_FILE}"
    )
    for port, local in state["stand_ins"].items():
        console.print(f"port {port:<8} 127.0.0.1:{local}, without TLS")
    console.print("stop it with `shoal local down`; its state lives in memory and goes with it")


@app.command()
def down() -> None:
    """Stop it; everything in it is gone."""
    console.print("stopped" if stop_running() else "it was not running")


@app.command()
def env() -> None:
    """Shell exports for the AWS CLI, SAM or boto3: eval "$(shoal local env)"."""
    _endpoint()
    state = json.loads(STATE_FILE.read_text())
    values = {
        "AWS_ENDPOINT_URL": state["endpoint_url"],
        "AWS_REGION": state["region"],
        "AWS_DEFAULT_REGION": state["region"],
        "AWS_ACCESS_KEY_ID": state["access_key"],
        "AWS_SECRET_ACCESS_KEY": state["secret_key"],
    }
    typer.echo("\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items()))


@app.command()
def mail() -> None:
    """The e-mails that were sent."""
    rows = (
        (one["time"], ", ".join(one["to"]), one["subject"])
        for one in cloud_process.ask(_endpoint(), "mailbox")
    )
    table("sent e-mails", ("time", "to", "subject"), rows)


@app.command()
def inventory() -> None:
    """Every resource in the embedded account."""
    table("resources", ("service", "type", "id"), cloud_process.ask(_endpoint(), "inventory"))


def stop_running() -> bool:
    """Stop the cloud of this folder; False when there was none."""
    pid = _pid()
    if pid is not None:
        cloud_process.stop(pid)
    STATE_FILE.unlink(missing_ok=True)
    return pid is not None


def _pid() -> int | None:
    if not STATE_FILE.exists():
        return None
    pid = int(json.loads(STATE_FILE.read_text())["pid"])
    return pid if is_alive(pid) else None


def _endpoint() -> str:
    if _pid() is None:
        raise NoCloud("the embedded cloud is not running", "start it: `shoal local up`")
    return str(json.loads(STATE_FILE.read_text())["endpoint_url"])
