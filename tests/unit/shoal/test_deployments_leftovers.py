"""What a teardown leaves is listed with its reason, its cost and what to do; what only tags show is found."""

from __future__ import annotations

from collections.abc import Iterator

import deployment_flow as flow
import pytest
from shoal.aws import client
from shoal.contracts.leftover import cost_in_words, total
from shoal.deployments import ledger, prices, store
from shoal.resources import tagged
from shoal.resources.kind import upper_tags
from shoal_local import strict

TAGS = {"shoal:managed-by": "shoal", "shoal:environment": "dev", "shoal:deployment": "benthic"}


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str]) -> Iterator[None]:
    with strict.installed():
        yield


def deleting(serves: str = "queue,endpoint", **fields: object) -> flow.Payload:
    """A deployment that was made, and is DELETING now."""
    spec = flow.spec_of(serves, **fields)
    payload = flow.begin(spec)
    flow.make(spec, payload)
    return payload | {"generation": store.begin_deletion("benthic", "tests")}


def passes(payload: flow.Payload, count: int) -> None:
    for _ in range(count):
        flow.handler("deletion")(payload, None)


@pytest.mark.parametrize("gone", [True, False])
def test_a_line_that_another_pass_struck_out_stays_away(gone: bool) -> None:
    # Given two passes that read the same line, of which one strikes it out
    payload = deleting("queue")
    entry = ledger.entries("benthic")[0].model_copy(update={"gone": not gone})
    ledger.remove("benthic", payload["generation"], entry)
    # When the slower one notes what it saw
    ledger.mark_gone("benthic", payload["generation"], entry, gone)
    # Then
    assert entry.kind not in [one.kind for one in ledger.entries("benthic")]


def test_a_refusal_is_left_with_its_reason_its_cost_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    payload = deleting()
    group = client("autoscaling")
    group.set_desired_capacity(AutoScalingGroupName="shoal-dev-benthic", DesiredCapacity=1)
    flow.Fault("DeleteAutoScalingGroup", "before", times=100).install(monkeypatch)
    # When
    passes(payload, 12)
    flow.become(payload, "DELETE_INCOMPLETE", reason="the passes are used up")
    # Then
    found = store.get("benthic")
    left = {one.kind: one for one in found.leftovers}
    kept = {"auto_scaling_group", "launch_template", "launch_template_version", "cluster", "instance"}
    assert kept == set(left)
    assert "AccessDenied" in left["auto_scaling_group"].reason
    assert left["auto_scaling_group"].advice.startswith(
        "grant what the reason names, then shoal delete benthic"
    )
    assert "--auto-scaling-group-name shoal-dev-benthic" in left["auto_scaling_group"].advice
    assert left["launch_template"].reason == "waits for auto_scaling_group"
    assert (left["instance"].usd_per_hour, left["cluster"].usd_per_hour) == (1.006, 0.0)
    assert left["instance"].advice.endswith(
        f"aws ec2 terminate-instances --instance-ids {left['instance'].name}"
    )
    assert "left, for 1.006 USD an hour: auto_scaling_group shoal-dev-benthic" in found.reason
    assert found.reason.startswith("the passes are used up")


