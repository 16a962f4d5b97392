"""REST: deploy, list, describe, follow, delete; and the seeds' two paths."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from shoal.api import deployments, events, gate

app = gate.resolver()


@app.post("/deploy")
def deploy() -> Response[str]:
    return gate.respond(app, deployments.deploy(gate.request_of(app)))


@app.get("/deploy")
def list_all() -> Response[str]:
    return gate.respond(app, deployments.list_all(gate.request_of(app)))


@app.get("/deploy/<name>")
def describe(name: str) -> Response[str]:
    return gate.respond(app, deployments.describe(name))


@app.get("/deploy/<name>/events")
def list_events(name: str) -> Response[str]:
    return gate.respond(app, events.list_events(gate.request_of(app), name))


@app.delete("/deploy/<name>")
def delete(name: str) -> Response[str]:
    return gate.respond(app, deployments.delete(gate.request_of(app), name))


@app.post("/initiate-deployment")
def initiate_deployment() -> Response[str]:
    return gate.respond(app, deployments.initiate_deployment(gate.request_of(app)))


@app.post("/mlops-delete")
def mlops_delete() -> Response[str]:
    return gate.respond(app, deployments.mlops_delete(gate.request_of(app)))


lambda_handler = gate.serve(app, yaml=True)
