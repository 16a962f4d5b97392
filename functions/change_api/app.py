"""REST: update a deployment, roll it back, stop and start it; its history."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from shoal.api import changes, gate

app = gate.resolver()


@app.put("/deploy/<name>")
def update(name: str) -> Response[str]:
    return gate.respond(app, changes.update(gate.request_of(app), name))


@app.post("/deploy/<name>/rollback")
def rollback(name: str) -> Response[str]:
    return gate.respond(app, changes.rollback(gate.request_of(app), name))


@app.post("/deploy/<name>/stop")
def stop(name: str) -> Response[str]:
    return gate.respond(app, changes.stop(gate.request_of(app), name))


@app.post("/deploy/<name>/start")
def start(name: str) -> Response[str]:
    return gate.respond(app, changes.start(gate.request_of(app), name))


@app.get("/deploy/<name>/revisions")
def revisions(name: str) -> Response[str]:
    return gate.respond(app, changes.history(name))


lambda_handler = gate.serve(app, yaml=True)
