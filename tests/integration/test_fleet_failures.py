"""What goes wrong in a fleet, and what it says then."""

from __future__ import annotations

import itertools
import os
import signal
import socket
from collections.abc import Iterator

import pytest
from fleet_world import SPEED, Pond, World, eventually, get, pids, running_world
from shoal_local.fleet.cloud import free_port

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


@pytest.fixture
def pond(world: World) -> Iterator[Pond]:
    yield world.pond()
    world.faults.clear()


def test_a_worker_that_crashes_fails_its_deployment_with_the_reason(pond: Pond) -> None:
    # Given
    pond.make_capacity()
    pond.make_service(pond.make_definition(FAKE_EXIT="3"))
    # When
    eventually(lambda: pond.rollout() == "FAILED")
    # Then
    deployment = pond.service()["deployments"][0]
    assert deployment["failedTasks"] == 3
    assert deployment["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    stopped = pond.tasks("STOPPED")
    assert {task["stopCode"] for task in stopped} == {"EssentialContainerExited"}
    assert {task["containers"][0]["exitCode"] for task in stopped} == {3}
    assert "unable to consistently start tasks" in pond.events()
    assert "deployment failed: tasks failed to start" in pond.events()
    # And nothing is started any more
    count = len(stopped)
    eventually(lambda: not pond.tasks("RUNNING"))
    assert len(pond.tasks("STOPPED")) == count


def test_a_fault_on_request_crashes_a_good_worker(pond: Pond) -> None:
    pond.make_capacity()
    pond.world.faults.set(pond.name, "crash")
    pond.make_service(pond.make_definition())
    eventually(lambda: pond.rollout() == "FAILED")
    assert {task["containers"][0]["exitCode"] for task in pond.tasks("STOPPED")} == {1}


@pytest.mark.parametrize("injected", [False, True], ids=["really unhealthy", "injected"])
def test_a_worker_that_is_never_healthy_fails_its_deployment(pond: Pond, injected: bool) -> None:
    pond.make_capacity()
    group = pond.make_endpoint(free_port())
    if injected:
        pond.world.faults.set(pond.name, "unhealthy")
    definition = pond.make_definition(FAKE_HEALTH="200" if injected else "500")
    pond.make_service(definition, group, healthCheckGracePeriodSeconds=1)
    eventually(lambda: pond.rollout() == "FAILED")
    text = "failed container health checks" if injected else "Health checks failed with these codes: [500]"
    assert text in pond.events()


def test_no_capacity_shows_in_the_scaling_activities(pond: Pond) -> None:
    # Given
    pond.world.faults.set(pond.name, "capacity")
    pond.make_capacity()
    pond.make_service(pond.make_definition())
    scaling = pond.client("autoscaling")
    # When
    activities = eventually(
        lambda: scaling.describe_scaling_activities(AutoScalingGroupName=pond.name)["Activities"]
    )
    # Then
    assert activities[0]["StatusCode"] == "Failed"
    assert "InsufficientInstanceCapacity" in activities[0]["StatusMessage"]
    assert "g5.xlarge" in activities[0]["StatusMessage"]
    eventually(lambda: "No Container Instances were found" in pond.events())
    # When capacity returns
    pond.world.faults.clear()
    # Then the waiting task runs
    eventually(pond.running)
    assert pond.scaling_group()["Instances"][0]["ProtectedFromScaleIn"]


def test_an_instance_joins_the_cluster_that_its_user_data_names(pond: Pond) -> None:
    # Given
    pond.make_capacity(joins="elsewhere")
    ecs = pond.client("ecs")
    ecs.create_cluster(clusterName="elsewhere")
    # When
    pond.make_service(pond.make_definition())
    # Then
    eventually(lambda: ecs.list_container_instances(cluster="elsewhere")["containerInstanceArns"])
    assert ecs.list_container_instances(cluster=pond.name)["containerInstanceArns"] == []
    assert pond.rollout() == "IN_PROGRESS"


def test_a_root_volume_below_the_snapshot_never_launches(pond: Pond) -> None:
    # Given
    pond.make_capacity()
    ec2 = pond.client("ec2")
    data = {
        "ImageId": "ami-12345678", "InstanceType": "g5.xlarge",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 10}}],
    }  # fmt: skip
    small = ec2.create_launch_template(LaunchTemplateName=f"small-{pond.name}", LaunchTemplateData=data)[
        "LaunchTemplate"
    ]
    scaling = pond.client("autoscaling")
    # When
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="small", MinSize=0, MaxSize=1, DesiredCapacity=1,
        LaunchTemplate={"LaunchTemplateId": small["LaunchTemplateId"], "Version": "1"},
        VPCZoneIdentifier=pond.world.subnets[0],
    )  # fmt: skip
    # Then
    activity = scaling.describe_scaling_activities(AutoScalingGroupName="small")["Activities"][0]
    assert "10GB is smaller than snapshot" in activity["StatusMessage"]
    assert pond.scaling_group("small")["Instances"] == []


