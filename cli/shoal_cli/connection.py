"""Which cloud the command talks to: the embedded one while it runs, or a deployed stack.

Order: ``--stack`` or ``SHOAL_STACK`` (an AWS account), else the state file of ``shoal local up``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from shoal_cli.errors import NoCloud
from shoal_cli.processes import is_alive

STATE_FILE = Path(".shoal/local.json")


@dataclass(frozen=True)
class Connection:
    """Where the API is, whose credentials sign the calls, and what the stack put out."""

    api_url: str
    region: str
    outputs: dict[str, str]
    session: Any = field(repr=False)
    endpoint_url: str | None = None

    def client(self, service: str) -> Any:
        """A boto3 client of the same account."""
        return self.session.client(service, endpoint_url=self.endpoint_url)

    @property
    def data_bucket(self) -> str:
        return self.outputs["DataBucket"]

    @property
    def is_local(self) -> bool:
        return self.endpoint_url is not None


def connect(stack: str | None = None, state_file: Path = STATE_FILE) -> Connection:
    """The connection of this command.

    Raises:
        NoCloud: nothing to talk to; the message says how to start or name one.
    """
    name = stack or os.environ.get("SHOAL_STACK")
    return _from_stack(name) if name else _from_state_file(state_file)


def _from_state_file(path: Path) -> Connection:
    if not path.exists():
        raise NoCloud(
            "no embedded cloud is running here and no stack is named",
            "start one with `shoal local up`, or name your AWS stack with --stack or SHOAL_STACK",
        )
    state = json.loads(path.read_text())
    if not is_alive(int(state["pid"])):
        raise NoCloud("the embedded cloud of this folder has stopped", "start it again: `shoal local up`")
    session = boto3.Session(
        aws_access_key_id=state["access_key"],
        aws_secret_access_key=state["secret_key"],
        region_name=state["region"],
    )
    return Connection(state["api_url"], state["region"], state["outputs"], session, state["endpoint_url"])


def _from_stack(name: str) -> Connection:
    session = boto3.Session()
    try:
        stacks = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise NoCloud(
            f"the stack {name!r} could not be read: {error}", "check your AWS profile and region"
        ) from error
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stacks[0].get("Outputs", [])}
    if "ApiUrl" not in outputs:
        raise NoCloud(
            f"the stack {name!r} has no output ApiUrl", "deploy it first: sam deploy --config-env prod"
        )
    return Connection(outputs["ApiUrl"], str(session.region_name), outputs, session)
