"""The `shoal` command."""

from __future__ import annotations

import sys

import typer

from shoal_cli import (
    changes,
    deployments,
    dives,
    doctor,
    events,
    export,
    jobs,
    local,
    manifests,
    registry,
    reproduce,
    track,
)
from shoal_cli.console import errors
from shoal_cli.convert import command as convert
from shoal_cli.demo import command as demo
from shoal_cli.errors import CliError

app = typer.Typer(
    help="Deploy video-tracking models to a fleet of GPU workers in your own AWS account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(deployments.deploy)
app.command()(deployments.status)
app.command()(changes.update)
app.command()(changes.rollback)
app.command()(changes.history)
app.command()(changes.stop)
app.command()(changes.start)
app.command()(deployments.delete)
app.command()(events.events)
app.command()(doctor.doctor)
app.command()(jobs.process)
app.command()(jobs.results)
app.command()(manifests.manifest)
app.command()(dives.jobs)
app.command()(dives.redrive)
app.command()(dives.cancel)
app.command()(track.track)
app.command()(track.retrack)
app.command()(export.export)
app.command()(reproduce.reproduce)
app.command()(demo.demo)
app.add_typer(registry.app, name="registry")
app.add_typer(convert.app, name="model")
app.add_typer(local.app, name="local")


def main() -> None:
    """Run the command; an error of ours is a sentence and an exit code, never a traceback."""
    try:
        app()
    except CliError as error:
        errors.print(f"[red]shoal:[/red] {error.message}", soft_wrap=True)
        if error.advice:
            errors.print(error.advice, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(130)
