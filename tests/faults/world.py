"""One warm world: an account with a network, a balancer, tables, both machines and a READY neighbour."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import MagicMock

import pytest
from faults import kinds, machines
from faults.clock import VirtualClock, virtual_time
from faults.fleet import Fleet
from faults.injector import Call, Injector, injecting
from faults.kinds import FunctionDied
from faults.lean import lean
from faults.machines import ExecutionDied, Machines
from faults.watch import Watch
from rest_world import CONTEXT, ROOT, Reply, event, load_app, reply
from shoal_local.names import backend

FUNCTIONS = ROOT / "functions"
REGION, ACCOUNT = "us-west-2", "123456789012"
MODEL = "s3://shoal-data/models/reef.onnx"
NEIGHBOUR = "neighbour"
PASSING_READS = 2
"""How many reads still show a passing state (DRAINING and the like)."""
_REASONS = frozenset({"reason", "outcome_reason"})
"""Texts on which nothing is decided: no mark shows them."""
SERVICES = (
    "autoscaling", "dynamodb", "ec2", "ecs", "elbv2", "events", "iam", "logs", "s3", "sesv2", "sqs", "ssm",
    "stepfunctions", "cloudwatch", "resourcegroupstaggingapi",
)  # fmt: skip


@dataclass
class World:
    injector: Injector
    clock: VirtualClock
    machines: Machines
    fleet: Fleet
    watch: Watch

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """A request to the real REST function; a function that died is API Gateway's 502."""
        raw = event(method, path, body)
        raw["headers"] |= headers or {}
        try:
            return reply(load_app(_function(method, path)).lambda_handler(raw, CONTEXT))
        except (FunctionDied, ExecutionDied):
            return Reply(502, {}, {"title": "the function died"})

    def ask(self, method: str, path: str, body: Any = None) -> Reply:
        """The same as a patient client does it: again after a 5xx, a few times; then all executions run."""
        answer = Reply(500, {}, {})
        for _ in range(4):
            answer = self.request(method, path, body)
            if answer.status < 500:
                break
            self.clock.sleep(1)
        self.machines.run()
        return answer

    def recover(self) -> None:
        """The pass of every five minutes, as often as an hour has it; the reconciler's of what is stopped."""
        for _ in range(12):
            self.clock.sleep(300)
            self.machines.invoke("recovery", {"source": "aws.scheduler"})
            self.reconcile()
            if not self.machines.queue:
                return
            self.machines.run()

    def reconcile(self, passes: int = 4) -> None:
        """The reconciler's passes over every deployment that is stopped: one that lives follows its queue."""
        for _ in range(passes):
            for name in _halted():
                cluster = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/shoal-dev-{name}"
                self._told("fleet_reconciler", {"detail": {"clusterArn": cluster}})
            self.clock.wait(60)

    def _told(self, function: str, event: dict[str, Any]) -> None:
        """An event that nobody waits for: a function that dies is told of the next one."""
        try:
            self.machines.invoke(function, event)
        except ExecutionDied:
            return

    def settle(self) -> None:
        """Let passing states pass, so that a later look changes nothing."""
        from shoal.aws import client

        for _ in range(PASSING_READS + 2):
            client("ecs").describe_clusters(clusters=["none"])
            client("ecs").describe_capacity_providers()
            client("autoscaling").describe_auto_scaling_groups()


def _seen(watch: Watch, call: Call) -> None:
    (watch.read if kinds.is_read(call.name.partition(".")[2]) else watch.changed)(call.service)


def _halted() -> list[str]:
    """The deployments that are stopped, read below the faults."""
    found = backend("dynamodb").tables["deployments"].items
    states = {
        hashed.value: one for hashed, ranged in found.items() for one in ranged.values() if _is_halted(one)
    }
    return sorted(name.removeprefix("DEPLOYMENT#") for name in states)


def _is_halted(item: Any) -> bool:
    status = item.attrs.get("status")
    return item.range_key.value == "STATE" and status.value in {"STOPPING", "STOPPED"}


def _function(method: str, path: str) -> str:
    """Which function API Gateway hands a request to."""
    changes = method == "PUT" or path.rsplit("/", 1)[-1] in {"rollback", "stop", "start"}
    return "change_api" if changes else "deploy_api"


