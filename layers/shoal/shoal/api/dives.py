"""What the routes about a dive and its jobs do: how it stands, cancel, redrive."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel

from shoal import deployments
from shoal.api.deployments import known_name
from shoal.api.gate import Answer, Request
from shoal.api.pages import limit_of, position_of, token_for
from shoal.api.validate import validated
from shoal.jobs import changes, dives


class DivePage(BaseModel):
    dives: list[dives.Dive]
    next_token: str | None = None


def list_all(request: Request, name: str) -> Answer:
    """GET /deploy/{name}/dives: by name."""
    deployment = deployments.get(known_name(name))
    after = position_of(request.query, r"[^\x00-\x1f]{1,200}") or ""
    found, position = dives.list_dives(
        deployment.name, deployment.spec.every_instance_type, limit_of(request.query), after
    )
    return Answer(HTTPStatus.OK, DivePage(dives=found, next_token=token_for(position)))


def cancel(request: Request, name: str) -> Answer:
    """POST /deploy/{name}/cancel: one job, a dive, or all."""
    selection = _selection(request)
    return Answer(HTTPStatus.OK, changes.cancel(deployments.get(known_name(name)).name, selection))


def redrive(request: Request, name: str) -> Answer:
    """POST /deploy/{name}/redrive: what failed is tried again; the reconciler sends it within a minute."""
    selection = _selection(request)
    return Answer(HTTPStatus.OK, changes.redrive(deployments.get(known_name(name)).name, selection))


def _selection(request: Request) -> changes.Selection:
    return validated(changes.Selection, request.body or {}, "the selection")
