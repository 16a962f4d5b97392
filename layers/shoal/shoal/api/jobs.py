"""What the routes below /deploy/{name}/jobs do."""

from __future__ import annotations

from http import HTTPStatus

from shoal import deployments, fleet, jobs
from shoal.api.deployments import known_name
from shoal.api.gate import Answer, Request
from shoal.api.model import JobPage, Submitted
from shoal.api.pages import limit_of, position_of, token_for
from shoal.api.validate import validated
from shoal.contracts.job import JobRecord
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Deployment
from shoal.errors import Conflict, Denied, NotFound, ShoalError
from shoal.settings import settings
from shoal.telemetry import logger

_JOB_ID = r"[A-Za-z0-9-]{1,64}"


def submit(request: Request, name: str) -> Answer:
    """POST /deploy/{name}/jobs: record, send, wake the fleet.

    Raises:
        InvalidRequest: naming the videos at fault; nothing was recorded.
        ContentTooLarge: a manifest with too many lines or bytes.
        Conflict: the deployment takes no jobs, or not now.
    """
    deployment = _ready(known_name(name))
    submission = validated(jobs.Submission, request.body, "the submission")
    if submission.manifest:
        return _listed(deployment, submission)
    records, new = jobs.take(deployment, submission, settings().need("data_bucket"))
    return _submitted(deployment, records, new, _wake(deployment) if new else None)


def _listed(deployment: Deployment, submission: jobs.Submission) -> Answer:
    """A manifest: taken on, its first lines recorded and a worker woken for them; a function reads on."""
    bucket = settings().need("data_bucket")
    taken = jobs.manifests.accept(deployment, submission, bucket)
    manifest = jobs.manifests.advance(deployment, taken.manifest_id, bucket, lambda: False) or taken
    workers = _wake(deployment) if manifest.new > taken.new else None
    jobs.manifests.read_on(manifest)
    own = f"/deploy/{deployment.name}"
    links = {"jobs": f"{own}/jobs", "dives": f"{own}/dives"}
    content = Submitted(jobs=[], new=manifest.new, desired_workers=workers, links=links, manifest=manifest)
    return Answer(HTTPStatus.ACCEPTED, content, links["dives"])


def uploaded(event: object) -> dict[str, str]:
    """S3's event that an object was created: the same for one video. Answers what became of it.

    Raises:
        Denied, Retryable: Lambda gives the event again.
    """
    deployment, outcome = jobs.uploads.take(event)
    if deployment and deployment.status.is_live() and deployment.queue_url:
        _wake(deployment)
    return {"outcome": outcome}


def list_all(request: Request, name: str) -> Answer:
    """GET /deploy/{name}/jobs: oldest first."""
    deployment = deployments.get(known_name(name))
    after = position_of(request.query, _JOB_ID) or ""
    found, position = jobs.list_jobs(deployment.name, limit_of(request.query), after)
    return Answer(HTTPStatus.OK, JobPage(jobs=found, next_token=token_for(position)))


def describe(name: str, job_id: str) -> Answer:
    """GET /deploy/{name}/jobs/{job_id}."""
    return Answer(HTTPStatus.OK, jobs.get(known_name(name), job_id[:64]))


def _ready(name: str) -> Deployment:
    deployment = deployments.get(name)
    if deployment.status is DeploymentStatus.DELETED:
        raise NotFound(f"there is no deployment {name}: it was deleted at {deployment.updated_at}")
    if not deployment.spec.has_queue:
        raise Conflict(f"{name} serves an endpoint only: post the video to its /predict")
    if not deployment.status.is_kept() or not deployment.queue_url:
        raise Conflict(f"{name} is {deployment.status} and takes videos when it is READY: wait for it")
    return deployment


def _wake(deployment: Deployment) -> int | None:
    """Send what waits and raise the fleet: the number of workers now wanted.

    None when AWS did not answer: the jobs are recorded, and the reconciler tries again within a minute.

    A stopped deployment is not woken: its jobs wait until it is started.

    Raises:
        Denied: the role may not; no later attempt would fare better.
    """
    if not deployment.status.is_live():
        return 0
    try:
        return fleet.apply(deployment, just_sent=fleet.feed(deployment))
    except Denied:
        raise
    except ShoalError:  # the videos are recorded: an error would make the sender submit them again
        logger().exception("fleet not woken", extra={"deployment": deployment.name})
        return None


def _submitted(deployment: Deployment, records: list[JobRecord], new: int, workers: int | None) -> Answer:
    own = f"/deploy/{deployment.name}/jobs"
    location = f"{own}/{records[0].job_id}" if len(records) == 1 else own
    content = Submitted(jobs=records, new=new, desired_workers=workers, links={"jobs": own})
    return Answer(HTTPStatus.ACCEPTED, content, location)
