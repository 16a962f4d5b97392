"""`shoal registry`: models and their versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shoal_cli.api import Api
from shoal_cli.connection import Connection, connect
from shoal_cli.console import console, table
from shoal_cli.errors import CliError
from shoal_cli.options import Stack

app = typer.Typer(help="Registered models and their versions.", no_args_is_help=True)


@app.command()
def add(
    model: Annotated[str, typer.Argument(help="the registered model's name")],
    location: Annotated[str, typer.Argument(help="s3://bucket/key, or a local file to upload")],
    metric: Annotated[list[str] | None, typer.Option("--metric", help="name=value, repeatable")] = None,
    stack: Stack = None,
) -> None:
    """Register a new version of a model."""
    connection = connect(stack)
    uri = location if location.startswith("s3://") else upload_model(connection, model, Path(location))
    body = {"model": model, "versions": [{"s3_location": uri, "metrics": parse_metrics(metric or [])}]}
    for version in Api(connection).register(body)["versions"]:
        console.print(f"{model} version {version['version']}: {version['s3_location']}")


def upload_model(connection: Connection, model: str, path: Path) -> str:
    """Put a local model file beside the others; returns its S3 URI."""
    if not path.is_file():
        raise CliError(f"{path} is no file", "name an .onnx file, or an s3:// location")
    key = f"models/{model}/{path.name}"
    connection.client("s3").upload_file(str(path), connection.data_bucket, key)
    return f"s3://{connection.data_bucket}/{key}"


def parse_metrics(pairs: list[str]) -> dict[str, float]:
    """``["auc=0.9"]`` to ``{"auc": 0.9}``."""
    metrics: dict[str, float] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            metrics[name] = float(value)
        except ValueError as error:
            raise CliError(f"--metric {pair} is not name=number") from error
    return metrics


@app.command("list")
def list_models(stack: Stack = None) -> None:
    """Every registered model with its latest version."""
    models = Api(connect(stack)).models()
    table("models", ("model", "latest version"), ((one["model"], one["latest"]) for one in models))


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="the registered model's name")],
    version: Annotated[int | None, typer.Option("--version", help="one version only")] = None,
    stack: Stack = None,
) -> None:
    """The versions of a model, with metrics and image."""
    api = Api(connect(stack))
    versions = [api.model_version(model, version)] if version else api.model(model)["versions"]
    rows = (
        (v["version"], v["s3_location"], v.get("metrics"), v.get("image"), v.get("created_at"))
        for v in versions
    )
    table(model, ("version", "location", "metrics", "image", "created"), rows)
