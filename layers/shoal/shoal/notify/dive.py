"""The mail at the end of a dive: what was tracked, what failed and why, what it took, where it lies."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime

from shoal.contracts.job import JobRecord
from shoal.deployments import Deployment
from shoal.jobs.dives import Dive
from shoal.notify.parts import Mail, Part, rendered
from shoal.notify.safe import header, line

FAILURES = 50
"""Listed in a mail; the command line lists all."""


def compose(
    deployment: Deployment, dive: Dive, failed: Sequence[JobRecord], environment: str, bucket: str
) -> Mail:
    """``failed`` are some of the dive's failures, with their reasons."""
    name = line(dive.job_name)
    subject = header(f"[shoal {environment}] {name}: {dive.succeeded} of {dive.submitted} videos tracked")
    return rendered(
        subject,
        [
            Part(_how_it_went(dive)),
            Part(facts=_facts(deployment, dive, bucket)),
            *_what_was_wrong(dive),
            *_what_failed(deployment, dive, failed[:FAILURES]),
            *_how_to_get_it(deployment, dive),
        ],
    )


def _how_it_went(dive: Dive) -> str:
    if dive.submitted and dive.succeeded == dive.submitted:
        return "Every video was tracked."
    counts = (("failed", dive.failed), ("cancelled", dive.cancelled))
    rest = " and ".join(f"{count} {what}" for what, count in counts if count)
    return f"{'Some videos were' if dive.succeeded else 'No video was'} tracked: {rest or 'there was none'}."


def _facts(deployment: Deployment, dive: Dive, bucket: str) -> list[tuple[str, str]]:
    cost = f"about {dive.usd:.2f} USD, without starting, idling and failed attempts" if dive.usd else ""
    results = f"s3://{bucket}/tracks/, under the path that a video has below videos/"
    facts = [
        ("dive", dive.job_name),
        ("deployment", f"{deployment.name}, revision {deployment.revision}"),
        ("manifest", _manifest(dive)),
        ("videos", f"{dive.succeeded} of {dive.submitted} tracked"),
        ("footage", f"{dive.footage_hours:g} hours"),
        ("wall time", _wall_time(dive)),
        ("GPU time", f"{dive.work_hours:g} hours"),
        ("cost", cost),
        ("results", results if dive.succeeded else ""),
    ]
    return [fact for fact in facts if fact[1]]


def _manifest(dive: Dive) -> str:
    if dive.manifest is None:
        return ""
    listed = dive.manifest
    reason = f" ({listed.reason})" if listed.reason else ""
    lines = f"{listed.read} of {listed.lines} lines read, {listed.malformed} malformed"
    return f"{listed.uri}: {listed.status}{reason}, {lines}"


def _what_was_wrong(dive: Dive) -> list[Part]:
    if dive.manifest is None or not dive.manifest.wrong:
        return []
    return [Part("Malformed lines:", [(f"line {one.line}", one.detail) for one in dive.manifest.wrong])]


def _wall_time(dive: Dive) -> str:
    """From the first submission to the last end."""
    if not dive.created_at or not dive.finished_at:
        return ""
    passed = datetime.fromisoformat(dive.finished_at) - datetime.fromisoformat(dive.created_at)
    minutes = max(0, round(passed.total_seconds() / 60))
    return f"{minutes // 60} h {minutes % 60} min"


def _what_failed(deployment: Deployment, dive: Dive, failed: Sequence[JobRecord]) -> list[Part]:
    if not failed:
        return []
    more = dive.failed - len(failed)
    rest = [Part(f"And {more} more: shoal jobs lists them.")] if more > 0 else []
    command = f"shoal redrive {deployment.name} --job {shlex.quote(dive.job_name)}"
    return [
        Part("What failed:", [(job.video, job.reason) for job in failed]),
        *rest,
        Part("Mend the cause, then try them again:"),
        Part(command=command),
    ]


def _how_to_get_it(deployment: Deployment, dive: Dive) -> list[Part]:
    if not dive.succeeded:
        return []
    command = f"shoal results {deployment.name} --job {shlex.quote(dive.job_name)}"
    return [Part("Fetch the results:"), Part(command=command)]
