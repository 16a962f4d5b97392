"""The OpenAPI document: ``python -m shoal.api.openapi > docs/openapi.json`` writes it from the routes."""

from __future__ import annotations

import json
import re
import sys
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel
from pydantic.json_schema import models_json_schema

from shoal.api.pages import DEFAULT_LIMIT, MAXIMUM_LIMIT
from shoal.api.problem import CONTENT_TYPE, Problem
from shoal.api.routes import ROUTES, Route
from shoal.contracts.registry import NewVersion

VERSION = "0.1.0"
_ALWAYS = (403, 500, 503)
_PHRASES = {
    400: "the body could not be read", 403: "the caller's role may not do this",
    404: "there is no such thing",
    409: "the current state does not allow this", 413: "the body is too large",
    415: "the body's content type is not accepted", 422: "a field is not valid; errors names it",
    500: "something broke inside; the log has the reason", 503: "AWS did not answer; try again",
}  # fmt: skip
_ABOUT = (
    "Deploys video-tracking models to a fleet of GPU workers. Requests carry an AWS Signature Version 4. "
    "Clean names are emitted; the spellings listed under x-also-accepted are accepted as well."
)
_ALSO = "x-also-accepted"

Schema = dict[str, Any]


def document() -> Schema:
    """The whole document (OpenAPI 3.1)."""
    paths: dict[str, Schema] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    scheme = {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "x-amazon-apigateway-authtype": "awsSigv4",
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shoal", "version": VERSION, "description": _ABOUT},
        "security": [{"sigv4": []}],
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": {"sigv4": scheme}},
    }


def _operation(route: Route) -> Schema:
    answers = {str(status): _answer(model, means) for status, (model, means) in route.answers.items()}
    problems = {str(status): _problem(status) for status in sorted({*route.problems, *_ALWAYS})}
    operation: Schema = {
        "operationId": route.method.lower() + "".join(map(str.title, re.findall(r"[a-z_]+", route.path))),
        "summary": route.summary,
        "tags": [route.function],
        "parameters": [
            *_path_parameters(route.path),
            *_page_parameters(route),
            *([_key_parameter()] if route.keyed else []),
        ],
        "responses": answers | problems,
    }
    if route.body:
        kinds = ["application/json", *(["application/yaml"] if route.yaml else [])]
        content = {kind: {"schema": _reference(route.body)} for kind in kinds}
        operation["requestBody"] = {"required": not route.optional, "content": content}
    return operation


def _answer(model: type[BaseModel], means: str) -> Schema:
    answer: Schema = {
        "description": means,
        "content": {"application/json": {"schema": _reference(model)}},
    }
    if "Location" in means:
        answer["headers"] = {"Location": {"schema": {"type": "string"}, "description": "where it is found"}}
    return answer


def _problem(status: int) -> Schema:
    return {"description": _PHRASES[status], "content": {CONTENT_TYPE: {"schema": _reference(Problem)}}}


def _path_parameters(path: str) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _page_parameters(route: Route) -> list[Schema]:
    if not route.pages and not route.follows:
        return []
    limit = {"type": "integer", "minimum": 1, "maximum": MAXIMUM_LIMIT, "default": DEFAULT_LIMIT}
    token = {"type": "string", "description": "the next_token of the page before"}
    after = {"type": "string", "description": "an event's id, or a time in UTC with milliseconds"}
    return [
        {"name": "limit", "in": "query", "schema": limit},
        {"name": "after", "in": "query", "schema": after}
        if route.follows
        else {"name": "next_token", "in": "query", "schema": token},
    ]


def _key_parameter() -> Schema:
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"}
    means = "the same request under the same key is done once, for 24 hours; another one is 409"
    return {"name": "Idempotency-Key", "in": "header", "schema": schema, "description": means}


def _reference(model: type[BaseModel]) -> Schema:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _schemas() -> Schema:
    bodies: set[type[BaseModel]] = {route.body for route in ROUTES if route.body}
    answers = {model for route in ROUTES for model, _ in route.answers.values()} | {Problem}
    modes: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        *((model, "validation") for model in sorted(bodies, key=_name)),
        *((model, "validation") for model in sorted(answers, key=_name)),
    ]
    _, found = models_json_schema(modes, ref_template="#/components/schemas/{model}")
    schemas: Schema = found["$defs"]
    for model in bodies | {NewVersion}:
        _name_spellings(schemas[model.__name__], model)
    return dict(sorted(schemas.items()))


def _name_spellings(schema: Schema, model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            others = [one for one in field.validation_alias.choices if one != name]
            schema["properties"][name][_ALSO] = others


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def main() -> None:
    sys.stdout.write(json.dumps(document(), indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
