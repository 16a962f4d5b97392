"""What the routes that change a deployment do, and what they answer of its history."""

from __future__ import annotations

from http import HTTPStatus

from shoal import deployments
from shoal.api import accepting
from shoal.api.deployments import claimed, known_name
from shoal.api.gate import Answer, Request
from shoal.api.idempotency import once
from shoal.api.model import Because, History, RevisionView, Rollback
from shoal.api.specification import NAME_FIELDS, read_specification
from shoal.api.validate import field_error, validated
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Change, Deployment, Revision
from shoal.deployments.changes import changed
from shoal.errors import MalformedRequest, NotFound


def update(request: Request, name: str) -> Answer:
    """PUT /deploy/{name}: update in place; the name may be left out of the body.

    Raises:
        NotFound: there is no such deployment.
        InvalidRequest, Conflict: see their messages.
    """
    name = _existing(name).name
    if not isinstance(request.body, dict):
        raise MalformedRequest("send the whole specification as the body, see docs/deployments.md")
    named = any(field in request.body for field in NAME_FIELDS)
    spec, adjustments = read_specification(request.body if named else {"name": name} | request.body)
    if spec.name != name:
        raise field_error("name", f"it is {spec.name}, and the path says {name}: send one of the two")
    return once(request, lambda: claimed(request, spec, adjustments))


def rollback(request: Request, name: str) -> Answer:
    """POST /deploy/{name}/rollback: an earlier good revision is wanted again.

    Raises:
        NotFound, Conflict: no such deployment or revision; it never was READY, or not now.
    """
    name = _existing(name).name
    wanted = validated(Rollback, request.body or {}, "the rollback")

    def work() -> Answer:
        claim = deployments.rollback(name, request.actor, wanted.revision, wanted.reason)
        return accepting.begin(name, claim)

    return once(request, work)


def stop(request: Request, name: str) -> Answer:
    """POST /deploy/{name}/stop: the fleet goes to nothing; the deployment and its jobs stay.

    Raises:
        NotFound, Conflict: no such deployment, or not now.
    """
    name = _existing(name).name
    why = validated(Because, request.body or {}, "the stop")

    def work() -> Answer:
        deployments.stop(name, request.actor, why.reason)
        return accepting.accepted(deployments.get(name))

    return once(request, work)


def start(request: Request, name: str) -> Answer:
    """POST /deploy/{name}/start: the fleet of a stopped deployment comes back.

    Raises:
        NotFound, Conflict: no such deployment, or it is not stopped.
    """
    name = _existing(name).name
    why = validated(Because, request.body or {}, "the start")

    def work() -> Answer:
        return accepting.begin(name, deployments.start(name, request.actor, why.reason))

    return once(request, work)


def history(name: str) -> Answer:
    """GET /deploy/{name}/revisions: every revision, newest first, with who wanted it, when and why."""
    deployment = deployments.get(known_name(name))
    found = deployments.revisions_of(deployment.name)
    changes = deployments.changes_of(deployment.name)
    before: dict[int, Revision | None] = dict(
        zip([one.revision for one in found], [*found[1:], None], strict=True)
    )
    views = [_view(one, before[one.revision], deployment, changes) for one in found]
    return Answer(HTTPStatus.OK, History(revisions=views))


def _existing(name: str) -> Deployment:
    found = deployments.get(known_name(name))
    if found.status is DeploymentStatus.DELETED:
        raise NotFound(f"there is no deployment {found.name}: it was deleted at {found.updated_at}")
    return found


def _view(
    revision: Revision, before: Revision | None, deployment: Deployment, changes: list[Change]
) -> RevisionView:
    return RevisionView(
        revision=revision.revision,
        wanted=revision.revision == deployment.revision,
        created_at=revision.created_at,
        ready_at=revision.ready_at,
        spec=revision.spec,
        changed=changed(before.spec, revision.spec) if before else [],
        changes=[one for one in changes if one.revision == revision.revision],
    )
