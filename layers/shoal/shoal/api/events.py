"""The history of a deployment, in pages that a follower reads on from."""

from __future__ import annotations

import re
from http import HTTPStatus

from shoal import deployments
from shoal.api.deployments import known_name
from shoal.api.gate import Answer, Request
from shoal.api.model import EventPage
from shoal.api.pages import limit_of
from shoal.api.validate import field_error

_AFTER = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(#[0-9a-f]{8})?")


def list_events(request: Request, name: str) -> Answer:
    """GET /deploy/{name}/events: oldest first, those after ``?after=`` (an event's id, or a time).

    Raises:
        NotFound: there never was such a deployment.
        InvalidRequest: ``after`` or ``limit`` is none.
    """
    name, limit, after = deployments.get(known_name(name)).name, limit_of(request.query), _after(request)
    found = deployments.events_after(name, after, limit + 1)
    page = found[:limit]
    return Answer(
        HTTPStatus.OK,
        EventPage(events=page, after=page[-1].id if page else after, more=len(found) > limit),
    )


def _after(request: Request) -> str:
    after = request.query.get("after", "")
    if after and not _AFTER.fullmatch(after):
        raise field_error("after", "give the id of an event, or a time such as 2026-11-26T14:00:00.000Z")
    return after
