"""An endpoint on EC2 comes up, answers through its load balancer, and goes without leaving anything."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fleet_world import World, eventually, get, running_world
from shoal_local.fleet.cloud import free_port


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as world:
        yield world


def test_an_endpoint_lives_and_goes(world: World) -> None:
    pond = world.pond()
    # Given a service behind a listener, on a group with no instance
    port = free_port()
    pond.make_capacity()
    group = pond.make_endpoint(port)
    url = f"http://127.0.0.1:{port}"
    assert eventually(lambda: get(url)[0]) == 503
    pond.make_service(pond.make_definition(), group)

    # When the fleet has done its work
    eventually(lambda: pond.rollout() == "COMPLETED")

    # Then a real process answers through the listener
    service = pond.service()
    assert (service["runningCount"], service["pendingCount"]) == (1, 0)
    assert pond.target_states(group) == ["healthy"]
    assert get(f"{url}/echo", b"abc" * 500_000) == (200, b"cba" * 500_000)
    environment = json.loads(get(f"{url}/env")[1])
    assert environment["AWS_ENDPOINT_URL"] == world.endpoint_url
    assert "has reached a steady state" in pond.events()
    assert pond.scaling_group()["DesiredCapacity"] == 1
    assert {role for role, _ in world.roles_asked} == {"execution", "instance"}

    # When it is deleted, listener first
    pond.client("elbv2").delete_listener(ListenerArn=pond.listener)
    pond.client("ecs").delete_service(cluster=pond.name, service=pond.name, force=True)
    eventually(lambda: pond.service()["status"] == "INACTIVE")

    # Then the port is closed and no task is left
    assert eventually(lambda: get(url)[0] == 0)
    assert pond.tasks() == []
    pond.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=pond.name, ForceDelete=True)
    ecs = pond.client("ecs")
    eventually(lambda: not ecs.list_container_instances(cluster=pond.name)["containerInstanceArns"])
