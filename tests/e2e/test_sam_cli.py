"""The stock SAM CLI against the embedded cloud: validate, build, deploy, deploy again, delete."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parents[2]
SAM = ROOT / ".venv-sam" / "bin" / "sam"
PARTS = ("template.yaml", "samconfig.toml", "env", "statemachine", "functions", "layers")
STACK = "shoal-prod"

# A process of its own: one process holds one cloud, and other tests have theirs.
CLOUD = """
import json, sys, tempfile
from pathlib import Path
from shoal_local.cloud import Cloud
with Cloud(deploy=False, fleet=False, state_folder=Path(tempfile.mkdtemp())) as cloud:
    print(json.dumps(cloud.environment()), flush=True)
    sys.stdin.read()
"""

pytestmark = [
    pytest.mark.sam,
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.skipif(not SAM.exists(), reason="no SAM CLI here: run `make sam`"),
]

Sam = Callable[..., str]


@pytest.fixture(scope="module")
def cloud() -> Iterator[dict[str, str]]:
    """The AWS_* variables of an empty embedded cloud."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLOUD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, "the embedded cloud did not start: see its error above"
        yield json.loads(line)
    finally:
        process.stdin.close()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what SAM reads, so that nothing is built in the working tree."""
    folder = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=ignored)
        else:
            shutil.copy(source, folder / part)
    return folder


@pytest.fixture(scope="module")
def sam(project: Path, cloud: dict[str, str]) -> Sam:
    """Run one SAM command in the copy; its output, or a failure that shows it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHONPATH"))}
    environment |= cloud | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "1"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(SAM), *arguments], cwd=project, env=environment, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, (
            f"sam {' '.join(arguments)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        )
        return done.stdout + done.stderr

    return run


def client(cloud: dict[str, str], service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=cloud["AWS_ENDPOINT_URL"],
        region_name=cloud["AWS_REGION"],
        aws_access_key_id=cloud["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=cloud["AWS_SECRET_ACCESS_KEY"],
    )


def stack_of(cloud: dict[str, str]) -> dict[str, Any]:
    stacks: list[dict[str, Any]] = client(cloud, "cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return stacks[0]


def get(cloud: dict[str, str], path: str) -> requests.Response:
    """A signed GET on the deployed API."""
    up = requests.get(f"{cloud['AWS_ENDPOINT_URL']}/_shoal/health", timeout=10).json()
    request = AWSRequest("GET", up["api_url"] + path)
    keys = Credentials(cloud["AWS_ACCESS_KEY_ID"], cloud["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(keys, "execute-api", cloud["AWS_REGION"]).add_auth(request)
    return requests.get(request.url, headers=dict(request.headers), timeout=60)


def set_value(project: Path, name: str, value: str) -> None:
    """Edit ``env/prod.json`` as a person would, and let samconfig.toml follow."""
    file = project / "env" / "prod.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    subprocess.run([sys.executable, str(project / "env" / "samconfig.py")], check=True)


def retention(cloud: dict[str, str]) -> int:
    groups = client(cloud, "logs").describe_log_groups(logGroupNamePrefix="/shoal/prod/functions")[
        "logGroups"
    ]
    return int(groups[0]["retentionInDays"])


def test_build_deploy_change_and_delete(sam: Sam, project: Path, cloud: dict[str, str]) -> None:
    # Given a valid template, built with its libraries
    assert "is a valid SAM Template" in sam("validate")
    assert "Build Succeeded" in sam("build")

    # When it is deployed for prod
    first = sam("deploy", "--config-env", "prod")
    # Then every function runs what was built, behind an API that wants a signature
    assert "Successfully created/updated stack" in first
    assert stack_of(cloud)["StackStatus"] == "CREATE_COMPLETE"
    assert len(client(cloud, "lambda").list_functions()["Functions"]) == len(
        list((ROOT / "functions").iterdir())
    )
    answer = get(cloud, "/registry")
    assert answer.status_code == 200, answer.text
    assert retention(cloud) == 90

    # When a value is changed and it is deployed again
    set_value(project, "LogRetentionDays", "30")
    sam("deploy", "--config-env", "prod")
    # Then the same stack has it
    assert stack_of(cloud)["StackStatus"] == "UPDATE_COMPLETE"
    assert retention(cloud) == 30

    # When the stack is deleted
    sam("delete", "--config-env", "prod", "--no-prompts")
    # Then nothing that runs or costs is left
    with pytest.raises(client(cloud, "cloudformation").exceptions.ClientError, match="does not exist"):
        stack_of(cloud)
    assert client(cloud, "lambda").list_functions()["Functions"] == []
    assert client(cloud, "stepfunctions").list_state_machines()["stateMachines"] == []
    assert client(cloud, "elbv2").describe_load_balancers()["LoadBalancers"] == []
