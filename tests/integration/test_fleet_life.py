"""A service over its life: scaled, updated, moved; what its tasks are told; Fargate."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from fleet_world import Pond, World, eventually, get, running_world
from shoal_local.fleet.cloud import free_port

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


@pytest.fixture
def pond(world: World) -> Iterator[Pond]:
    pond = world.pond()
    yield pond
    pond.client("ecs").delete_service(cluster=pond.name, service=pond.name, force=True)


def environment_of(url: str) -> dict[str, str]:
    return dict(json.loads(get(f"{url}/env")[1]))


def served(pond: Pond, **more: Any) -> str:
    """An endpoint that answers; its URL."""
    port = free_port()
    group = pond.make_endpoint(port, "ip" if "launchType" in more else "instance")
    pond.make_service(pond.make_definition(fargate="launchType" in more), group, **more)
    eventually(lambda: pond.rollout() == "COMPLETED")
    return f"http://127.0.0.1:{port}"


def test_a_service_scales_from_zero_and_back(pond: Pond) -> None:
    # Given a queue's service with nothing to do
    pond.make_capacity()
    pond.make_service(pond.make_definition(), count=0)
    assert eventually(lambda: pond.rollout() == "COMPLETED")
    ecs, scaling = pond.client("ecs"), pond.client("autoscaling")
    # When it is woken
    ecs.update_service(cluster=pond.name, service=pond.name, desiredCount=3)
    # Then two tasks run, one per GPU, up to the group's maximum, and the third waits
    eventually(lambda: len(pond.running()) == 2)
    eventually(lambda: "insufficient GPU available" in pond.events())
    assert pond.service()["pendingCount"] == 1
    assert pond.rollout() == "COMPLETED"
    # When it is put to sleep
    ecs.update_service(cluster=pond.name, service=pond.name, desiredCount=0)
    # Then the tasks stop, and the empty instances go, protected from scale-in or not
    eventually(lambda: not pond.tasks())
    eventually(lambda: pond.scaling_group()["DesiredCapacity"] == 0)
    assert pond.scaling_group()["Instances"] == []
    eventually(lambda: not ecs.list_container_instances(cluster=pond.name)["containerInstanceArns"])
    activities = scaling.describe_scaling_activities(AutoScalingGroupName=pond.name)["Activities"]
    assert "Terminating EC2 instance" in activities[0]["Description"]


def test_an_endpoint_is_updated_without_a_gap(pond: Pond) -> None:
    # Given an endpoint that somebody uses all the time
    pond.make_capacity()
    url = served(pond)
    answers: list[int] = []
    done = threading.Event()

    def use() -> None:
        while not done.wait(0.02):
            answers.append(get(f"{url}/health")[0])

    user = threading.Thread(target=use)
    user.start()
    # When a new task definition is deployed
    second = pond.make_definition(SHOAL_REVISION="2")
    pond.client("ecs").update_service(cluster=pond.name, service=pond.name, taskDefinition=second)
    eventually(lambda: len(pond.service()["deployments"]) == 1 and pond.rollout() == "COMPLETED")
    done.set()
    user.join()
    # Then the new worker answers, and no request was lost
    assert environment_of(url)["SHOAL_REVISION"] == "2"
    assert set(answers) == {200}
    assert pond.service()["taskDefinition"] == second


def test_a_task_has_what_the_agent_gives(pond: Pond) -> None:
    # Given
    pond.make_capacity()
    url = served(pond)
    environment = environment_of(url)
    # When
    credentials = json.loads(get(environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"])[1])
    task = json.loads(get(f"{environment['ECS_CONTAINER_METADATA_URI_V4']}/task")[1])
    state = f"{environment['ECS_AGENT_URI']}/task-protection/v1/state"
    protect = urllib.request.Request(
        state,
        b'{"ProtectionEnabled": true, "ExpiresInMinutes": 5}',
        {"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(protect) as answer:
        protection = json.loads(answer.read())["protection"]
    # Then
    assert credentials["RoleArn"].endswith("role/task")
    assert credentials["AccessKeyId"]
    assert (task["ServiceName"], task["DesiredStatus"]) == (pond.name, "RUNNING")
    assert protection["ProtectionEnabled"]
    assert json.loads(get(state)[1])["protection"]["TaskArn"] == task["TaskARN"]
    assert get(environment["ECS_AGENT_URI"].rsplit("/", 1)[0] + "/guess/v4")[0] == 400
    assert "AWS_ACCESS_KEY_ID" not in environment
    # And a protected task outlives a scale-in
    ecs = pond.client("ecs")
    ecs.update_service(cluster=pond.name, service=pond.name, desiredCount=0)
    eventually(lambda: pond.service()["desiredCount"] == 0)
    assert get(f"{url}/health")[0] == 200
    assert [one["taskArn"] for one in pond.running()] == [task["TaskARN"]]
    arns = [task["TaskARN"]]
    ecs.update_task_protection(cluster=pond.name, tasks=arns, protectionEnabled=False)
    eventually(lambda: not pond.tasks())


def test_what_a_task_prints_reaches_its_log_group(pond: Pond) -> None:
    pond.make_capacity()
    pond.make_service(pond.make_definition())
    task = eventually(pond.running)[0]["taskArn"].rsplit("/", 1)[-1]
    logs = pond.client("logs")
    where = {"logGroupName": "workers", "logStreamName": f"w/worker/{task}"}
    eventually(
        lambda: logs.describe_log_streams(logGroupName="workers", logStreamNamePrefix=where["logStreamName"])[
            "logStreams"
        ]
    )
    printed = eventually(lambda: logs.get_log_events(**where)["events"])
    assert printed[0]["message"] == f"hello from {pond.name}"


def test_fargate_needs_no_instance(pond: Pond) -> None:
    # Given
    pond.client("ecs").create_cluster(clusterName=pond.name)
    network = {"awsvpcConfiguration": {"subnets": pond.world.subnets, "securityGroups": [pond.world.group]}}
    # When
    url = served(pond, launchType="FARGATE", networkConfiguration=network)
    # Then its target is an address with the container's own port
    target = pond.client("elbv2").describe_target_health(TargetGroupArn=pond.group)[
        "TargetHealthDescriptions"
    ][0]
    assert target["Target"]["Id"].startswith("10.")
    assert target["Target"]["Port"] == 8080
    assert get(f"{url}/health")[0] == 200
    assert environment_of(url)["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE"
    assert pond.running()[0]["launchType"] == "FARGATE"


def test_a_drained_instance_loses_its_tasks_to_another(pond: Pond) -> None:
    # Given
    pond.make_capacity()
    pond.make_service(pond.make_definition())
    first = eventually(pond.running)[0]
    ecs = pond.client("ecs")
    # When
    ecs.update_container_instances_state(
        cluster=pond.name, containerInstances=[first["containerInstanceArn"]], status="DRAINING"
    )
    # Then
    moved = eventually(lambda: [t for t in pond.running() if t["taskArn"] != first["taskArn"]])
    assert moved[0]["containerInstanceArn"] != first["containerInstanceArn"]


def test_a_terminated_instance_takes_its_task_along_and_is_replaced(pond: Pond) -> None:
    # Given
    pond.make_capacity()
    pond.make_service(pond.make_definition())
    first = eventually(pond.running)[0]
    instance = pond.scaling_group()["Instances"][0]["InstanceId"]
    # When
    pond.client("autoscaling").terminate_instance_in_auto_scaling_group(
        InstanceId=instance, ShouldDecrementDesiredCapacity=False
    )
    # Then
    eventually(lambda: [t for t in pond.running() if t["taskArn"] != first["taskArn"]])
    stopped = [task for task in pond.tasks("STOPPED") if task["taskArn"] == first["taskArn"]]
    assert "Host EC2" in stopped[0]["stoppedReason"]
