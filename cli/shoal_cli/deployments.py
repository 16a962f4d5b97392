"""`shoal deploy`, `shoal status`, `shoal delete`: a deployment from its YAML to nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from shoal_cli.api import Api
from shoal_cli.connection import connect
from shoal_cli.console import console, status_text, table
from shoal_cli.errors import CliError
from shoal_cli.events import line
from shoal_cli.options import Stack, TimeoutMinutes
from shoal_cli.watch import print_deployment, watch_deployment


class DeploymentFailed(CliError):
    """The deployment or deletion ended in another state than the wanted one."""

    exit_code = 6


def read_specification(path: Path) -> dict[str, Any]:
    """A deployment's YAML or JSON; the seeds' keys are the API's business.

    Raises:
        CliError: no such file, or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise CliError(f"{path} could not be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise CliError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise CliError(f"{path} holds no mapping", "see docs/deployments.md for an example")
    return content


def deploy(
    specification: Annotated[Path, typer.Argument(help="the deployment's YAML, e.g. megadetector.yaml")],
    output: Annotated[Path | None, typer.Argument(help="folder that takes what was created")] = None,
    stack: Stack = None,
    wait: Annotated[bool, typer.Option(help="wait until it is READY or FAILED")] = True,
    timeout: TimeoutMinutes = 40,
) -> None:
    """Deploy a model, or update the deployment of that name, and wait until it serves."""
    api = Api(connect(stack))
    answer = api.deploy(read_specification(specification))
    name = str(answer["name"])
    print_adjustments(answer)
    console.print(f"{name}: {status_text(answer['status'])}, revision {answer['revision']}")
    if not wait:
        return
    final = watch_deployment(api, name, timeout_seconds=timeout * 60)
    print_deployment(final)
    if output:
        save(output, final)
    if (final["status"], final["revision"]) != ("READY", answer["revision"]):
        raise DeploymentFailed(
            f"{name} ended {final['status']}: {final.get('reason', '')}", "it was rolled back"
        )


def save(folder: Path, deployment: dict[str, Any]) -> None:
    """What was created, one file for the whole and one for the resources."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deployment.json").write_text(json.dumps(deployment, indent=2) + "\n")
    (folder / "resources.json").write_text(json.dumps(deployment.get("resources", []), indent=2) + "\n")
    console.print(f"saved {folder / 'deployment.json'} and {folder / 'resources.json'}")


def status(
    name: Annotated[str | None, typer.Argument(help="a deployment; all of them when left out")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="until nothing works on it any more")] = False,
    stack: Stack = None,
    timeout: TimeoutMinutes = 60,
) -> None:
    """What a deployment is doing, and why it waits."""
    api = Api(connect(stack))
    if name is None:
        rows = [(one["name"], status_text(one["status"]), one["revision"]) for one in api.deployments()]
        table("deployments", ("name", "status", "revision"), rows)
        return
    seen = watch_deployment(api, name, timeout_seconds=timeout * 60) if watch else api.deployment(name)
    print_deployment(seen)
    for event in seen.get("events", [])[-10:]:
        console.print(f"  {line(event)}", soft_wrap=True)


def delete(
    name: Annotated[str, typer.Argument(help="the deployment")],
    wait: Annotated[bool, typer.Option(help="wait until nothing is left")] = True,
    stack: Stack = None,
    timeout: TimeoutMinutes = 60,
) -> None:
    """Remove a deployment and everything it made."""
    api = Api(connect(stack))
    answer = api.delete(name)
    console.print(f"{name}: {status_text(answer['status'])}")
    if not wait:
        return
    final = watch_deployment(api, name, timeout_seconds=timeout * 60)
    print_deployment(final)
    if final["status"] != "DELETED":
        raise DeploymentFailed(
            f"{name} ended {final['status']}: {final.get('reason', '')}", "delete it again"
        )


def print_adjustments(answer: dict[str, Any]) -> None:
    """What the API changed on the way in, and why."""
    for item in answer.get("adjustments", []):
        console.print(
            f"[yellow]adjusted[/yellow] {item['field']}: {item['given']} -> {item['used']} ({item['reason']})"
        )
