"""What the template promises: its folders, routes, values and pins."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from shoal.settings import Settings

ENVIRONMENTS = ("dev", "qa", "prod")
ROUTES = {
    "DeployApiFunction": {
        "POST /deploy", "GET /deploy", "GET /deploy/{name}", "DELETE /deploy/{name}",
        "GET /deploy/{name}/events", "POST /initiate-deployment", "POST /mlops-delete",
    },
    "DoctorFunction": {"GET /doctor", "POST /doctor"},
    "ChangeApiFunction": {
        "PUT /deploy/{name}", "POST /deploy/{name}/rollback", "POST /deploy/{name}/stop",
        "POST /deploy/{name}/start", "GET /deploy/{name}/revisions",
    },
    "JobIntakeFunction": {
        "POST /deploy/{name}/jobs", "GET /deploy/{name}/jobs", "GET /deploy/{name}/jobs/{job_id}",
        "GET /deploy/{name}/dives", "POST /deploy/{name}/cancel", "POST /deploy/{name}/redrive",
    },
    "ModelRegistryFunction": {
        "POST /registry", "GET /registry", "GET /registry/{model}",
        "GET /registry/{model}/versions/{version}",
    },
}  # fmt: skip


def functions(source: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in source["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def test_every_folder_is_a_function_and_every_function_a_folder(source: dict[str, Any], root: Path) -> None:
    folders = {f"functions/{path.name}/" for path in (root / "functions").iterdir() if path.is_dir()}
    assert {properties["CodeUri"] for properties in functions(source).values()} == folders


@pytest.mark.parametrize("part", ["app.py", "requirements.txt"])
def test_every_function_has_its_parts(root: Path, part: str) -> None:
    assert [p.name for p in (root / "functions").iterdir() if p.is_dir() and not (p / part).exists()] == []


def test_handlers_are_adapters_of_at_most_60_lines(root: Path) -> None:
    lengths = {app.parent.name: len(app.read_text().splitlines()) for app in root.glob("functions/*/app.py")}
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}
    assert len(lengths) >= 13


@pytest.mark.parametrize("name", ROUTES)
def test_routes(source: dict[str, Any], name: str) -> None:
    events = [e["Properties"] for e in functions(source)[name]["Events"].values() if e["Type"] == "Api"]
    assert {f"{event['Method']} {event['Path']}" for event in events} == ROUTES[name]


def test_every_route_wants_a_signature(translated: dict[str, Any]) -> None:
    # Given the API as it is deployed
    paths = translated["Resources"]["Api"]["Properties"]["Body"]["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    # When / Then: AWS_IAM is SigV4, and the integration runs as the API, not as the caller
    assert len(operations) == sum(map(len, ROUTES.values()))
    assert all(operation["security"] == [{"AWS_IAM": []}] for operation in operations)
    assert not any("credentials" in operation["x-amazon-apigateway-integration"] for operation in operations)


def test_every_variable_of_a_function_is_one_that_settings_know(source: dict[str, Any]) -> None:
    known = {name.upper() for name in Settings.model_fields}
    given = {key for f in functions(source).values() for key in f["Environment"]["Variables"]}
    assert given - known == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_values_are_parameters(
    source: dict[str, Any], parameters: dict[str, dict[str, str]], environment: str
) -> None:
    # Given
    declared, given = source["Parameters"], parameters[environment]
    # When / Then
    assert set(given) - set(declared) == set()
    assert {name for name, parameter in declared.items() if "Default" not in parameter} - set(given) == set()
    for name, value in given.items():
        allowed = [str(choice) for choice in declared[name].get("AllowedValues", [value])]
        assert value in allowed, name
        assert re.search(declared[name].get("AllowedPattern", ""), value), name


def test_samconfig_agrees_with_the_values(root: Path, parameters: dict[str, dict[str, str]]) -> None:
    # Given
    specification = importlib.util.spec_from_file_location("samconfig", root / "env" / "samconfig.py")
    assert specification is not None
    assert specification.loader is not None
    writer = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(writer)
    # When
    written = (root / "samconfig.toml").read_text()
    # Then
    assert written == writer.rendered(), "run `python3 env/samconfig.py`"
    read = tomllib.loads(written)
    for name in ENVIRONMENTS:
        deploy = read[name]["deploy"]["parameters"]
        assert deploy["parameter_overrides"] == parameters[name]
        assert deploy["parameter_overrides"]["Environment"] == name
        assert deploy["stack_name"] == read[name]["delete"]["parameters"]["stack_name"] == f"shoal-{name}"


def test_the_layer_is_pinned_as_the_project_is(root: Path) -> None:
    def pins(text: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+==[^\s;]+", text, re.MULTILINE))

    layer = pins((root / "layers/shoal/requirements.txt").read_text())
    assert layer - pins((root / "requirements/dev.lock").read_text()) == set()
    assert {pin.split("==")[0] for pin in layer} >= {"boto3", "pydantic", "aws-lambda-powertools"}


@pytest.mark.parametrize("name", ["DeploymentsTable", "RegistryTable", "DataBucket"])
def test_data_outlives_the_stack(source: dict[str, Any], name: str) -> None:
    resource = source["Resources"][name]
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"


def test_every_log_group_has_a_retention(translated: dict[str, Any]) -> None:
    groups = [r for r in translated["Resources"].values() if r["Type"] == "AWS::Logs::LogGroup"]
    assert len(groups) == 3
    assert all("RetentionInDays" in group["Properties"] for group in groups)
