"""docs/openapi.json: as the code would write it, valid, and true of the functions."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest
from rest_world import ROOT, World
from shoal.api.openapi import document
from shoal.api.routes import ROUTES

COMMITTED = json.loads((ROOT / "docs" / "openapi.json").read_text())


def test_the_committed_document_is_the_generated_one() -> None:
    assert document() == COMMITTED, "run: python -m shoal.api.openapi > docs/openapi.json"


def test_it_is_valid() -> None:
    openapi_spec_validator.validate(COMMITTED)


def test_its_operations_have_names_of_their_own() -> None:
    names = [one["operationId"] for path in COMMITTED["paths"].values() for one in path.values()]
    assert len(names) == len(set(names)) == len(ROUTES)


@pytest.mark.parametrize("function", sorted({route.function for route in ROUTES}))
def test_its_routes_are_those_of_the_functions(function: str) -> None:
    # Given
    source = (ROOT / "functions" / function / "app.py").read_text()
    written = re.findall(r'@app\.(\w+)\("([^"]+)"\)', source)
    # Then
    routes = {(route.method.lower(), route.path) for route in ROUTES if route.function == function}
    assert {(method, re.sub("<(.+?)>", r"{\1}", path)) for method, path in written} == routes


def test_the_template_has_the_same_routes() -> None:
    text = (ROOT / "template.yaml").read_text()
    deployed = re.findall(r'Path: "([^"]+)", Method: (\w+)', text)
    assert sorted(deployed) == sorted((route.path, route.method) for route in ROUTES)


def test_the_page_for_people_names_every_route() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    assert [route for route in ROUTES if f"`{route.method} {route.path}`" not in page] == []


def _check(method: str, path: str, template: str, answer: Any) -> None:
    """The answer is among those that the document promises, and has the shape it promises."""
    promised = COMMITTED["paths"][template][method.lower()]["responses"][str(answer.status)]
    kind = answer.headers["Content-Type"]
    schema = promised["content"][kind]["schema"] | {"components": COMMITTED["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.body)


def test_the_answers_are_as_promised(world: World) -> None:
    # Given
    world.ready("reef", serves=("queue", "endpoint"))
    video = {"videos": ["videos/reef/a.mp4"]}
    version = {"model": "reef", "versions": [{"s3_location": "s3://shoal-data/models/reef.onnx"}]}
    seed = {"config": {"registry-name": "reef", "model-version": 1}}
    reef = {"name": "other", "model_location": "s3://shoal-data/models/reef.onnx"}
    submitted = world.call("POST", "/deploy/reef/jobs", video)
    job = submitted.body["jobs"][0]["job_id"]
    calls: list[tuple[str, str, str, Any, int]] = [
        ("POST", "/deploy", "/deploy", reef, 202),
        ("POST", "/deploy", "/deploy", reef | {"fleet_size": 2}, 409),
        ("PUT", "/deploy/other", "/deploy/{name}", reef, 202),
        ("PUT", "/deploy/none", "/deploy/{name}", reef, 404),
        ("GET", "/deploy/reef/revisions", "/deploy/{name}/revisions", None, 200),
        ("POST", "/deploy/reef/rollback", "/deploy/{name}/rollback", {"revision": 1}, 200),
        ("POST", "/deploy/reef/rollback", "/deploy/{name}/rollback", None, 409),
        ("POST", "/deploy/reef/start", "/deploy/{name}/start", None, 200),
        ("POST", "/deploy", "/deploy", {}, 422),
        ("POST", "/deploy", "/deploy", "{", 400),
        ("GET", "/deploy", "/deploy", None, 200),
        ("GET", "/deploy/reef", "/deploy/{name}", None, 200),
        ("GET", "/deploy/none", "/deploy/{name}", None, 404),
        ("GET", "/deploy/reef/events", "/deploy/{name}/events", None, 200),
        ("POST", "/deploy/reef/jobs", "/deploy/{name}/jobs", {"videos": ["videos/b.mp4"]}, 202),
        ("GET", "/deploy/reef/jobs", "/deploy/{name}/jobs", None, 200),
        ("GET", f"/deploy/reef/jobs/{job}", "/deploy/{name}/jobs/{job_id}", None, 200),
        ("POST", "/registry", "/registry", version, 201),
        ("GET", "/registry", "/registry", None, 200),
        ("GET", "/registry/reef", "/registry/{model}", None, 200),
        ("GET", "/registry/reef/versions/1", "/registry/{model}/versions/{version}", None, 200),
        ("GET", "/registry/reef/versions/9", "/registry/{model}/versions/{version}", None, 404),
        ("POST", "/deploy/reef/stop", "/deploy/{name}/stop", {"reason": "night"}, 202),
        ("POST", "/deploy/reef/stop", "/deploy/{name}/stop", {"reazon": "night"}, 422),
        ("DELETE", "/deploy/reef", "/deploy/{name}", None, 202),
        ("POST", "/initiate-deployment", "/initiate-deployment", seed, 409),
        ("POST", "/mlops-delete", "/mlops-delete", {"registry-name": "other"}, 202),
    ]
    for method, path, template, body, status in calls:
        # When
        answer = world.call(method, path, body)
        # Then
        assert answer.status == status, (method, path, answer.body)
        _check(method, path, template, answer)


WANTING = [route for route in ROUTES if route.body and not route.optional and route.method != "PUT"]
"""PUT takes the one required field, the name, from its path."""


@pytest.mark.parametrize("route", WANTING, ids=lambda one: one.path)
def test_a_body_without_its_required_fields_is_refused(world: World, route: Any) -> None:
    # Given
    schema = COMMITTED["components"]["schemas"][route.body.__name__]
    if route.path == "/deploy/{name}/jobs":
        world.ready("reef")
    # When
    answer = world.call(route.method, route.path.format(name="reef"), {})
    # Then
    named = {one["field"].split(".")[0] for one in answer.body["errors"]}
    assert (answer.status, set(schema.get("required", [])) <= named) == (422, True)
