"""The embedded cloud as a person uses it: the API, S3, the mailbox, and the account seen from below."""

from __future__ import annotations

import time
from typing import Any

import boto3
import shoal_detector
from shoal_cli.api import Api
from shoal_cli.connection import Connection
from shoal_cli.jobs import SUBMITS
from shoal_cli.watch import watch_deployment
from shoal_local.cloud import Cloud

CLOCK = 60.0
MODEL = "drifters"
MACHINES = ("DeployStateMachine", "DeleteStateMachine")
SEED_BUCKETS = f"deepsea-ai-{Cloud.account}-models,deepsea-ai-{Cloud.account}-track-conf"


class House:
    """What a person has in hand: the API, S3, the mailbox, and the account seen from below."""

    def __init__(self, cloud: Cloud, patience: float = 240) -> None:
        """``patience``: seconds until a deployment that still works is an error."""
        self.cloud = cloud
        self.patience = patience
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

    def upload(self, path: Any, key: str) -> str:
        """A video that does not start by its upload: its submission follows. Answers the key."""
        self.connection.client("s3").upload_file(
            str(path), self.connection.data_bucket, key, ExtraArgs={"Metadata": SUBMITS}
        )
        return key

    def deploy(self, name: str, **fields: Any) -> dict[str, Any]:
        """POST /deploy and wait for the end, whatever it is."""
        body = {"name": name, "registered_model": MODEL, "serves": ["queue", "endpoint"], **fields}
        self.api.deploy(body)
        return self.settled(name)

    def settled(self, name: str) -> dict[str, Any]:
        """The deployment once no execution works on it; an execution's last step is a mail."""
        found = watch_deployment(self.api, name, timeout_seconds=self.patience, poll_seconds=0.2)
        deadline = time.monotonic() + self.patience
        while any(execution.startswith(f"{name}-") for execution in self._running()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is {found['status']}, but an execution still works on it")
            time.sleep(0.1)
        return found

    def _running(self) -> list[str]:
        client = self.connection.client("stepfunctions")
        machines = [self.connection.outputs[output] for output in MACHINES]
        pages = [client.list_executions(stateMachineArn=arn, statusFilter="RUNNING") for arn in machines]
        return [str(execution["name"]) for page in pages for execution in page["executions"]]

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
