"""REST: submit videos to a deployment, list and describe its jobs. An uploaded video submits itself."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from shoal.api import dives, gate, jobs

_BODY_LIMIT = 512 * 1024

app = gate.resolver()


@app.post("/deploy/<name>/jobs")
def submit(name: str) -> Response[str]:
    return gate.respond(app, jobs.submit(gate.request_of(app), name))


@app.get("/deploy/<name>/jobs")
def list_all(name: str) -> Response[str]:
    return gate.respond(app, jobs.list_all(gate.request_of(app), name))


@app.get("/deploy/<name>/jobs/<job_id>")
def describe(name: str, job_id: str) -> Response[str]:
    return gate.respond(app, jobs.describe(name, job_id))


@app.get("/deploy/<name>/dives")
def list_dives(name: str) -> Response[str]:
    return gate.respond(app, dives.list_all(gate.request_of(app), name))


@app.post("/deploy/<name>/cancel")
def cancel(name: str) -> Response[str]:
    return gate.respond(app, dives.cancel(gate.request_of(app), name))


@app.post("/deploy/<name>/redrive")
def redrive(name: str) -> Response[str]:
    return gate.respond(app, dives.redrive(gate.request_of(app), name))


_serve = gate.serve(app, body_limit=_BODY_LIMIT)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """API Gateway's requests have a method; what has none is S3's, through EventBridge."""
    if isinstance(event, dict) and "httpMethod" not in event:
        return jobs.uploaded(event)
    return _serve(event, context)
