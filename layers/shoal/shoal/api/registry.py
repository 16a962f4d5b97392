"""What the routes below /registry do."""

from __future__ import annotations

import re
from http import HTTPStatus

from shoal import registry
from shoal.api.gate import Answer, Request
from shoal.api.pages import MAXIMUM_LIMIT, limit_of, position_of, token_for
from shoal.api.registry_model import ModelPage, Versions
from shoal.api.validate import validated
from shoal.contracts.registry import Registration
from shoal.errors import NotFound

_MODEL = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_NUMBER = r"[1-9][0-9]{0,8}"


def register(request: Request) -> Answer:
    """POST /registry: new versions of a model."""
    registration = validated(Registration, request.body, "the registration")
    versions = registry.register(registration)
    answer = Versions(model=registration.model, latest=versions[-1].version, versions=versions)
    newest = f"/registry/{answer.model}/versions/{answer.latest}"
    return Answer(HTTPStatus.CREATED, answer, newest)


def list_models(request: Request) -> Answer:
    """GET /registry."""
    found, after = registry.list_models(limit_of(request.query), position_of(request.query, _MODEL))
    return Answer(HTTPStatus.OK, ModelPage(models=found, next_token=token_for(after)))


def list_versions(request: Request, model: str) -> Answer:
    """GET /registry/{model}: its versions, newest first."""
    position = position_of(request.query, _NUMBER)
    before = int(position) if position else None
    limit = limit_of(request.query, MAXIMUM_LIMIT)
    latest, found, after = registry.list_versions(_known(model, _MODEL), limit, before)
    page = Versions(model=model, latest=latest, versions=found, next_token=token_for(after))
    return Answer(HTTPStatus.OK, page)


def get_version(model: str, version: str) -> Answer:
    """GET /registry/{model}/versions/{version}."""
    number = int(_known(version, _NUMBER))
    return Answer(HTTPStatus.OK, registry.get(_known(model, _MODEL), number))


def _known(text: str, pattern: str) -> str:
    if not re.fullmatch(pattern, text):
        raise NotFound("the registry has no such model or version: GET /registry lists them")
    return text
