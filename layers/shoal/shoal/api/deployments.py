"""What the routes below /deploy do, jobs apart."""

from __future__ import annotations

import re
from http import HTTPStatus

from shoal import deployments, fleet, table
from shoal.api import accepting
from shoal.api.gate import Answer, Request
from shoal.api.idempotency import once
from shoal.api.model import DeploymentPage, Description, Resource, SpendingView, Summary
from shoal.api.model_source import resolve
from shoal.api.pages import limit_of, position_of, token_for
from shoal.api.routing import routed
from shoal.api.seed_bodies import MlopsDelete
from shoal.api.specification import NAME_PATTERN, config_of, read_specification
from shoal.api.validate import validated
from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.names import deployment_name_from
from shoal.deployments import Deployment, executions
from shoal.errors import Conflict, MalformedRequest, NotFound

_EVENTS = 50


def deploy(request: Request) -> Answer:
    """POST /deploy: deploy, or update what has the name; the same request again changes nothing.

    Raises:
        InvalidRequest, Conflict: see their messages.
    """
    if request.body is None:
        raise MalformedRequest("send the specification as the body, see docs/deployments.md")
    spec, adjustments = read_specification(request.body)
    return once(request, lambda: claimed(request, spec, adjustments))


def claimed(request: Request, spec: DeploymentSpec, adjustments: list[Adjustment]) -> Answer:
    """Resolve the specification, make it the wanted one, start what works for it.

    Raises:
        InvalidRequest, Conflict: see their messages.
    """
    spec, noted = resolve(spec)
    spec, named = routed(spec)
    claim = deployments.claim(spec, request.actor, [*adjustments, *noted, *named])
    return accepting.begin(spec.name, claim)


def initiate_deployment(request: Request) -> Answer:
    """POST /initiate-deployment: the seeds' spelling of POST /deploy, for a registered model's endpoint."""
    return deploy(Request(**{**vars(request), "body": config_of(request.body)}))


def list_all(request: Request) -> Answer:
    """GET /deploy: deployments by name, deleted ones included."""
    found, after = deployments.list_deployments(
        limit_of(request.query), position_of(request.query, NAME_PATTERN)
    )
    page = DeploymentPage(deployments=[_summary(one) for one in found], next_token=token_for(after))
    return Answer(HTTPStatus.OK, page)


def describe(name: str) -> Answer:
    """GET /deploy/{name}."""
    name = known_name(name)
    found = deployments.get(name)
    description = Description(
        **_summary(found).model_dump(),
        spec=found.spec,
        adjustments=found.adjustments,
        resources=resources(name),
        leftovers=found.leftovers,
        spending=_spending(found),
        events=list(reversed(deployments.events(name, _EVENTS))),
        links=accepting.links(found),
    )
    return Answer(HTTPStatus.OK, description)


def delete(request: Request, name: str) -> Answer:
    """DELETE /deploy/{name}: fence off whoever deploys it, start the deletion.

    Raises:
        NotFound: there is no such deployment, or it is deleted already.
    """
    name = known_name(name)
    deployment = _deletion(name, request.actor, again=False)
    if not executions.start(
        "delete", deployment
    ):  # its execution ended without finishing: another one takes over
        deployment = _deletion(name, request.actor, again=True)
        executions.start("delete", deployment)
    deployments.record_execution(name, deployment.generation, executions.arn_of("delete", deployment))
    return accepting.accepted(deployment)


def mlops_delete(request: Request) -> Answer:
    """POST /mlops-delete: the seeds' spelling of DELETE, for one version of a registered model.

    Raises:
        Conflict: another version is served.
    """
    body = validated(MlopsDelete, request.body, "the body")
    deployment = deployments.get(known_name(body.registry_name))
    _check_served("version", body.version, deployment.spec.model_version)
    _check_served("ecr-version", body.ecr_version, deployment.spec.image_version)
    return delete(request, deployment.name)


def known_name(text: str) -> str:
    """A deployment's name as somebody may write it (``Megadetector``).

    Raises:
        NotFound: nothing can be called so.
    """
    name = text if re.fullmatch(NAME_PATTERN, text) else deployment_name_from(text)
    if len(text) != len(name) or not re.fullmatch(NAME_PATTERN, name):
        raise NotFound("there is no such deployment: GET /deploy lists them")
    return name


def resources(name: str) -> list[Resource]:
    """The ledger of a deployment, in the order of making."""
    return [Resource.model_validate(item) for item in table.query(table.deployment_key(name), "RESOURCE#")]


def _check_served(field: str, wanted: int | str | None, served: int | str | None) -> None:
    if None in {wanted, served} or str(wanted) in {str(served), "latest", "default"}:
        return
    detail = f"it is {served}: leave it out to delete anyway"
    raise Conflict(f"another {field} is served", [{"field": field, "detail": detail}])


def _spending(deployment: Deployment) -> SpendingView:
    spec, known = deployment.spec, fleet.spending.recall(deployment)
    return SpendingView(
        usd=round(known.usd, 2),
        usd_per_hour=fleet.spending.price_of(spec),
        workers=known.workers,
        budget_usd=spec.budget_usd,
        deadline_hours=spec.deadline_hours,
        stopped=fleet.spending.is_stopped(deployment, known),
    )


def _deletion(name: str, actor: str, again: bool) -> Deployment:
    deployments.begin_deletion(name, actor, again)
    return deployments.get(name)


def _summary(deployment: Deployment) -> Summary:
    fields = deployment.model_dump(include=set(Summary.model_fields)) | {"reason": deployment.said}
    return Summary.model_validate(fields)
