"""REST: submit videos to a deployment, list and describe its jobs."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from shoal.api import gate, jobs

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


lambda_handler = gate.serve(app, body_limit=_BODY_LIMIT)
