"""The template as a person wrote it and as CloudFormation gets it, read once."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from shoal_local.sam_package import package
from shoal_local.sam_transform import load_template, transform

ROOT = Path(__file__).resolve().parents[3]


class _NoUpload:
    """S3 as far as packaging needs it: the places are enough."""

    def put_object(self, **_: Any) -> None:
        return None


@cache
def _source() -> dict[str, Any]:
    return load_template(ROOT / "template.yaml")


def values_of(environment: str) -> dict[str, str]:
    """The parameters in ``env/<environment>.json``, lists joined as CloudFormation takes them."""
    given = json.loads((ROOT / "env" / f"{environment}.json").read_text())
    return {key: ",".join(value) if isinstance(value, list) else value for key, value in given.items()}


@cache
def _translated(environment: str) -> dict[str, Any]:
    packaged = package(_source(), ROOT, _NoUpload(), "artifacts")
    return transform(packaged, values_of(environment))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    return _source()


@pytest.fixture(scope="session")
def translated() -> dict[str, Any]:
    return _translated("prod")


@pytest.fixture(scope="session")
def parameters() -> dict[str, dict[str, str]]:
    return {name: values_of(name) for name in ("dev", "qa", "prod")}
