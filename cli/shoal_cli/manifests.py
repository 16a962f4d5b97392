"""`shoal manifest`: a list of videos that are in S3 already, however long."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from shoal_cli.api import Api
from shoal_cli.connection import Connection, connect
from shoal_cli.console import console, table
from shoal_cli.dives import follow, print_dives
from shoal_cli.errors import CliError
from shoal_cli.options import DeploymentOption, Stack, TimeoutMinutes


def manifest(
    source: Annotated[
        str, typer.Argument(metavar="LIST", help="a CSV or JSON lines file, or s3://bucket/key")
    ],
    deployment: DeploymentOption,
    job: Annotated[str, typer.Option("--job", help="a name for this dive; left out: the file's")] = "",
    args: Annotated[str, typer.Option("--args", help="detector arguments of every video")] = "",
    clean: Annotated[bool, typer.Option("--clean", help="remove each video once its result is safe")] = False,
    force: Annotated[bool, typer.Option("--force", help="track again what is tracked already")] = False,
    wait: Annotated[bool, typer.Option(help="wait until every video is tracked")] = False,
    stack: Stack = None,
    timeout: TimeoutMinutes = 24 * 60,
) -> None:
    """Submit a list of up to 100,000 videos that lie in S3."""
    connection = connect(stack)
    where = source if source.startswith("s3://") else upload(connection, deployment, Path(source))
    api = Api(connection)
    body = {"manifest": where, "job_name": job, "args": args, "clean": clean, "force": force}
    taken = api.submit(deployment, body | {"user_name": getpass.getuser()})["manifest"]
    print_manifest(taken)
    if wait:
        print_dives(follow(api, deployment, str(taken["job_name"]), timeout * 60))


def upload(connection: Connection, deployment: str, path: Path) -> str:
    """The list as an object of the data bucket; its URI.

    Raises:
        CliError: there is no such file.
    """
    if not path.is_file():
        raise CliError(f"{path} is no file", "name a CSV or JSON lines file, or s3://bucket/key")
    key = f"manifests/{deployment}/{path.name}"
    connection.client("s3").upload_file(str(path), connection.data_bucket, key)
    return f"s3://{connection.data_bucket}/{key}"


def print_manifest(taken: dict[str, Any]) -> None:
    """How far it is, and what is wrong with which lines."""
    console.print(sentence_of(taken), soft_wrap=True)
    if taken["wrong"]:
        rows = ((one["line"], one["detail"]) for one in taken["wrong"])
        table("malformed", ("line", "what is wrong"), rows)


def sentence_of(taken: dict[str, Any]) -> str:
    """``D1: DONE, 30 of 30 lines read: 27 new, 1 known, 1 missing, 1 malformed``."""
    counts = ", ".join(f"{taken[name]} {name}" for name in ("new", "known", "missing", "malformed"))
    state = taken["status"] + (f" ({taken['reason']})" if taken["reason"] else "")
    return f"{taken['job_name']}: {state}, {taken['read']} of {taken['lines']} lines read: {counts}"