def test_a_killed_worker_is_replaced(pond: Pond) -> None:
    # Given
    pond.make_capacity()
    port = free_port()
    group = pond.make_endpoint(port)
    pond.make_service(pond.make_definition(), group)
    eventually(lambda: pond.rollout() == "COMPLETED")
    first = pond.tasks()[0]["taskArn"]
    # When
    for pid in pids(f"SHOAL_DEPLOYMENT={pond.name}"):
        os.kill(pid, signal.SIGKILL)
    # Then
    eventually(lambda: [t for t in pond.tasks() if t["taskArn"] != first and t["lastStatus"] == "RUNNING"])
    eventually(lambda: get(f"http://127.0.0.1:{port}/")[0] == 200)
    assert pond.rollout() == "COMPLETED"
    assert eventually(lambda: pond.target_states(group).count("healthy") == 1)


def test_a_stubborn_worker_and_its_children_are_killed(pond: Pond) -> None:
    # Given
    pond.make_capacity()
    pond.make_service(pond.make_definition(FAKE_STUBBORN="1", FAKE_CHILD="1"))
    eventually(pond.running)
    needle = f"SHOAL_DEPLOYMENT={pond.name}"
    eventually(lambda: len(pids(needle)) == 2)
    # When
    pond.client("ecs").delete_service(cluster=pond.name, service=pond.name, force=True)
    # Then SIGKILL follows SIGTERM after the stop timeout of 5 s
    eventually(lambda: pond.service()["status"] == "INACTIVE")
    assert pids(needle) == []
    assert pond.tasks("STOPPED")[0]["containers"][0]["exitCode"] == 137


def test_a_log_group_that_is_missing_keeps_the_task_from_starting(pond: Pond) -> None:
    pond.make_capacity()
    pond.make_service(pond.make_definition(log_group="nowhere"))
    eventually(lambda: pond.rollout() == "FAILED")
    assert "ResourceInitializationError" in pond.tasks("STOPPED")[0]["stoppedReason"]


def test_a_worker_that_ends_well_is_started_more_and_more_seldom(pond: Pond) -> None:
    # Given a worker that has nothing to do
    pond.make_capacity()
    pond.make_service(pond.make_definition(FAKE_EXIT="0"))
    # When it has ended four times
    eventually(lambda: len(pond.tasks("STOPPED")) >= 4)
    # Then the pauses have grown, and nothing has failed
    made = sorted(task["createdAt"] for task in pond.tasks("STOPPED"))
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(made)]
    assert gaps[2] > 4 / SPEED
    assert (pond.rollout(), pond.service()["deployments"][0]["failedTasks"]) == ("IN_PROGRESS", 0)


def test_a_bad_update_rolls_back_where_it_was_asked_to(pond: Pond) -> None:
    # Given a good deployment
    pond.make_capacity()
    group = pond.make_endpoint(free_port())
    first = pond.make_definition()
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    pond.make_service(first, group, deploymentConfiguration=breaker)
    eventually(lambda: pond.rollout() == "COMPLETED")
    # When a bad one follows
    bad = pond.make_definition(FAKE_EXIT="1")
    pond.client("ecs").update_service(cluster=pond.name, service=pond.name, taskDefinition=bad)
    # Then the good one is back, and has never stopped answering
    eventually(lambda: "rolling back" in pond.events())
    eventually(lambda: pond.rollout() == "COMPLETED" and len(pond.service()["deployments"]) == 1)
    assert pond.service()["taskDefinition"] == first
    assert pond.target_states(group).count("healthy") == 1


def test_a_listener_whose_port_is_taken_says_so(pond: Pond, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        pond.make_endpoint(port)
        problem = eventually(lambda: pond.world.fleet.balancer.problems.get(pond.listener))
    assert f"port {port} does not answer here: Address already in use" in problem
    assert caplog.text.count(str(port)) == 1
