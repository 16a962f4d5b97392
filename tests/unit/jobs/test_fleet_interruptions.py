"""AWS takes a Spot instance back: its worker is stopped at once, and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from rest_world import World
from shoal import deployments, fleet, table
from shoal.fleet import interruptions

MINE, OTHER = "i-mine", "i-other"


def notice(instance: str, kind: str = "EC2 Spot Instance Interruption Warning") -> dict[str, Any]:
    detail = {"instance-id": instance, "instance-action": "terminate"}
    return {"source": "aws.ec2", "detail-type": kind, "detail": detail}


@dataclass
class Account:
    """A group with two instances, a task on each."""

    status: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> dict[str, Any]:
        instances = [{"InstanceId": one, "LifecycleState": "InService"} for one in (MINE, OTHER)]
        return {"AutoScalingGroups": [{"Instances": instances, "DesiredCapacity": 2, "MaxSize": 2}]}

    def get_paginator(self, name: str) -> Account:
        assert name == "list_container_instances"
        return self

    def paginate(self, cluster: str) -> list[dict[str, Any]]:
        return [{"containerInstanceArns": [f"arn-{MINE}", f"arn-{OTHER}"]}]

    def describe_container_instances(self, cluster: str, containerInstances: list[str]) -> dict[str, Any]:
        return {
            "containerInstances": [
                {
                    "containerInstanceArn": arn, "ec2InstanceId": arn.removeprefix("arn-"),
                    "status": self.status.get(arn, "ACTIVE"), "runningTasksCount": 1, "pendingTasksCount": 0,
                }
                for arn in containerInstances
            ]
        }  # fmt: skip

    def update_container_instances_state(
        self, cluster: str, containerInstances: list[str], status: str
    ) -> None:
        self.status |= dict.fromkeys(containerInstances, status)

    def list_tasks(self, cluster: str, containerInstance: str) -> dict[str, Any]:
        return {"taskArns": [f"task-on-{containerInstance}"]}

    def stop_task(self, cluster: str, task: str, reason: str) -> None:
        assert "another worker goes on" in reason
        self.stopped.append(task)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    for module in ("fleet.instances", "fleet.interruptions", "resources.auto_scaling_group"):
        monkeypatch.setattr(f"shoal.{module}.client", lambda name: made)
    return made


def on_spot(world: World, spot: bool) -> None:
    world.ready("reef")
    spec = deployments.get("reef").spec.model_copy(update={"spot": spot})
    table.write(table.update(table.state_key("reef"), {"spec": spec.model_dump_json()}))


@pytest.mark.parametrize(
    ("spot", "instance", "stopped"),
    [(True, MINE, [f"task-on-arn-{MINE}"]), (True, "i-unknown", []), (False, MINE, [])],
    ids=["taken back", "of somebody else", "not on Spot"],
)
def test_the_worker_of_an_instance_that_is_taken_back_is_stopped(
    world: World, account: Account, spot: bool, instance: str, stopped: list[str]
) -> None:
    # Given
    on_spot(world, spot)
    # When
    found = interruptions.give_back(interruptions.instance_of(notice(instance)), [deployments.get("reef")])
    # Then it is drained first, and the other one goes on
    assert (account.stopped, found) == (stopped, len(stopped))
    assert account.status == ({f"arn-{MINE}": "DRAINING"} if stopped else {})


@pytest.mark.parametrize("event", [None, "text", {}, notice(MINE, "EC2 Instance State-change Notification")])
def test_other_events_take_nothing_back(event: object) -> None:
    assert interruptions.instance_of(event) == ""


def test_the_reconciler_hears_the_notice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    on_spot(world, spot=True)
    heard = list[str]()
    monkeypatch.setattr(
        interruptions, "give_back", lambda instance, live: heard.append(instance + next(iter(live)).name)
    )
    # When
    fleet.reconcile(notice(MINE))
    # Then
    assert heard == [f"{MINE}reef"]
