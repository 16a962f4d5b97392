"""What a CI run does with the registry: fetch the model to build with, record the image it built.

    python -m shoal.registry.ci fetch-model --model reef --version 3 --output DIR
    python -m shoal.registry.ci record-image --model reef --version 3 --image URI --digest sha256:...

The table's name comes from ``REGISTRY_TABLE`` or ``--table``. Under GitHub Actions the outcome is also
written to ``GITHUB_OUTPUT`` (model_file, model_version, model_location). These are the seeds' download-s3 and
dynamodb-git-update scripts.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shoal import registry
from shoal.aws import client, domain_errors
from shoal.contracts.names import split_s3_uri
from shoal.contracts.registry import ModelVersion
from shoal.errors import InvalidRequest, ShoalError
from shoal.settings import settings

_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 with the reason on standard error."""
    options = _parser().parse_args(arguments)
    if options.table:
        os.environ["REGISTRY_TABLE"] = options.table
        settings.cache_clear()
    try:
        outputs = _fetch(options) if options.command == "fetch-model" else _record(options)
        _publish(outputs)
    except (ShoalError, RuntimeError) as error:
        sys.stderr.write(f"{options.command}: {error}\n")
        return _FAILED
    return 0


def fetch_model(model: str, version: int | None, output: Path) -> tuple[Path, ModelVersion]:
    """Download the registered model's file into ``output``; the newest version when ``version`` is None.

    Raises:
        NotFound: no such version. AwsError: S3 refused the download.
    """
    found = registry.get(model, version)
    bucket, key = split_s3_uri(found.s3_location)
    name = key.rsplit("/", 1)[-1]
    if name in {"", ".", ".."}:
        raise InvalidRequest(f"{found.s3_location} names no file")
    output.mkdir(parents=True, exist_ok=True)
    with domain_errors(f"download {found.s3_location}"):
        client("s3").download_file(bucket, key, str(output / name))
    return output / name, found


def _fetch(options: argparse.Namespace) -> Mapping[str, str]:
    path, found = fetch_model(options.model, options.version, options.output)
    return {
        "model_file": str(path),
        "model_version": str(found.version),
        "model_location": found.s3_location,
    }


def _record(options: argparse.Namespace) -> Mapping[str, str]:
    found = registry.record_image(options.model, options.version, options.image, options.digest)
    return {"image": str(found.image), "image_digest": str(found.image_digest)}


def _publish(outputs: Mapping[str, str]) -> None:
    lines = "".join(f"{key}={value}\n" for key, value in outputs.items())
    sys.stdout.write(lines)
    if os.environ.get("GITHUB_OUTPUT"):
        with Path(os.environ["GITHUB_OUTPUT"]).open("a") as file:
            file.write(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shoal.registry.ci", description=__doc__.splitlines()[0])
    parser.add_argument("--table", help="the registry table; REGISTRY_TABLE when left out")
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch-model", help="download a registered model")
    record = commands.add_parser("record-image", help="write image and digest onto a version")
    for command in (fetch, record):
        command.add_argument("--model", required=True)
    fetch.add_argument("--version", type=int, help="the newest when left out")
    fetch.add_argument("--output", type=Path, required=True)
    record.add_argument("--version", type=int, required=True)
    record.add_argument("--image", required=True, help="repository:tag")
    record.add_argument("--digest", required=True, help="sha256:...")
    return parser


if __name__ == "__main__":
    sys.exit(main())
