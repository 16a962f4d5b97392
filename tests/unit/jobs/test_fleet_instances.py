"""Instances: raised with the service in one step, reaped when they are empty, never one that has work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rest_world import World
from shoal import deployments, fleet, table
from shoal.aws import client
from shoal.fleet import instances, spending
from shoal.resources import scaling_activities


@dataclass
class Account:
    """An Auto Scaling group and its container instances; ``on_drain`` may do something in between."""

    maximum: int = 4
    desired: int = 0
    tasks: dict[str, int] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    refuses: str = ""
    lifecycle: str = "InService"
    exists: bool = True
    on_drain: Callable[[], None] = lambda: None
    calls: list[str] = field(default_factory=list)

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> dict[str, Any]:
        group = {
            "AutoScalingGroupARN": "arn", "MaxSize": self.maximum, "DesiredCapacity": self.desired,
            "Instances": [{"InstanceId": one, "LifecycleState": self.lifecycle} for one in self.tasks],
        }  # fmt: skip
        return {"AutoScalingGroups": [group] if self.exists else []}

    def set_desired_capacity(
        self, AutoScalingGroupName: str, DesiredCapacity: int, HonorCooldown: bool
    ) -> None:
        assert not HonorCooldown
        self._refuse("SetDesiredCapacity")
        self.desired = DesiredCapacity

    def terminate_instance_in_auto_scaling_group(
        self, InstanceId: str, ShouldDecrementDesiredCapacity: bool
    ) -> None:
        assert ShouldDecrementDesiredCapacity
        assert self.status[InstanceId] == "DRAINING"
        self._refuse("TerminateInstanceInAutoScalingGroup")
        del self.tasks[InstanceId]
        self.desired -= 1

    def get_paginator(self, name: str) -> Account:
        assert name == "list_container_instances"
        return self

    def paginate(self, cluster: str) -> Iterator[dict[str, Any]]:
        yield {"containerInstanceArns": list(self.tasks)}

    def describe_container_instances(self, cluster: str, containerInstances: list[str]) -> dict[str, Any]:
        found = [
            {
                "containerInstanceArn": one, "ec2InstanceId": one, "status": self.status.get(one, "ACTIVE"),
                "runningTasksCount": self.tasks[one], "pendingTasksCount": 0,
            }
            for one in containerInstances
        ]  # fmt: skip
        return {"containerInstances": found}

    def update_container_instances_state(
        self, cluster: str, containerInstances: list[str], status: str
    ) -> None:
        assert len(containerInstances) <= 10
        self.calls.append(f"{status} {len(containerInstances)}")
        self.status |= dict.fromkeys(containerInstances, status)
        if status == "DRAINING":
            self.on_drain()

    def _refuse(self, operation: str) -> None:
        self.calls.append(operation)
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses, "Message": ""}}, operation)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    for module in ("shoal.fleet.instances", "shoal.resources.auto_scaling_group"):
        monkeypatch.setattr(f"{module}.client", lambda service: made)
    return made


@pytest.mark.parametrize(
    ("desired", "workers", "expected"), [(0, 3, 3), (0, 9, 4), (2, 3, 3), (3, 2, 3), (3, 3, 3), (0, 0, 0)]
)
def test_the_group_is_raised_at_once_and_never_lowered(
    account: Account, desired: int, workers: int, expected: int
) -> None:
    account.desired = desired
    instances.raise_to("reef", workers, instances.group_of("reef"))
    assert account.desired == expected
    assert len(account.calls) == (expected != desired)


@pytest.mark.parametrize("change", [{"exists": False}, {"refuses": "ScalingActivityInProgress"}])
def test_a_group_that_cannot_be_raised_is_left_to_managed_scaling(
    account: Account, change: dict[str, Any]
) -> None:
    for name, value in change.items():
        setattr(account, name, value)
    instances.raise_to("reef", 3, instances.group_of("reef"))
    assert account.desired == 0


@pytest.mark.parametrize(
    ("tasks", "wanted", "left"),
    [
        ({"a": 0, "b": 0}, 0, []),
        ({"a": 1, "b": 0}, 1, ["a"]),
        ({"a": 0, "b": 0}, 1, ["b"]),
        ({"a": 0, "b": 0}, 2, ["a", "b"]),  # empty, but their tasks are on the way
        ({"a": 1, "b": 1}, 0, ["a", "b"]),  # their tasks are stopping
        ({str(n): 0 for n in range(23)}, 0, []),  # ten in one call
        ({}, 0, []),
    ],
)
def test_empty_instances_beyond_the_wanted_are_reaped(
    account: Account, tasks: dict[str, int], wanted: int, left: list[str]
) -> None:
    # Given
    account.tasks, account.desired = dict(tasks), len(tasks)
    # When
    gone = instances.reap("reef", wanted, lambda: wanted)
    # Then
    assert (list(account.tasks), account.desired, gone) == (left, len(left), len(tasks) - len(left))
    assert all(status == "DRAINING" or one in left for one, status in account.status.items())


def test_an_instance_that_got_a_task_while_it_was_drained_stays(account: Account) -> None:
    # Given
    account.tasks, account.desired = {"a": 0}, 1
    account.on_drain = lambda: account.tasks.update(a=1)
    # When
    gone = instances.reap("reef", 0, lambda: 0)
    # Then
    assert (gone, account.tasks, account.status) == (0, {"a": 1}, {"a": "ACTIVE"})


def test_a_fleet_that_was_woken_meanwhile_keeps_its_instances(account: Account) -> None:
    account.tasks, account.desired = {"a": 0, "b": 0}, 2
    gone = instances.reap("reef", 0, lambda: 1)
    assert (gone, len(account.tasks)) == (1, 1)
    assert [account.status[one] for one in account.tasks] == ["ACTIVE"]


@pytest.mark.parametrize(
    "change", [{"lifecycle": "Terminating:Wait"}, {"exists": False}, {"refuses": "ScalingActivityInProgress"}]
)
def test_an_instance_that_is_leaving_already_is_nobodys_business(
    account: Account, change: dict[str, Any]
) -> None:
    account.tasks, account.desired = {"a": 0}, 1
    for name, value in change.items():
        setattr(account, name, value)
    assert instances.reap("reef", 0, lambda: 0) == 0


def test_one_drained_by_a_pass_that_died_is_reaped_by_the_next(account: Account) -> None:
    account.tasks, account.desired, account.status = {"a": 0}, 1, {"a": "DRAINING"}
    assert instances.reap("reef", 0, lambda: 0) == 1
    assert account.calls == ["TerminateInstanceInAutoScalingGroup"]


def told(message: str, code: str = "Failed") -> dict[str, str]:
    return {"StatusCode": code, "StatusMessage": message}


CAPACITY = told(
    "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have enough "
    "g5.xlarge capacity in the Availability Zone you requested (us-west-2a). Launching EC2 instance failed."
)
QUOTA = told(
    "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than "
    "your current vCPU limit of 0 allows. Launching EC2 instance failed."
)
SPOT = told(
    "Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance count exceeded."
)


@pytest.mark.parametrize(
    ("activity", "advice"),
    [
        (CAPACITY, "another instance_type"),
        (QUOTA, "Service Quotas (Amazon EC2, Running On-Demand G and VT instances)"),
        (SPOT, "All G and VT Spot Instance Requests"),
        (told("Unsupported - Your requested instance type is not supported in us-west-2d."), "other subnets"),
        (told("Access denied - no such code"), ""),
        (told(""), ""),
    ],
)
def test_what_to_do_about_a_failed_activity_is_said(activity: dict[str, str], advice: str) -> None:
    said = scaling_activities.in_words(activity)
    assert said.startswith(activity["StatusMessage"] or "Failed")
    assert ("what to do" in said) is bool(advice)
    assert advice in said


@pytest.mark.parametrize(
    ("alive", "wanted", "activities", "says"),
    [
        (0, 2, [CAPACITY], "InsufficientInstanceCapacity"),
        (1, 2, [QUOTA, told("", "Successful")], "VcpuLimitExceeded"),
        (0, 2, [told("", "Successful"), CAPACITY], ""),  # it was so, and is over
        (2, 2, [CAPACITY], ""),  # it has what it wants
        (0, 2, [], ""),
        (0, 0, [CAPACITY], ""),  # nobody waits for it
    ],
)
def test_a_ready_fleet_says_why_it_gets_no_instance(
    world: World, monkeypatch: pytest.MonkeyPatch, alive: int, wanted: int,
    activities: list[dict[str, str]], says: str,
) -> None:  # fmt: skip
    # Given videos that wait, and a group that has not what it wants
    url = world.ready("reef", fleet_size=wanted or 1)
    for _ in range(wanted):
        client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    group = {
        "AutoScalingGroupName": "shoal-dev-reef", "DesiredCapacity": wanted, "MaxSize": 9,
        "Instances": [{"InstanceId": str(n), "LifecycleState": "Pending"} for n in range(alive)],
    }  # fmt: skip
    monkeypatch.setattr("shoal.fleet.instances.describe_group", lambda name: group)
    fake = SimpleNamespace(describe_scaling_activities=lambda **_: {"Activities": activities})
    monkeypatch.setattr("shoal.resources.scaling_activities.client", lambda service: fake)
    # When
    fleet.reconcile()
    fleet.reconcile()
    # Then
    reason = world.call("GET", "/deploy/reef").body["reason"]
    assert (says in reason) if says else reason == ""
    events = [one.status for one in deployments.events("reef") if one.actor == "fleet_reconciler"]
    assert events == (["WAITING"] if says else [])
    # And when the instance has come it is over
    activities.insert(0, told("", "Successful"))
    fleet.reconcile()
    assert world.call("GET", "/deploy/reef").body["reason"] == ""


@pytest.mark.parametrize(
    ("alive", "waiting", "serves", "idle"),
    [
        (2, 0, ("queue",), True),
        (2, 1, ("queue",), False),  # a video waits: whoever is there is wanted
        (0, 0, ("queue",), False),
        (1, 0, ("queue", "endpoint"), False),  # what the endpoint needs
        (2, 0, ("queue", "endpoint"), True),
    ],
)
def test_how_long_gpus_were_idle_is_measured(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture, alive: int, waiting: int, serves: tuple[str, ...], idle: bool,
) -> None:  # fmt: skip
    # Given instances that the passes find
    url = world.ready("reef", serves=serves)
    for _ in range(waiting):
        client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    group = {
        "AutoScalingGroupName": "shoal-dev-reef", "DesiredCapacity": 9, "MaxSize": 9,
        "Instances": [{"InstanceId": str(n), "LifecycleState": "Pending"} for n in range(alive)],
    }  # fmt: skip
    monkeypatch.setattr("shoal.fleet.instances.describe_group", lambda name: group)
    monkeypatch.setattr("shoal.fleet.reconciling.scaling_activities.obstacle", lambda name: "")
    fleet.reconcile()
    key = spending.key_of(deployments.get("reef"))
    known = table.read(key) or {}
    if known.get("idle_since"):
        since = datetime.fromisoformat(known["idle_since"]) - timedelta(minutes=7)
        table.write(table.update(key, {"idle_since": since.isoformat()}))
    capsys.readouterr()
    # When
    fleet.reconcile()
    # Then
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ((seconds,),) = [line["IdleGpuSeconds"] for line in lines if "IdleGpuSeconds" in line]
    idles = [one for one in caplog.records if one.message == "instances are idle"]
    assert (seconds > 360, [vars(one)["deployment"] for one in idles]) == (idle, ["reef"] if idle else [])
