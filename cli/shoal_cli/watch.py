"""Wait for a deployment or for jobs, and say meanwhile what is being waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from rich.markup import escape

from shoal_cli.api import Api
from shoal_cli.console import console, progress, status_text, waiting
from shoal_cli.errors import CliError

WORKING = frozenset(
    {
        "ACCEPTED",
        "DEPLOYING",
        "UPDATING",
        "UPDATE_ROLLING_BACK",
        "STOPPING",
        "STARTING",
        "ROLLING_BACK",
        "DELETING",
    }
)


class DidNotFinish(CliError):
    """The deadline of this command passed; the work itself goes on."""

    exit_code = 5


def watch_deployment(
    api: Api, name: str, *, timeout_seconds: float, poll_seconds: float = 1.0
) -> dict[str, Any]:
    """Poll until no execution works on the deployment; returns its last description.

    Raises:
        DidNotFinish: it still worked after ``timeout_seconds``.
    """
    with waiting() as bar:
        task = bar.add_task(f"{name}: asking")
        deployment: dict[str, Any] = {}

        def finished() -> bool:
            deployment.update(api.deployment(name))
            bar.update(task, description=_sentence(deployment))
            return deployment["status"] not in WORKING

        _poll(finished, timeout_seconds, poll_seconds, lambda: f"{name} is still {deployment['status']}")
    return deployment


def watch_jobs(
    api: Api, name: str, job_ids: Collection[str], *, timeout_seconds: float, poll_seconds: float = 1.0
) -> list[dict[str, Any]]:
    """Poll until each of these jobs has SUCCEEDED or FAILED; returns their records."""
    records: dict[str, dict[str, Any]] = {}
    with progress() as bar:
        task = bar.add_task("videos tracked", total=len(job_ids))

        def finished() -> bool:
            records.update({job["job_id"]: job for job in api.jobs(name) if job["job_id"] in job_ids})
            done = [job for job in records.values() if job["status"] in {"SUCCEEDED", "FAILED"}]
            bar.update(task, completed=len(done))
            return len(done) == len(job_ids)

        _poll(
            finished,
            timeout_seconds,
            poll_seconds,
            lambda: f"{name} is not done with {len(job_ids)} videos",
        )
    return [records[job_id] for job_id in job_ids]


def print_deployment(deployment: dict[str, Any]) -> None:
    """What a person wants to know of one deployment."""
    console.print(
        f"{deployment['name']}: {status_text(deployment['status'])}  revision {deployment['revision']}",
        soft_wrap=True,
    )
    for label, key in (("reason", "reason"), ("endpoint", "endpoint"), ("queue", "queue_url")):
        if deployment.get(key):
            console.print(f"  {label}: {deployment[key]}", soft_wrap=True)
    if sentence := spent_in_words(deployment.get("spending")):
        console.print(f"  spent: {sentence}", soft_wrap=True)
    for item in deployment.get("adjustments", []):
        console.print(
            f"  adjusted: {item['field']} {item['given']} -> {item['used']}: {item['reason']}", soft_wrap=True
        )
    for resource in deployment.get("resources", []):
        console.print(f"  {resource['kind']}: {resource['name']} ({resource['state']})", soft_wrap=True)
    for left in deployment.get("leftovers", []):
        console.print(f"  [yellow]left[/yellow] {left_in_words(left)}", soft_wrap=True)


def spent_in_words(spending: dict[str, Any] | None) -> str:
    """``about 31.42 of 200 USD, 4 workers at 1.017 USD an hour``; empty where there is nothing to say."""
    if not spending or not (spending["usd"] or spending["budget_usd"]):
        return ""
    budget = f" of {spending['budget_usd']:g}" if spending["budget_usd"] else ""
    price = f" at {spending['usd_per_hour']:.4g} USD an hour" if spending["usd_per_hour"] else ""
    return f"about {spending['usd']:.2f}{budget} USD, {spending['workers']} workers{price}"


def left_in_words(left: dict[str, Any]) -> str:
    """What could not be removed, what it costs, why, and what to do; no markup of the terminal in it."""
    cost = "unknown cost" if left["usd_per_hour"] is None else f"{left['usd_per_hour']:.4g} USD an hour"
    return escape(f"{left['kind']} {left['name']}, {cost}: {left['reason']}; what to do: {left['advice']}")


def _sentence(deployment: dict[str, Any]) -> str:
    reason = deployment.get("reason") or ""
    return f"{deployment['name']}: {status_text(deployment['status'])}" + (
        f" - {reason[:100]}" if reason else ""
    )


def _poll(
    finished: Callable[[], bool], timeout_seconds: float, poll_seconds: float, late: Callable[[], str]
) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not finished():
        if time.monotonic() > deadline:
            raise DidNotFinish(
                f"{late()} after {timeout_seconds:.0f} s", "it goes on; look again with `shoal status`"
            )
        time.sleep(poll_seconds)
