"""Every route with what it takes and answers: the source of docs/openapi.json."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel

from shoal.api.dives import DivePage
from shoal.api.model import (
    Accepted,
    Because,
    DeploymentPage,
    Description,
    EventPage,
    History,
    JobPage,
    Rollback,
    Submitted,
)
from shoal.api.registry_model import ModelPage, Versions
from shoal.api.seed_bodies import InitiateDeployment, MlopsDelete
from shoal.contracts.deployment import DeploymentSpec
from shoal.contracts.job import JobRecord
from shoal.contracts.registry import ModelVersion, Registration
from shoal.contracts.report import Report
from shoal.jobs import Submission
from shoal.jobs.changes import Changed, Selection


@dataclass(frozen=True)
class Route:
    """``answers`` maps a status to its model and meaning; every 4xx and 5xx answers a Problem.

    ``keyed``: it heeds ``Idempotency-Key``. ``optional``: the body may be left out.
    """

    method: str
    path: str
    function: str
    summary: str
    answers: dict[int, tuple[type[BaseModel], str]]
    body: type[BaseModel] | None = None
    yaml: bool = False
    pages: bool = False
    follows: bool = False
    keyed: bool = False
    optional: bool = False
    problems: tuple[int, ...] = field(default=())


_TAKEN = (Accepted, "taken on; Location names the deployment")
_WRITES = (400, 413, 415, 422)

ROUTES = (
    Route(
        "POST", "/deploy", "deploy_api", "Deploy a model, or update the deployment of that name",
        {200: (Accepted, "the same specification is READY already"), 202: _TAKEN},
        DeploymentSpec, yaml=True, problems=(*_WRITES, 409), keyed=True,
    ),
    Route(
        "GET", "/deploy", "deploy_api", "List deployments by name",
        {200: (DeploymentPage, "a page; deleted ones are kept as DELETED")}, pages=True, problems=(422,),
    ),
    Route(
        "GET", "/deploy/{name}", "deploy_api", "Describe a deployment",
        {200: (Description, "with its ledger and its history")}, problems=(404,),
    ),
    Route(
        "GET", "/deploy/{name}/events", "deploy_api", "Read a deployment's history, oldest first",
        {200: (EventPage, "a page; give its after to read on")}, follows=True, problems=(404, 422),
    ),
    Route(
        "DELETE", "/deploy/{name}", "deploy_api", "Remove a deployment and everything it made",
        {202: _TAKEN}, problems=(404,),
    ),
    Route(
        "PUT", "/deploy/{name}", "change_api", "Update a deployment in place",
        {200: (Accepted, "the same specification is READY already"), 202: _TAKEN},
        DeploymentSpec, yaml=True, problems=(*_WRITES, 404, 409), keyed=True,
    ),
    Route(
        "POST", "/deploy/{name}/rollback", "change_api", "Go back to an earlier revision",
        {200: (Accepted, "that revision is READY already"), 202: _TAKEN},
        Rollback, optional=True, problems=(*_WRITES, 404, 409), keyed=True,
    ),
    Route(
        "POST", "/deploy/{name}/stop", "change_api", "Send the fleet to nothing; deployment and jobs stay",
        {200: (Accepted, "it is STOPPED already"), 202: _TAKEN},
        Because, optional=True, problems=(*_WRITES, 404, 409), keyed=True,
    ),
    Route(
        "POST", "/deploy/{name}/start", "change_api", "Bring the fleet of a stopped deployment back",
        {200: (Accepted, "it is READY already"), 202: _TAKEN},
        Because, optional=True, problems=(*_WRITES, 404, 409), keyed=True,
    ),
    Route(
        "GET", "/deploy/{name}/revisions", "change_api", "List revisions, with who wanted them and why",
        {200: (History, "newest first")}, problems=(404,),
    ),
    Route(
        "POST", "/initiate-deployment", "deploy_api", "Deploy a registered model's endpoint (seed spelling)",
        {200: (Accepted, "the same specification is READY already"), 202: _TAKEN},
        InitiateDeployment, yaml=True, problems=(*_WRITES, 409), keyed=True,
    ),
    Route(
        "POST", "/mlops-delete", "deploy_api", "Remove a registered model's deployment (seed spelling)",
        {202: _TAKEN}, MlopsDelete, yaml=True, problems=(*_WRITES, 404, 409),
    ),
    Route(
        "POST", "/deploy/{name}/jobs", "job_intake", "Submit videos for tracking",
        {202: (Submitted, "recorded and sent")}, Submission, problems=(*_WRITES, 404, 409),
    ),
    Route(
        "GET", "/deploy/{name}/jobs", "job_intake", "List jobs, oldest first",
        {200: (JobPage, "a page")}, pages=True, problems=(404, 422),
    ),
    Route(
        "GET", "/deploy/{name}/jobs/{job_id}", "job_intake", "Describe a job",
        {200: (JobRecord, "one video")}, problems=(404,),
    ),
    Route(
        "GET", "/doctor", "doctor", "Read the last check for orphans and drift",
        {200: (Report, "what no ledger owns, and what is not as a ledger says")}, problems=(404,),
    ),
    Route(
        "POST", "/doctor", "doctor", "Check for orphans and drift now; nothing is removed",
        {200: (Report, "the new report")},
    ),
    Route(
        "GET", "/deploy/{name}/dives", "job_intake", "List dives: how many videos are done, and until when",
        {200: (DivePage, "a page, by name")}, pages=True, problems=(404, 422),
    ),
    Route(
        "POST", "/deploy/{name}/cancel", "job_intake", "Cancel a job, a dive, or all jobs",
        {200: (Changed, "how many")}, Selection, problems=(*_WRITES, 404),
    ),
    Route(
        "POST", "/deploy/{name}/redrive", "job_intake", "Try again what failed: a job, a dive, or all",
        {200: (Changed, "how many")}, Selection, problems=(*_WRITES, 404),
    ),
    Route(
        "POST", "/registry", "model_registry", "Register versions of a model",
        {201: (Versions, "the new versions; Location names the newest")}, Registration, problems=_WRITES,
    ),
    Route(
        "GET", "/registry", "model_registry", "List registered models",
        {200: (ModelPage, "a page, in no particular order")}, pages=True, problems=(422,),
    ),
    Route(
        "GET", "/registry/{model}", "model_registry", "List a model's versions, newest first",
        {200: (Versions, "a page")}, pages=True, problems=(404, 422),
    ),
    Route(
        "GET", "/registry/{model}/versions/{version}", "model_registry", "Describe a version of a model",
        {200: (ModelVersion, "one version")}, problems=(404,),
    ),
)  # fmt: skip
