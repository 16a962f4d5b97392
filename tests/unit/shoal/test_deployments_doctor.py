"""The doctor finds what no ledger owns and what is not as a ledger says, and its cost; it removes nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import deployment_flow as flow
import pytest
from rest_world import event, send
from shoal.aws import client
from shoal.contracts.report import Finding, Report
from shoal.deployments import Deployment, changes, doctor, drift, ledger, store
from shoal.errors import NotFound
from shoal.resources import claims
from shoal.resources.kind import Entry, upper_tags
from shoal_local import strict

TAGS = {"shoal:managed-by": "shoal", "shoal:environment": "dev", "shoal:deployment": "gone"}
NAME = "shoal-dev-benthic"


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str]) -> Iterator[None]:
    with strict.installed():
        yield


@pytest.fixture
def ready() -> flow.Payload:
    """A deployment that is READY."""
    spec = flow.spec_of("queue,endpoint")
    payload = flow.begin(spec)
    flow.make(spec, payload)
    flow.become(payload, "READY")
    return payload


def found(report: Report) -> list[tuple[str, str, str]]:
    return [(one.problem, one.kind, one.name) for one in report.findings]


def test_a_ledger_that_the_account_bears_out_has_no_findings(ready: flow.Payload) -> None:
    # Given
    spec = flow.spec_of("queue", "fargate-cpu", name="other")
    flow.make(spec, flow.begin(spec))
    # When
    report = doctor.check()
    # Then
    assert (report.findings, report.blind, report.deployments, report.usd_per_hour) == ([], [], 2, 0)


def _queue() -> str:
    client("sqs").create_queue(QueueName="shoal-dev-gone-jobs")
    return "shoal-dev-gone-jobs"


def _tagged_queue() -> str:
    client("sqs").create_queue(QueueName="elsewhere", tags=TAGS)
    return "elsewhere"


def _cluster() -> str:
    client("ecs").create_cluster(clusterName="shoal-dev-gone")
    return "shoal-dev-gone"


def _task_definition() -> str:
    container = {"name": "worker", "image": "worker", "memory": 512}
    client("ecs").register_task_definition(family="shoal-dev-gone", containerDefinitions=[container])
    return "shoal-dev-gone:1"


def _log_group() -> str:
    client("logs").create_log_group(logGroupName="/aws/ecs/containerinsights/shoal-dev-gone/performance")
    return "/aws/ecs/containerinsights/shoal-dev-gone/performance"


def _target_group() -> str:
    client("elbv2").create_target_group(Name="shoal-dev-gone", TargetType="lambda")
    return "shoal-dev-gone"


def _launch_template() -> str:
    client("ec2").create_launch_template(
        LaunchTemplateName="shoal-dev-gone", LaunchTemplateData={"InstanceType": "g5.xlarge"}
    )
    return "shoal-dev-gone"


def _topic() -> str:
    client("sns").create_topic(Name="strange", Tags=upper_tags(TAGS))
    return "strange"


def _instance() -> str:
    ec2 = client("ec2")
    image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    specification = [{"ResourceType": "instance", "Tags": upper_tags(TAGS)}]
    answer = ec2.run_instances(
        ImageId=image, InstanceType="g5.xlarge", MinCount=1, MaxCount=1, TagSpecifications=specification
    )
    return str(answer["Instances"][0]["InstanceId"])


STRAYS: dict[str, Callable[[], str]] = {
    "queue": _queue, "queue by its tags": _tagged_queue, "cluster": _cluster,
    "task_definition": _task_definition, "log_group": _log_group, "target_group": _target_group,
    "launch_template": _launch_template, "sns": _topic, "instance": _instance,
}  # fmt: skip


@pytest.mark.parametrize("kind", STRAYS)
def test_what_no_ledger_owns_is_reported_and_left_alone(ready: flow.Payload, kind: str) -> None:
    # Given
    name = STRAYS[kind]()
    before = flow.resources()
    # When
    report = doctor.check()
    # Then
    assert found(report) == [("orphan", kind.split(" ")[0], name)]
    assert report.usd_per_hour == (1.006 if kind == "instance" else 0)
    assert flow.resources() == before


def test_a_deleted_cluster_is_no_orphan() -> None:
    _cluster()
    client("ecs").delete_cluster(cluster="shoal-dev-gone")
    assert doctor.check().findings == []


@pytest.mark.parametrize("name", ["shoal-qa-gone", "shoal-development", "somebody-elses"])
def test_what_is_not_ours_is_no_orphan(name: str) -> None:
    client("ecs").create_cluster(clusterName=name)
    assert doctor.check().findings == []


def test_what_is_being_made_or_removed_is_no_orphan() -> None:
    # Given: made, but its line is not yet (or no longer) in the ledger
    spec = flow.spec_of()
    payload = flow.begin(spec)
    flow.make(spec, payload)
    for entry in ledger.entries("benthic"):
        ledger.remove("benthic", payload["generation"], entry)
    # When / Then
    assert doctor.check().findings == []
    flow.become(payload, "ROLLING_BACK")
    flow.become(payload, "FAILED")
    assert {"cluster", "queue", "launch_template"} <= {kind for _, kind, _ in found(doctor.check())}


def test_what_a_ledger_says_and_nobody_sees_is_missing(ready: flow.Payload) -> None:
    # Given
    url = client("sqs").get_queue_url(QueueName=f"{NAME}-jobs")["QueueUrl"]
    client("sqs").delete_queue(QueueUrl=url)
    # When / Then
    assert found(doctor.check()) == [("missing", "queue", f"{NAME}-jobs")]


def test_a_service_with_another_task_definition_differs(ready: flow.Payload) -> None:
    # Given
    container = {"name": "worker", "image": "other", "memory": 512}
    client("ecs").register_task_definition(family=NAME, containerDefinitions=[container])
    client("ecs").update_service(cluster=NAME, service=NAME, taskDefinition=f"{NAME}:2", desiredCount=0)
    # When
    findings = [one for one in doctor.check().findings if one.kind == "service"]
    # Then
    assert [one.problem for one in findings] == ["differs", "differs"]
    reasons = " ".join(one.reason for one in findings)
    assert f"{NAME}:2, the ledger says" in reasons
    assert "its desired count is 0" in reasons


def test_a_listener_that_forwards_elsewhere_differs(ready: flow.Payload) -> None:
    # Given
    elb = client("elbv2")
    (listener,) = [one for one in ledger.entries("benthic") if one.kind == "listener"]
    other = elb.create_target_group(Name="other", TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_listener(
        ListenerArn=listener.arn, Port=5002, DefaultActions=[{"Type": "forward", "TargetGroupArn": other}]
    )
    # When
    findings = [one for one in doctor.check().findings if one.kind == "listener"]
    # Then
    assert [one.problem for one in findings] == ["differs", "differs"]
    assert "not on 5001" in findings[1].reason + findings[0].reason


def test_a_rule_that_forwards_elsewhere_or_by_another_name_differs() -> None:
    # Given
    spec = flow.spec_of("endpoint", routing="host", host_name="reef.example.org")
    payload = flow.begin(spec)
    flow.make(spec, payload)
    flow.become(payload, "READY")
    assert doctor.check().findings == []
    elb = client("elbv2")
    (rule,) = [one for one in ledger.entries("benthic") if one.kind == "host_rule"]
    other = elb.create_target_group(Name="other", TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_rule(
        RuleArn=rule.arn,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["abyss.example.org"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": other}],
    )
    # When
    reasons = " ".join(one.reason for one in doctor.check().findings if one.kind == "host_rule")
    # Then
    assert "it forwards to" in reasons
    assert "it answers to abyss.example.org, not to reef.example.org" in reasons


def test_tags_that_were_taken_away_are_told(ready: flow.Payload) -> None:
    # Given
    url = client("sqs").get_queue_url(QueueName=f"{NAME}-dead")["QueueUrl"]
    client("sqs").untag_queue(QueueUrl=url, TagKeys=["shoal:deployment"])
    # When / Then
    assert found(doctor.check()) == [("differs", "dead_letter_queue", f"{NAME}-dead")]


@pytest.fixture
def stopped(ready: flow.Payload) -> None:
    """The same deployment, stopped."""
    changes.stop("benthic", "tests")
    flow.handler("fleet_reconciler")({}, None)
    assert store.get("benthic").status == "STOPPED"


def _service_runs() -> None:
    client("ecs").update_service(cluster=NAME, service=NAME, desiredCount=2)


def _group_may_grow() -> None:
    client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=NAME, MaxSize=3)


def _straggler() -> None:
    client("ec2").create_tags(
        Resources=[_instance()], Tags=upper_tags(TAGS | {"shoal:deployment": "benthic"})
    )


def _nothing() -> None:
    pass


@pytest.mark.parametrize(
    ("drift", "kinds", "words", "cost"),
    [
        (_nothing, [], "", 0),
        (_service_runs, ["service"], "is stopped, and its desired count is 2, 0 workers run", 0),
        (_group_may_grow, ["auto_scaling_group"], "3 instances may start", 0),
        (_straggler, ["instance"], "this g5.xlarge is running", 1.006),
        (lambda: client("sqs").delete_queue(QueueUrl=_url()), ["queue"], "it is not there", 0),
    ],
)
def test_what_runs_though_it_is_stopped_is_told(
    stopped: None, drift: Callable[[], None], kinds: list[str], words: str, cost: float
) -> None:
    # Given
    drift()
    # When
    report = doctor.check()
    # Then
    assert [one.kind for one in report.findings] == kinds
    assert all(words in one.reason for one in report.findings)
    assert (report.usd_per_hour, report.blind) == (cost, [])


def _url() -> str:
    return str(client("sqs").get_queue_url(QueueName=f"{NAME}-jobs")["QueueUrl"])


def test_what_was_started_while_the_doctor_looked_is_no_finding(
    stopped: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = drift.find

    def started_meanwhile(deployment: Deployment, entries: list[Entry]) -> list[Finding]:
        changes.start("benthic", "tests")
        _service_runs()
        return real(deployment, entries)

    monkeypatch.setattr(drift, "find", started_meanwhile)
    assert doctor.check().findings == []


@pytest.mark.parametrize(("kind", "key"), [("PORT", "5002"), ("HOST", "kelp.example.org"), ("PRIORITY", "7")])
def test_a_claim_that_no_ledger_holds_is_an_orphan_and_stays(kind: str, key: str) -> None:
    # Given a deployment that was READY and is FAILED now, and what its overlapping retry claimed
    payload = flow.begin(flow.spec_of("queue", name="kelp"))
    assert claims.Claims(kind).take(key, "kelp", 1)
    assert doctor.check().findings == []  # it is being worked on
    flow.become(payload, "ROLLING_BACK")
    flow.become(payload, "FAILED")
    # When
    (finding,) = doctor.check().findings
    # Then
    assert (finding.problem, finding.kind, finding.name) == ("orphan", f"{kind.lower()} claim", key)
    assert "claimed for kelp, whose ledger does not hold it" in finding.reason
    assert claims.Claims(kind).owner(key) == "kelp"
    # and the advice is a command that removes it, unless somebody else has it by then
    client("dynamodb").delete_item(**_arguments(finding.advice))
    assert doctor.check().findings == []


def _arguments(advice: str) -> dict[str, Any]:
    """The AWS CLI's arguments as boto3 takes them."""
    words = shlex.split(advice.partition("aws dynamodb delete-item ")[2])
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    names = {
        "".join(part.title() for part in name.strip("-").split("-")): value for name, value in pairs.items()
    }
    return {name: json.loads(value) if value.startswith("{") else value for name, value in names.items()}


