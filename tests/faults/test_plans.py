"""A plan is one word that can be typed again."""

from __future__ import annotations

import botocore.session
import pytest
from faults import kinds
from faults.plans import Fault, Plan, parse
from faults.world import SERVICES


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("deploy", Plan("deploy")),
        ("deploy:ecs.CreateService#1:lost*", Plan("deploy", (Fault("ecs.CreateService", 1, "lost*"),))),
        (
            "delete:elbv2.DeleteListener#2:denied**+dynamodb.Query#11:crash-after",
            Plan(
                "delete",
                (Fault("elbv2.DeleteListener", 2, "denied**"), Fault("dynamodb.Query", 11, "crash-after")),
            ),
        ),
        ("deploy:lambda.task_cluster#1:twice", Plan("deploy", (Fault("lambda.task_cluster", 1, "twice"),))),
    ],
)
def test_a_plan_is_read_and_written(text: str, plan: Plan) -> None:
    assert parse(text) == plan
    assert str(plan) == text
    assert plan.command == f"make campaign PLAN='{text}'"


@pytest.mark.parametrize(
    "text",
    [
        "deploy:ecs.CreateService:lost",
        "deploy:ecs.CreateService#0:lost",
        "deploy:ecs.CreateService#1:sunk",
        "deploy:ecs.CreateService#1:twice",
        "deploy:lambda.rollback#1:throttle",
        "deploy:ecs.CreateService#1:lost;rm",
    ],
)
def test_a_plan_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a kind of"):
        parse(text)


@pytest.mark.parametrize("service", SERVICES)
def test_a_call_of_every_service_can_be_named_in_a_plan(service: str) -> None:
    """The injector names a call by the id in the SDK's events; a plan must be able to say it."""
    named = botocore.session.get_session().get_service_model(service).service_id.hyphenize()
    assert kinds.SERVICES.get(named, named) == service
    assert str(parse(f"delete:{service}.DescribeIt#1:denied")) == f"delete:{service}.DescribeIt#1:denied"
