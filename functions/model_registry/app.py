"""REST: register versions of models, list and show them."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from shoal.api import gate, registry

app = gate.resolver()


@app.post("/registry")
def register() -> Response[str]:
    return gate.respond(app, registry.register(gate.request_of(app)))


@app.get("/registry")
def list_models() -> Response[str]:
    return gate.respond(app, registry.list_models(gate.request_of(app)))


@app.get("/registry/<model>")
def list_versions(model: str) -> Response[str]:
    return gate.respond(app, registry.list_versions(gate.request_of(app), model))


@app.get("/registry/<model>/versions/<version>")
def get_version(model: str, version: str) -> Response[str]:
    return gate.respond(app, registry.get_version(model, version))


lambda_handler = gate.serve(app)