def specification(name: str = "benthic", **more: Any) -> dict[str, Any]:
    """A deployment that has one of everything."""
    body = {
        "name": name, "model_location": MODEL, "serves": ["queue", "endpoint"], "compute": "ec2-gpu",
        "notify": ["scientist@example.org"],
    }  # fmt: skip
    return body | more


@contextmanager
def world() -> Iterator[World]:
    """The account with everything in force; moto is stock again after it."""
    from aws_lambda_powertools import metrics
    from moto import mock_aws
    from shoal.aws import client
    from shoal.settings import settings
    from shoal_local import quick, strict

    injector = Injector()
    for folder in sorted(FUNCTIONS.iterdir()):
        load_app(folder.name)
    with pytest.MonkeyPatch.context() as patched:
        _environment(patched, _KEYS)
        # a metric is a line on stdout, which Powertools' switches do not silence
        patched.setattr(metrics, "single_metric", MagicMock())
        lean(patched)
        with (
            mock_aws(config={"stepfunctions": {"execute_state_machine": True}}),
            strict.installed(PASSING_READS),
            virtual_time() as clock,
            quick.installed(),
            machines.synchronous(injector, clock) as made,
            injecting(injector),
        ):
            client.cache_clear()
            settings.cache_clear()
            for service in SERVICES:
                client(service)
            client("ecs", attempts=1)
            _environment(patched, _furnish())
            settings.cache_clear()
            watch = Watch(_REASONS)
            injector.reached = functools.partial(_seen, watch)
            built = World(injector, clock, made, Fleet(watch=watch), watch)
            clock.ticked = built.fleet.tick
            injector.now = lambda: clock.passed
            answer = built.ask("POST", "/deploy", specification(NEIGHBOUR))
            if answer.status != 202:
                raise AssertionError(f"the neighbour was not deployed: {answer.body}")
            built.settle()
            yield built
    client.cache_clear()
    settings.cache_clear()


_KEYS = {
    "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "AWS_MAX_ATTEMPTS": "3",
}  # fmt: skip


def _environment(patched: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for key, value in variables.items():
        patched.setenv(key, value)


def _furnish() -> dict[str, str]:
    from networks import network
    from shoal.aws import client

    s3 = client("s3")
    s3.create_bucket(Bucket="shoal-data", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="shoal-data", Key="models/reef.onnx", Body=b"x")
    client("sesv2").create_email_identity(EmailIdentity="shoal@example.org")
    _tables()
    roles = f"arn:aws:iam::{ACCOUNT}:role"
    return {
        "SHOAL_ENVIRONMENT": "dev",
        "DEPLOYMENTS_TABLE": "deployments",
        "REGISTRY_TABLE": "registry",
        "DATA_BUCKET": "shoal-data",
        "DEPLOY_STATE_MACHINE": machines.create("deploy"),
        "DELETE_STATE_MACHINE": machines.create("delete"),
        "PORT_RANGE": "5001-5050",
        "TASK_ROLE_ARN": f"{roles}/task",
        "EXECUTION_ROLE_ARN": f"{roles}/execution",
        "WORKER_IMAGE": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shoal-worker:1",
        "SENDER_ADDRESS": "shoal@example.org",
        "OPERATOR_ADDRESSES": "operator@example.org",
        "BASE_DOMAIN": "models.example.org",
        **network(_certificate()),
        **_instances(),
    }


def _certificate() -> str:
    from shoal.aws import client

    return str(client("acm").request_certificate(DomainName="*.models.example.org")["CertificateArn"])


def _instances() -> dict[str, str]:
    from shoal.aws import client

    profile = client("iam").create_instance_profile(InstanceProfileName="instances")
    image = client("ec2").register_image(Name="ecs-gpu", RootDeviceName="/dev/xvda")["ImageId"]
    client("ssm").put_parameter(Name="/test/gpu", Type="String", Value=json.dumps({"image_id": image}))
    arn = str(profile["InstanceProfile"]["Arn"])
    return {"INSTANCE_PROFILE_ARN": arn, "GPU_AMI_PARAMETER": "/test/gpu"}


def _tables() -> None:
    from rest_world import _make_tables

    _make_tables()


def workers() -> int:
    """How many cases run at once."""
    return int(os.environ.get("JOBS") or os.cpu_count() or 1)
