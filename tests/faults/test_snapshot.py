"""The snapshot sees whatever is left or changed, and lets pass only what its one list names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from faults import snapshot
from faults.forks import forked
from faults.world import World
from shoal.aws import client
from shoal.settings import settings
from shoal_local.names import backend


def _queue() -> None:
    client("sqs").create_queue(QueueName="shoal-dev-benthic-jobs")


def _retention() -> None:
    client("logs").put_retention_policy(logGroupName="shoal-dev-neighbour", retentionInDays=3)


def _listener() -> None:
    group = backend("elbv2").target_groups
    client("elbv2").create_listener(
        LoadBalancerArn=settings().load_balancer_arn,
        Protocol="HTTP",
        Port=5009,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": next(iter(group))}],
    )


def _claim() -> None:
    key = {"pk": {"S": "PORT#x"}, "sk": {"S": "5001"}, "owner": {"S": "benthic"}}
    client("dynamodb").put_item(TableName="deployments", Item=key)


def _ledger() -> None:
    key = {"pk": {"S": "DEPLOYMENT#benthic"}, "sk": {"S": "RESOURCE#010#queue"}}
    client("dynamodb").put_item(TableName="deployments", Item=key)


def _definition() -> None:
    container = {"name": "worker", "image": "worker", "memory": 512}
    made = client("ecs").register_task_definition(
        family="shoal-dev-benthic", containerDefinitions=[container]
    )
    client("ecs").deregister_task_definition(taskDefinition=made["taskDefinition"]["taskDefinitionArn"])


def _neighbours_listener() -> None:
    found = client("elbv2").describe_listeners(LoadBalancerArn=settings().load_balancer_arn)["Listeners"]
    client("elbv2").delete_listener(ListenerArn=found[0]["ListenerArn"])


def _event() -> None:
    key = {"pk": {"S": "DEPLOYMENT#benthic"}, "sk": {"S": "EVENT#2026"}}
    client("dynamodb").put_item(TableName="deployments", Item=key)


def _foreign_event() -> None:
    key = {"pk": {"S": "DEPLOYMENT#neighbour"}, "sk": {"S": "EVENT#2026"}}
    client("dynamodb").put_item(TableName="deployments", Item=key)


def _old_cluster() -> None:
    client("ecs").create_cluster(clusterName="shoal-dev-benthic")
    client("ecs").delete_cluster(cluster="shoal-dev-benthic")


def _nothing() -> None:
    client("ecs").list_clusters()


@pytest.mark.parametrize(
    ("does", "told"),
    [
        (_nothing, ""),
        (_event, ""),
        (_old_cluster, ""),
        (_queue, "leaked: sqs/queues"),
        (_retention, "changed"),
        (_listener, "leaked: elbv2/load_balancers"),
        (_claim, "leaked: dynamodb"),
        (_ledger, "leaked: dynamodb"),
        (_definition, "leaked: ecs/task_definitions"),
        (_neighbours_listener, "lost: elbv2/load_balancers"),
        (_foreign_event, "leaked: dynamodb"),
    ],
)
def test_a_difference_is_told(warm: World, does: Callable[[], None], told: str) -> None:
    def case() -> list[str]:
        before = snapshot.take()
        does()
        return snapshot.difference(before, snapshot.take(), "benthic")

    found = forked(case)
    assert bool(found) == bool(told), found
    assert not told or any(line.startswith(told) for line in found), found


def test_accounts_that_differ_only_in_random_ids_and_times_are_the_same(warm: World) -> None:
    def case(wait: int) -> tuple[str, str]:
        warm.clock.sleep(wait)
        queue = client("sqs").create_queue(QueueName="reef")["QueueUrl"]
        client("ec2").create_vpc(CidrBlock="10.1.0.0/16")
        first = snapshot.canonical(snapshot.take())
        client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "7"})
        return first, snapshot.canonical(snapshot.take())

    first, second = forked(lambda: case(0)), forked(lambda: case(1000))
    assert first == second
    assert first[0] != first[1]
