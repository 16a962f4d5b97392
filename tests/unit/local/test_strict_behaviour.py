"""What AWS does: idempotent calls, states that pass, and the table of rules itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from moto import mock_aws
from shoal_local import strict
from shoal_local.balancer import balancer
from shoal_local.fleet import launching
from shoal_local.patches import Contract
from shoal_local.strict import choices, elbv2_listeners, elbv2_rules, fields, slow
from shoal_local.strict.engine import RULES, Rule, operation_contract
from strict_behaviours import BEHAVIOURS, SHOWN, Behaviour
from strict_cases.all import CASES
from strict_world import Account, code_of

CITATION = re.compile(
    r"^(ECS|ELBv2|EC2|Auto Scaling|SQS|SES|DynamoDB|Step Functions|Application Auto Scaling|CloudWatch) "
    r"(API|guide)\b"
)


@pytest.fixture(scope="module", autouse=True)
def rules() -> Iterator[None]:
    with strict.installed():
        yield


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.__name__)
def test_aws_behaves(behaviour: Behaviour) -> None:
    with mock_aws():
        behaviour(Account())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_cites_its_source_and_is_tried(rule: Rule) -> None:
    assert CITATION.match(rule.function.__doc__ or ""), f"{rule.name} does not say where AWS says so"
    assert rule.function.__name__ in SHOWN | {case.rule for case in CASES}, f"{rule.name} is not tried"


@pytest.mark.parametrize(
    ("service", "operation"),
    sorted({(rule.service, rule.operation) for rule in RULES} - strict.ADDED),
)
def test_moto_has_the_operation(service: str, operation: str) -> None:
    operation_contract(service, operation).check()


def test_quotas_are_those_of_an_application_load_balancer() -> None:
    assert elbv2_listeners.MAXIMUM_LISTENERS == 50
    assert (elbv2_rules.MAXIMUM_RULES, elbv2_rules.MAXIMUM_GROUPS) == (100, 100)


def test_a_hold_keeps_a_passing_state(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given something that holds every service
    monkeypatch.setattr(slow.PACE, "holds", [lambda _: True])
    with mock_aws():
        account = Account()
        account.stocked()
        account.service()
        account.ecs.delete_service(cluster="fish", service="fish")
        # When it is looked at often
        seen = {account.described_service()["status"] for _ in range(4)}
        # Then it does not pass
        assert seen == {"DRAINING"}


def test_a_queue_name_rests_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow.PACE, "speed", 1e9)
    with mock_aws():
        account = Account()
        for _ in range(2):
            url = account.sqs.create_queue(QueueName="videos")["QueueUrl"]
            account.sqs.delete_queue(QueueUrl=url)


def test_uninstalled_rules_leave_stock_moto() -> None:
    strict.uninstall()
    try:
        with mock_aws():
            account = Account()
            assert code_of(lambda: account.definition(family="a.b")) == ""
    finally:
        strict.install()


@pytest.mark.parametrize(
    "patched",
    [launching.LAUNCH, balancer.CREATE, fields.FORGET_TERMINATED, choices.COMPARED],
    ids=lambda c: c.path,
)
def test_moto_has_what_the_fleet_replaces(patched: Contract) -> None:
    patched.check()


def test_what_moto_has_right_stays_right() -> None:
    """No rule stands behind these; our control plane still leans on them."""
    with mock_aws():
        account = Account()
        group = account.attached()
        body = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
        where = {"Source": "nobody@example.org", "Destination": {"ToAddresses": ["b@example.org"]}}
        region = {"LocationConstraint": "us-west-2"}
        account.s3.create_bucket(Bucket="videos", CreateBucketConfiguration=region)
        put = lambda: account.s3.put_object(Bucket="videos", Key="k", Body=b"", IfNoneMatch="*")  # noqa: E731
        put()
        assert code_of(lambda: account.elbv2.delete_target_group(TargetGroupArn=group)) == "ResourceInUse"
        assert code_of(lambda: account.ses.send_email(**where, Message=body)) == "MessageRejected"
        assert code_of(put) == "PreconditionFailed"
        deregister = account.ecs.deregister_task_definition
        assert code_of(lambda: deregister(taskDefinition="fish")) == "ClientException"
