"""One embedded cloud for the whole end-to-end run, and one deployed model to talk about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import shoal_detector
from shoal_cli.api import Api
from shoal_cli.connection import Connection
from shoal_cli.watch import watch_deployment
from shoal_local.clock import Clock
from shoal_local.cloud import Cloud

CLOCK = 60.0
MODEL = "drifters"


class House:
    """What a person has in hand: the API, S3, the mailbox, and the account seen from below."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        keys = cloud.environment()
        session = boto3.Session(
            keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name=keys["AWS_DEFAULT_REGION"]
        )
        self.connection = Connection(
            cloud.api_url, cloud.region, dict(cloud.outputs), session, cloud.endpoint_url
        )
        self.api = Api(self.connection)

    def register(self) -> int:
        """Register the packaged detector; returns the version."""
        path = shoal_detector.model_path()
        key = f"models/{MODEL}/{path.name}"
        self.connection.client("s3").upload_file(str(path), self.connection.data_bucket, key)
        location = f"s3://{self.connection.data_bucket}/{key}"
        return int(
            self.api.register({"model": MODEL, "versions": [{"s3_location": location}]})["versions"][0][
                "version"
            ]
        )

    def deploy(self, name: str, **fields: Any) -> dict[str, Any]:
        """POST /deploy and wait for the end, whatever it is."""
        body = {"name": name, "registered_model": MODEL, "serves": ["queue", "endpoint"], **fields}
        self.api.deploy(body)
        return self.settled(name)

    def settled(self, name: str) -> dict[str, Any]:
        """The deployment once no execution works on it."""
        return watch_deployment(self.api, name, timeout_seconds=90, poll_seconds=0.2)

    def delete(self, name: str) -> dict[str, Any]:
        self.api.delete(name)
        return self.settled(name)

    def account(self) -> set[tuple[str, ...]]:
        """Everything a deployment can make; records that are kept on purpose are left out."""
        return {tuple(map(str, entry)) for entry in self.cloud.inventory() if not _is_record(entry)}


_RECORDS = {
    ("dynamodb", "item"),
    ("stepfunctions", "execution"),
    ("ses", "message"),
    ("s3", "object"),
}


def _is_record(entry: Any) -> bool:
    return tuple(entry[:2]) in _RECORDS


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Cloud(clock=Clock(CLOCK), state_folder=tmp_path_factory.mktemp("cloud")) as cloud:
        yield House(cloud)


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short rendered video that the detector was not trained on."""
    from shoal_detector.render import render_video

    path = tmp_path_factory.mktemp("videos") / "reef.mp4"
    render_video(path, seed=303, frames=60)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str], Any]:
    """Read a JSON file that a command saved."""
    return lambda name: json.loads((tmp_path / name).read_text())