def test_deleting_again_goes_on_and_leaves_no_leftovers(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    before = flow.resources()
    payload = deleting()
    flow.Fault("DeleteTargetGroup", "before", times=12).install(monkeypatch)
    passes(payload, 12)
    flow.become(payload, "DELETE_INCOMPLETE")
    assert [one.kind for one in store.get("benthic").leftovers] == ["target_group"]
    # When
    payload["generation"] = store.begin_deletion("benthic", "tests")
    flow.remove(payload)
    flow.become(payload, "DELETED")
    # Then
    assert store.get("benthic").leftovers == []
    assert flow.resources() == before


def test_a_teardown_without_a_single_whole_pass_lists_the_ledger() -> None:
    # Given
    payload = deleting("queue")
    # When
    flow.become(payload, "DELETE_INCOMPLETE")
    # Then
    left = store.get("benthic").leftovers
    assert [one.kind for one in left] == [entry.kind for entry in ledger.entries("benthic")]
    assert {one.reason for one in left} == {
        "no pass of the teardown ended: nobody knows whether it is still there"
    }


def test_instances_that_cannot_be_looked_for_are_left_at_unknown_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given
    payload = deleting("queue")
    flow.Fault("DescribeInstances", "before").install(monkeypatch)
    # When
    passes(payload, 1)
    # Then
    (left,) = [one for one in store.get("benthic").leftovers if one.kind == "instances"]
    assert left.usd_per_hour is None
    assert "AccessDenied" in left.reason


def test_nothing_is_written_where_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    payload = deleting("queue")
    flow.Fault("DeleteService", "before", times=100).install(monkeypatch)
    passes(payload, 4)
    written = store.get("benthic").updated_at
    # When
    passes(payload, 1)
    # Then
    assert store.get("benthic").updated_at == written


STRAYS = ["target_group", "queue", "log_group", "task_definition", "cluster", "volume"]


def make_stray(kind: str) -> None:
    """One with our tags under a name that no kind would look for."""
    name = "shoal-dev-benthic-old"
    ecs_tags = [{"key": key, "value": value} for key, value in TAGS.items()]
    if kind == "target_group":
        client("elbv2").create_target_group(Name=name, TargetType="lambda", Tags=upper_tags(TAGS))
    elif kind == "queue":
        client("sqs").create_queue(QueueName=name, tags=TAGS)
    elif kind == "log_group":
        client("logs").create_log_group(logGroupName=name, tags=TAGS)
    elif kind == "task_definition":
        container = {"name": "worker", "image": "worker", "memory": 512}
        client("ecs").register_task_definition(family=name, containerDefinitions=[container], tags=ecs_tags)
    elif kind == "cluster":
        client("ecs").create_cluster(clusterName=name, tags=ecs_tags)
    else:
        specification = [{"ResourceType": "volume", "Tags": upper_tags(TAGS)}]
        client("ec2").create_volume(
            AvailabilityZone="us-west-2a", Size=100, VolumeType="gp3", TagSpecifications=specification
        )


@pytest.mark.parametrize("kind", STRAYS)
def test_what_only_its_tags_show_is_removed_too(kind: str) -> None:
    # Given
    before = flow.resources()
    payload = deleting("queue")
    make_stray(kind)
    # When
    flow.remove(payload)
    # Then
    assert flow.resources() == before


def test_more_than_a_page_of_strays_is_removed() -> None:
    # Given
    before = flow.resources()
    payload = flow.begin(flow.spec_of("queue"))
    for number in range(40):
        client("sqs").create_queue(QueueName=f"stray-{number}", tags=TAGS)
    payload["generation"] = store.begin_deletion("benthic", "tests")
    # When
    flow.remove(payload)
    # Then: and what the embedded cloud remembers of the pages is no resource
    assert flow.resources() == before


def test_what_no_kind_knows_is_reported_and_not_touched() -> None:
    # Given
    payload = deleting("queue")
    client("sns").create_topic(Name="strange", Tags=upper_tags(TAGS))
    # When
    passes(payload, 12)
    answer = flow.handler("deletion")(payload, None)
    # Then
    assert answer["waiting"] == [
        "sns strange: only its tags say that it is ours: look at it, and remove it by hand"
    ]
    (left,) = store.get("benthic").leftovers
    assert (left.kind, left.arn.rsplit(":", 1)[-1]) == ("sns", "strange")
    assert len(client("sns").list_topics()["Topics"]) == 1


def test_another_deployments_resources_are_left_alone() -> None:
    # Given
    client("sqs").create_queue(QueueName="other", tags=TAGS | {"shoal:deployment": "other"})
    client("sqs").create_queue(QueueName="qa", tags=TAGS | {"shoal:environment": "qa"})
    before = flow.resources()
    # When
    flow.remove(deleting("queue"))
    # Then
    assert flow.resources() == before


@pytest.mark.parametrize(
    ("arn", "kind", "name"),
    [
        ("arn:aws:ecs:us-west-2:1:cluster/c", "cluster", "c"),
        ("arn:aws:ecs:us-west-2:1:service/c/s", "service", "s"),
        ("arn:aws:ecs:us-west-2:1:task-definition/f:3", "task_definition", "f:3"),
        ("arn:aws:ecs:us-west-2:1:task/c/0a", "task", "c/0a"),
        ("arn:aws:ec2:us-west-2:1:launch-template/lt-1", "launch_template", "lt-1"),
        ("arn:aws:ec2:us-west-2:1:instance/i-1", "instance", "i-1"),
        ("arn:aws:elasticloadbalancing:us-west-2:1:targetgroup/t/0a", "target_group", "t"),
        ("arn:aws:elasticloadbalancing:us-west-2:1:listener/app/b/1/2", "listener", "app/b/1/2"),
        ("arn:aws:elasticloadbalancing:us-west-2:1:listener-rule/app/b/1/2/3", "host_rule", "app/b/1/2/3"),
        ("arn:aws:sqs:us-west-2:1:q", "queue", "q"),
        ("arn:aws:logs:us-west-2:1:log-group:/a/b:*", "log_group", "/a/b"),
        ("arn:aws:cloudwatch:us-west-2:1:alarm:a", "alarm", "a"),
        ("arn:aws:cloudwatch::1:dashboard/d", "dashboard", "d"),
        (
            "arn:aws:autoscaling:us-west-2:1:autoScalingGroup:u:autoScalingGroupName/g",
            "auto_scaling_group",
            "g",
        ),
        ("arn:aws:lambda:us-west-2:1:function:f", "lambda function", "function:f"),
    ],
)
def test_an_arn_in_our_words(arn: str, kind: str, name: str) -> None:
    found = tagged.described(arn, TAGS)
    assert (found.kind, found.name, found.deployment) == (kind, name, "benthic")


def test_prices_are_those_of_the_list() -> None:
    assert (prices.instance("g5.xlarge"), prices.instance("x9.huge")) == (1.006, None)
    assert prices.fargate_task(2048, 8192) == pytest.approx(2 * 0.04048 + 8 * 0.004445, abs=1e-5)
    assert prices.volume(100) == pytest.approx(8 / 730, abs=1e-5)
    assert (prices.resource("cluster"), prices.resource("alarm")) == (0, pytest.approx(0.1 / 730, abs=1e-5))


def test_costs_in_words() -> None:
    assert [cost_in_words(cost) for cost in (None, 0.0, 1.006)] == [
        "unknown cost",
        "no cost",
        "1.006 USD an hour",
    ]
    assert total([1.0, None, 0.5]) == 1.5