def test_claims_of_those_who_use_them_and_of_strangers_are_none(ready: flow.Payload) -> None:
    # Given
    claims.Claims("PORT").mark_foreign("5003", "benthic", ready["generation"])
    spec = flow.spec_of("endpoint", name="kelp", routing="host", host_name="kelp.example.org")
    flow.make(spec, payload := flow.begin(spec))
    flow.become(payload, "READY")
    # Then
    assert {one.kind for one in claims.held()} == {"PORT", "HOST", "PRIORITY"}
    assert doctor.check().findings == []


def test_what_a_teardown_left_is_in_the_report(ready: flow.Payload, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    payload = ready | {"generation": store.begin_deletion("benthic", "tests")}
    flow.Fault("DeleteTargetGroup", "before", times=100).install(monkeypatch)
    for _ in range(12):
        flow.handler("deletion")(payload, None)
    assert doctor.check().findings == []  # it is still being removed
    flow.become(payload, "DELETE_INCOMPLETE")
    # When / Then
    assert found(doctor.check()) == [("left", "target_group", NAME)]


def test_what_nothing_works_on_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    flow.begin(flow.spec_of())
    assert doctor.check().findings == []
    # When
    monkeypatch.setattr(doctor, "STUCK", timedelta(0))
    # Then
    assert found(doctor.check()) == [("stuck", "deployment", "benthic")]


def test_a_refusal_makes_the_report_blind_there_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    _cluster()
    _queue()
    flow.Fault("ListQueues", "before").install(monkeypatch)
    flow.Fault("GetResources", "before").install(monkeypatch)
    # When
    report = doctor.check()
    # Then
    assert found(report) == [("orphan", "cluster", "shoal-dev-gone")]
    assert [one.split(":")[0] for one in report.blind] == ["tags", "queues"]


def test_a_finding_keeps_its_first_day() -> None:
    # Given
    _cluster()
    first = doctor.check()
    _queue()
    # When
    second = {one.kind: one for one in doctor.check().findings}
    # Then
    assert second["cluster"].since == first.time
    assert second["queue"].since > first.time


def test_the_dearest_comes_first() -> None:
    _cluster()
    _instance()
    assert [one.kind for one in doctor.check().findings] == ["instance", "cluster"]


def test_the_report_is_kept_and_answered() -> None:
    # Given
    with pytest.raises(NotFound):
        doctor.last_report()
    assert send("doctor", event("GET", "/doctor")).status == 404
    _cluster()
    # When
    assert flow.handler("doctor")({"detail-type": "Scheduled Event"}, None) == {"findings": 1, "blind": 0}
    # Then
    answer = send("doctor", event("GET", "/doctor"))
    assert (answer.status, Report.model_validate(answer.body)) == (200, doctor.last_report())
    assert Finding.model_validate(answer.body["findings"][0]).advice.endswith(
        "aws ecs delete-cluster --cluster shoal-dev-gone"
    )
    assert send("doctor", event("POST", "/doctor")).body["time"] > answer.body["time"]
