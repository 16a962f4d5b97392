"""Cancel what waits or runs, redrive what failed: one job, or all jobs of a name, or all."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shoal import table
from shoal.contracts.job import JobRecord, job_key
from shoal.contracts.status import JobStatus
from shoal.errors import NotFound
from shoal.jobs import dives, feed, manifests
from shoal.jobs.writing import change, message_of, sums

AT_ONCE = 1_000
"""Jobs in one call; the answer says whether more are left."""


class Selection(BaseModel):
    """Which jobs: one by its id, those of a dive by its name, or all of the deployment."""

    model_config = ConfigDict(extra="forbid")

    job_id: str = Field("", max_length=64)
    job_name: str = Field("", max_length=200)
    all: bool = False

    @model_validator(mode="after")
    def _says_which(self) -> Selection:
        if [bool(self.job_id), bool(self.job_name), self.all].count(True) != 1:
            raise ValueError("name one of job_id, job_name, all")
        return self


class Changed(BaseModel):
    """How many jobs were changed, and whether the call is to be repeated for the rest."""

    changed: int
    more: bool


def cancel(deployment: str, selection: Selection) -> Changed:
    """CANCELLED: what waits is not tracked any more, what runs stops within two minutes.

    Raises:
        NotFound: no such job.
    """
    if not selection.job_id:
        manifests.stop(deployment, selection.job_name)
    return _each(deployment, selection, frozenset({JobStatus.QUEUED, JobStatus.RUNNING}), _cancel)


def redrive(deployment: str, selection: Selection) -> Changed:
    """QUEUED again: what failed is tried as if it had never been.

    Raises:
        NotFound: no such job.
    """
    return _each(deployment, selection, frozenset({JobStatus.FAILED}), _redrive)


def _each(
    deployment: str,
    selection: Selection,
    statuses: frozenset[JobStatus],
    do: Callable[[JobRecord, table.Item], bool],
) -> Changed:
    chosen = _selected(deployment, selection, statuses)
    changed = [do(JobRecord.model_validate(item), item) for item in chosen[:AT_ONCE]]
    return Changed(changed=changed.count(True), more=len(chosen) > AT_ONCE)


def _selected(deployment: str, selection: Selection, statuses: frozenset[JobStatus]) -> list[table.Item]:
    if selection.job_id:
        item = table.read(job_key(deployment, selection.job_id))
        if item is None:
            raise NotFound(f"{deployment} has no such job: GET /deploy/{deployment}/jobs lists them")
        return [item] if item.get("status") in statuses else []
    equal = {"status": statuses} | ({} if selection.all else {"dive": {selection.job_name}})
    return table.query_where(table.deployment_key(deployment), "JOB#", equal, AT_ONCE + 1)


def _cancel(job: JobRecord, _: table.Item) -> bool:
    fields = {"status": JobStatus.CANCELLED, "reason": "cancelled on request"}
    return change(job, fields, *sums(job, cancelled=1), feed.unmark(job.deployment, job.job_id))


def _redrive(job: JobRecord, item: table.Item) -> bool:
    """The earlier attempts do not count against it."""
    fields = {"status": JobStatus.QUEUED, "reason": "", "counted": "", "ended": "", "released": job.attempts}
    added = sums(job, failed=-1) if item.get("counted") == "failed" else []
    body = message_of(job, item).to_body()
    opened = [dives.opening(job.deployment, job.dive)] if job.dive else []
    return change(job, fields, *added, *opened, feed.marker(job.deployment, job.job_id, body))
