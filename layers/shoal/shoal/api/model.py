"""What the routes below /deploy answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.job import JobRecord
from shoal.contracts.leftover import Leftover
from shoal.contracts.status import DeploymentStatus, LedgerState
from shoal.deployments.model import Change, Event
from shoal.jobs.manifest_model import Manifest


class Accepted(BaseModel):
    """A deployment or a deletion was taken on; ``links`` are paths below the API's root."""

    name: str
    status: DeploymentStatus
    revision: int
    adjustments: list[Adjustment] = []
    links: dict[str, str]


class Resource(BaseModel):
    """One line of a deployment's ledger."""

    kind: str
    name: str
    state: LedgerState
    arn: str = ""
    revision: int


class Summary(BaseModel):
    """A deployment in a list."""

    name: str
    status: DeploymentStatus
    reason: str
    revision: int
    endpoint: str | None
    queue_url: str | None
    created_at: str
    updated_at: str


class SpendingView(BaseModel):
    """What the fleet has cost since the deployment was READY, estimated from instance hours and list prices.

    ``usd_per_hour`` is the price of one worker, null where it is not known. ``stopped``: the budget allows no
    further video.
    """

    usd: float
    usd_per_hour: float | None
    workers: int
    budget_usd: float | None
    deadline_hours: float | None
    stopped: bool


class Description(Summary):
    """A deployment with everything that is known of it; events are oldest first.

    ``leftovers`` is what a rollback or a deletion has not removed yet, as its last pass saw it.
    """

    spec: DeploymentSpec
    adjustments: list[Adjustment]
    resources: list[Resource]
    leftovers: list[Leftover]
    spending: SpendingView
    events: list[Event]
    links: dict[str, str]


class EventPage(BaseModel):
    """Events, oldest first. The next request gives ``after``; ``more`` says whether to ask at once."""

    events: list[Event]
    after: str
    more: bool


class DeploymentPage(BaseModel):
    deployments: list[Summary]
    next_token: str | None = None


class Because(BaseModel):
    """The body of a stop or a start; it may be left out."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=500, description="kept in the history")


class Rollback(Because):
    """The body of a rollback; without a revision the good one before the wanted one is meant."""

    revision: int | None = Field(None, ge=1)


class RevisionView(BaseModel):
    """One revision: its specification, what differs from the revision numbered before it, and who wanted it.

    ``ready_at`` is empty where it never was READY; only a revision that was can be rolled back to.
    """

    revision: int
    wanted: bool
    created_at: str
    ready_at: str
    spec: DeploymentSpec
    changed: list[str]
    changes: list[Change]


class History(BaseModel):
    """Newest first, those of a deployment of this name that was deleted included."""

    revisions: list[RevisionView]


class JobPage(BaseModel):
    jobs: list[JobRecord]
    next_token: str | None = None


class Submitted(BaseModel):
    """A job for each video, in order; ``new`` of them were recorded now and wait for a worker.

    The same work (video, model, tracker's configuration, arguments) is done once: its job is answered. A
    video that is not there is FAILED with its reason. ``desired_workers`` is null where nobody had to be
    woken, or AWS did not answer; the fleet is then woken within a minute. Of a manifest no jobs are listed:
    it is read on after the answer, and its dive says how far.
    """

    jobs: list[JobRecord]
    new: int
    desired_workers: int | None
    links: dict[str, str]
    manifest: Manifest | None = None
