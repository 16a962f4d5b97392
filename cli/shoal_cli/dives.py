"""`shoal jobs`, `shoal redrive`, `shoal cancel`: dives and their videos after they were submitted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from shoal_cli.api import Api
from shoal_cli.connection import connect
from shoal_cli.console import console, table
from shoal_cli.errors import CliError
from shoal_cli.options import Stack, TimeoutMinutes

_COLUMNS = ("dive", "videos", "failed", "footage h", "GPU h", "USD", "left h")
_POLL_SECONDS = 5.0

DiveOption = Annotated[str, typer.Option("--job", help="only this dive")]


def jobs(
    deployment: Annotated[str, typer.Argument(help="the deployment")],
    job: DiveOption = "",
    watch: Annotated[bool, typer.Option("--watch", help="until every video has ended")] = False,
    stack: Stack = None,
    timeout: TimeoutMinutes = 24 * 60,
) -> None:
    """How each dive stands: videos done of all, footage, GPU hours, cost, time left, what failed and why."""
    api = Api(connect(stack))
    found = follow(api, deployment, job, timeout * 60) if watch else chosen(api, deployment, job)
    print_dives(found)
    if any(one["failed"] for one in found):
        print_failures(one for one in api.jobs(deployment) if job in ("", one.get("job_name")))


def chosen(api: Api, deployment: str, job: str) -> list[dict[str, Any]]:
    """The dives of a deployment, or the one of that name."""
    return [one for one in api.dives(deployment) if job in ("", one["job_name"])]


def follow(
    api: Api, deployment: str, job: str, seconds: float, sleep: Callable[[float], None] = time.sleep
) -> list[dict[str, Any]]:
    """Say each change on a line of its own until nothing waits.

    Raises:
        CliError: something still waits after ``seconds``.
    """
    deadline, said = time.monotonic() + seconds, ""
    while True:
        found = chosen(api, deployment, job)
        sentence = "; ".join(sentence_of(one) for one in found) or "nothing was submitted"
        if sentence != said:
            console.print(sentence)
            said = sentence
        if not any(one["waiting"] or one.get("reading") for one in found):
            return found
        if time.monotonic() > deadline:
            raise CliError(f"{deployment} is not done after {seconds:.0f} s", "look again with `shoal jobs`")
        sleep(_POLL_SECONDS)


def sentence_of(dive: dict[str, Any]) -> str:
    """``D1: 3 of 10 videos, 1 failed, 2.9 hours of footage, 0.4 hours left``."""
    ended = dive["submitted"] - dive["waiting"]
    parts = [f"{dive['job_name']}: {ended} of {dive['submitted']} videos"]
    parts += [_reading(dive["manifest"])] if dive.get("reading") and dive.get("manifest") else []
    parts += [f"{dive['failed']} failed"] if dive["failed"] else []
    parts += [f"{dive['footage_hours']:g} hours of footage"]
    parts += (
        [f"{dive['eta_hours']:g} hours left"] if dive["waiting"] and dive["eta_hours"] is not None else []
    )
    return ", ".join(parts)


def _reading(manifest: dict[str, Any]) -> str:
    return f"{manifest['read']} of {manifest['lines']} lines read"


def print_dives(found: Iterable[dict[str, Any]]) -> None:
    """One row for each dive."""
    rows = (
        (
            one["job_name"], f"{one['submitted'] - one['waiting']} of {one['submitted']}", one["failed"],
            one["footage_hours"], one["work_hours"], one["usd"], one["eta_hours"] if one["waiting"] else "",
        )
        for one in found
    )  # fmt: skip
    table("dives", _COLUMNS, rows)


def print_failures(records: Iterable[dict[str, Any]]) -> None:
    """Each failed video with its reason."""
    failed = [one for one in records if one["status"] == "FAILED"]
    table(
        "failed", ("video", "job", "reason"), ((one["video"], one["job_id"], one["reason"]) for one in failed)
    )
    if failed:
        console.print("try them again with `shoal redrive`")


def redrive(
    deployment: Annotated[str, typer.Argument(help="the deployment")],
    job: DiveOption = "",
    job_id: Annotated[str, typer.Option("--id", help="only this video")] = "",
    stack: Stack = None,
) -> None:
    """Try again what failed: a video, a dive, or all."""
    api = Api(connect(stack))
    changed = repeated(lambda body: api.redrive(deployment, body), selection(job, job_id, everything=True))
    console.print(f"{changed} videos are tried again")


def cancel(
    deployment: Annotated[str, typer.Argument(help="the deployment")],
    job: DiveOption = "",
    job_id: Annotated[str, typer.Option("--id", help="only this video")] = "",
    everything: Annotated[bool, typer.Option("--all", help="everything that waits or runs")] = False,
    stack: Stack = None,
) -> None:
    """Cancel a video, a dive, or (with --all) everything."""
    api = Api(connect(stack))
    changed = repeated(lambda body: api.cancel(deployment, body), selection(job, job_id, everything))
    console.print(f"{changed} videos were cancelled")


def selection(job: str, job_id: str, everything: bool) -> dict[str, Any]:
    """The body that names what is meant.

    Raises:
        CliError: nothing, or two things, are named.
    """
    if job and job_id:
        raise CliError("name a dive (--job) or a video (--id), not both")
    if job_id:
        return {"job_id": job_id}
    if job:
        return {"job_name": job}
    if not everything:
        raise CliError("nothing was named", "name a dive (--job), a video (--id), or --all")
    return {"all": True}


def repeated(call: Callable[[dict[str, Any]], dict[str, Any]], body: dict[str, Any]) -> int:
    """Call again while more is left; how many were changed in all."""
    changed = 0
    while True:
        answer = call(body)
        changed += int(answer["changed"])
        if not answer["more"] or not answer["changed"]:
            return changed
