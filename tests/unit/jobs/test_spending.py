"""A budget and a deadline: what a fleet is counted as, when it stops, who is told, how it goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from rest_world import World, desired, move
from shoal import deployments, fleet, jobs, table
from shoal.aws import client
from shoal.contracts.deployment import DeploymentSpec
from shoal.contracts.job import job_key
from shoal.contracts.status import DeploymentStatus
from shoal.errors import AwsError
from shoal.fleet import spending
from shoal.notify import once

HOUR_USD = 1.006 + 100 * 0.08 / 730
"""A g5.xlarge with its volume."""


class Ses:
    """Keeps what it was asked to send; ``down`` of the next attempts fail."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.down = 0

    def deliver(self, deployment: Any, composed: Callable[[], Any]) -> None:
        if self.down:
            self.down -= 1
            raise AwsError("no")
        self.sent.append({"to": deployment.spec.notify, "mail": composed()})


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Ses:
    fake = Ses()
    monkeypatch.setattr("shoal.notify.once.deliver", fake.deliver)
    return fake


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The Auto Scaling group, which a test fills with instances."""
    made: dict[str, Any] = {
        "AutoScalingGroupName": "shoal-prod-reef",
        "Instances": [],
        "DesiredCapacity": 99,
        "MaxSize": 99,
    }
    monkeypatch.setattr("shoal.fleet.instances.describe_group", lambda name: made)
    return made


def limited(world: World, **limits: float) -> str:
    """A READY deployment with a budget or a deadline, and its queue."""
    url = world.ready("reef", fleet_size=9)
    spec = deployments.get("reef").spec.model_copy(update=limits | {"notify": ("scientist@example.org",)})
    rewrite(spec)
    return url


def rewrite(spec: DeploymentSpec) -> None:
    """As an update that is READY leaves it."""
    table.write(table.update(table.state_key("reef"), {"spec": spec.model_dump_json()}))


def submit(world: World, count: int) -> dict[str, Any]:
    keys = [f"videos/reef/{number}.mp4" for number in range(count)]
    world.upload(*keys)
    return world.call("POST", "/deploy/reef/jobs", {"videos": keys}).body


def passed(hours: float) -> None:
    """The last pass was that long ago."""
    key = spending.key_of(deployments.get("reef"))
    read_at = datetime.fromisoformat((table.read(key) or {})["read_at"]) - timedelta(hours=hours)
    table.write(table.update(key, {"read_at": read_at.isoformat()}))


def shown(world: World) -> dict[str, Any]:
    return world.call("GET", "/deploy/reef").body


def waiting(url: str) -> int:
    counts = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(counts["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.parametrize(
    ("before", "after", "hours", "expected"),
    [
        (2, 2, 1.0, 2.0),  # two instances for an hour
        (2, 1, 0.5, 1.0),  # one went somewhere in between: as if at the end
        (1, 3, 0.5, 1.5),  # two came: as if at the beginning
        (2, 0, 0.25, 0.5),
        (0, 2, 8.0, 2 / 60),  # after an empty night they have run for a minute at most
        (0, 0, 8.0, 0.0),
    ],
)
def test_what_a_fleet_costs_is_counted_from_pass_to_pass(
    world: World, before: int, after: int, hours: float, expected: float
) -> None:
    # Given
    limited(world)
    reef = deployments.get("reef")
    spending.count(reef, max(before, 1))
    fields = {"workers": before, "usd": 0}
    table.write(table.update(spending.key_of(reef), fields))
    passed(hours)
    # When
    counted = spending.count(reef, after)
    # Then
    assert counted.usd == pytest.approx(expected * HOUR_USD, abs=0.01)


def test_of_two_passes_at_once_one_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given two that read the same
    limited(world)
    reef = deployments.get("reef")
    spending.count(reef, 1)
    passed(1)
    seen = spending.recall(reef)
    recall = spending.recall
    monkeypatch.setattr(spending, "recall", lambda _: seen)
    # When
    spending.count(reef, 1)
    spending.count(reef, 1)
    # Then
    assert recall(reef).usd == pytest.approx(HOUR_USD, rel=0.05)


def test_the_budget_stops_the_fleet_and_says_so_once(world: World, ses: Ses, group: dict[str, Any]) -> None:
    # Given two workers that have cost three USD, videos in the queue
    url = limited(world, budget_usd=3)
    group["Instances"] = [{"InstanceId": one, "LifecycleState": "Pending"} for one in ("i-1", "i-2")]
    submit(world, 20)
    assert desired("reef") == 2  # what 3 USD pay for
    passed(1.5)
    # When
    fleet.reconcile()
    fleet.reconcile()
    fleet.reconcile()
    # Then nothing is left for a worker to find, and all of it waits in the table
    assert (waiting(url), desired("reef")) == (0, 0)
    assert len(table.query("DEPLOYMENT#reef", "FEED#")) == 20
    found = shown(world)
    assert found["reason"].startswith("stop at 3 USD")
    assert (found["spending"]["stopped"], found["spending"]["budget_usd"]) == (True, 3)
    assert found["spending"]["usd"] == pytest.approx(3.05, abs=0.1)
    told = [one for one in deployments.events("reef") if one.reason.startswith("stop at 3 USD")]
    assert [one.status for one in told] == ["WAITING"]
    (mail,) = ses.sent
    assert mail["to"] == ("scientist@example.org",)
    assert mail["mail"].subject == "[shoal dev] reef: stopped at 3 USD"
    assert "20 videos" in mail["mail"].text
    assert "<dd>20 videos</dd>" in mail["mail"].html


def test_a_further_submission_waits_while_the_budget_stops_it(
    world: World, ses: Ses, group: dict[str, Any]
) -> None:
    # Given
    url = limited(world, budget_usd=0.01)
    submit(world, 1)
    fleet.reconcile()
    # When
    world.upload("videos/reef/late.mp4")
    answer = world.call("POST", "/deploy/reef/jobs", {"videos": ["videos/reef/late.mp4"]})
    # Then
    assert (answer.status, answer.body["desired_workers"], waiting(url)) == (202, 0, 0)
    assert len(table.query("DEPLOYMENT#reef", "FEED#")) == 2


def test_another_budget_lets_it_go_on(world: World, ses: Ses, group: dict[str, Any]) -> None:
    # Given a fleet that its budget has stopped
    url = limited(world, budget_usd=0.01)
    submit(world, 3)
    fleet.reconcile()
    assert waiting(url) == 0
    # When
    rewrite(deployments.get("reef").spec.model_copy(update={"budget_usd": 50.0}))
    fleet.reconcile()
    # Then
    assert (waiting(url), desired("reef")) == (3, 3)
    assert (shown(world)["reason"], shown(world)["spending"]["stopped"]) == ("", False)
    assert deployments.events("reef")[0].reason == "its fleet works again"


def test_a_mail_that_ses_refused_is_tried_again_later(
    world: World, ses: Ses, group: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    limited(world, budget_usd=0.01)
    submit(world, 1)
    ses.down = 1
    fleet.reconcile()
    fleet.reconcile()
    assert ses.sent == []
    # When the claim has run out
    monkeypatch.setattr(once, "CLAIM_SECONDS", -1)
    for item in table.query("DEPLOYMENT#reef", "MAIL#"):
        table.write(table.update({"pk": item["pk"], "sk": item["sk"]}, {"claimed_until": 0}))
    fleet.reconcile()
    fleet.reconcile()
    # Then
    assert len(ses.sent) == 1


def test_what_ses_always_refuses_is_given_up(
    world: World, ses: Ses, group: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(world, budget_usd=0.01)
    submit(world, 1)
    monkeypatch.setattr(once, "CLAIM_SECONDS", -1)
    ses.down = 100
    for _ in range(once.ATTEMPTS + 3):
        fleet.reconcile()
    assert 100 - ses.down == once.ATTEMPTS


def test_a_message_that_is_no_job_stays_in_the_queue(world: World) -> None:
    # Given a message made by hand, one of a job, one of a job that is over
    url = limited(world)
    (kept, over) = submit(world, 2)["jobs"]
    client("sqs").send_message(QueueUrl=url, MessageBody='{"video": "videos/reef/by-hand.mp4"}')
    table.write(table.update(job_key("reef", over["job_id"]), {"status": "CANCELLED"}))
    # When
    taken = jobs.withdraw("reef", url)
    # Then
    assert taken == 1
    assert [one["sk"] for one in table.query("DEPLOYMENT#reef", "FEED#")] == [f"FEED#{kept['job_id']}"]
    hidden = "ApproximateNumberOfMessagesNotVisible"
    counts = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[hidden])["Attributes"]
    assert int(counts[hidden]) == 1


def test_a_deployment_that_is_stopped_leaves_no_video_to_its_workers(world: World) -> None:
    # Given
    url = limited(world)
    submit(world, 3)
    move("reef", 1, DeploymentStatus.STOPPING)
    # When
    fleet.reconcile()
    # Then
    assert waiting(url) == 0
    assert len(table.query("DEPLOYMENT#reef", "FEED#")) == 3


def test_what_waits_comes_nearer_to_its_deadline(world: World) -> None:
    # Given eight hours of video, due in four
    limited(world, deadline_hours=4.1)
    submit(world, 8)
    assert desired("reef") == 2
    # When half of the time is over
    key = {"pk": "DEPLOYMENT#reef", "sk": "FLEET"}
    since = datetime.fromisoformat((table.read(key) or {})["waiting_since"]) - timedelta(hours=2)
    table.write(table.update(key, {"waiting_since": since.isoformat()}))
    fleet.reconcile()
    # Then
    assert desired("reef") == 4


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"budget_usd": 0}, "budget_usd", "greater than 0"),
        ({"budget_usd": "20"}, "budget_usd", "valid number"),
        ({"deadline_hours": -1}, "deadline_hours", "greater than 0"),
        ({"budget_usd": 5, "serves": ["endpoint"]}, "", "add queue to serves"),
        (
            {"budget_usd": 5, "instance_type": "p5.48xlarge"},
            "budget_usd",
            "price of p5.48xlarge is not known",
        ),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(
    world: World, changes: dict[str, Any], field: str, says: str
) -> None:
    # Given
    world.put("shoal-data", "models/reef.onnx")
    body = {"name": "reef", "model_location": "s3://shoal-data/models/reef.onnx"}
    # When
    answer = world.call("POST", "/deploy", body | changes)
    # Then
    assert answer.status == 422
    assert [one["field"] for one in answer.body["errors"]] == [field]
    assert says in answer.body["errors"][0]["detail"]


def test_a_budget_is_charged_by_one_life_of_a_name(world: World) -> None:
    # Given a deployment that cost something before it was deleted
    limited(world)
    first = deployments.get("reef")
    spending.count(first, 2)
    # When the name is deployed again
    again = first.model_copy(update={"first_revision": 2})
    # Then
    assert spending.recall(first).usd > 0
    assert spending.recall(again).usd == 0
