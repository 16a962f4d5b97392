"""How an endpoint is to be reached: the host name given or made, and refused where it cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from rest_world import Reply, World, move
from shoal import deployments
from shoal.contracts.status import DeploymentStatus
from shoal.resources import hosts
from shoal.settings import settings

BALANCER = "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/shoal-dev/1"
REEF = {
    "name": "reef",
    "model_location": "s3://shoal-data/models/reef.onnx",
    "serves": ["endpoint"],
    "routing": "host",
}


@pytest.fixture
def system(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A system with the shared listener and a base domain."""
    world.put("shoal-data", "models/reef.onnx")
    enter(monkeypatch, HTTPS_LISTENER_ARN=f"{BALANCER}/2", BASE_DOMAIN="models.example.org")
    return world


def enter(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for key, value in ({"LOAD_BALANCER_ARN": BALANCER} | variables).items():
        monkeypatch.setenv(key, value)
    settings.cache_clear()


def test_a_host_name_is_taken_as_given(system: World) -> None:
    # When
    answer = system.call("POST", "/deploy", REEF | {"host_name": "benthic.example.org"})
    # Then
    assert (answer.status, answer.body["adjustments"]) == (202, [])
    assert deployments.get("reef").spec.host_name == "benthic.example.org"


def test_a_host_name_is_made_from_the_base_domain_and_told(system: World) -> None:
    # When
    answers = [system.call("POST", "/deploy", REEF) for _ in range(2)]
    # Then: the same request is the same specification
    assert [answer.status for answer in answers] == [202, 202]
    assert deployments.get("reef").revision == 1
    assert deployments.get("reef").spec.host_name == "reef.models.example.org"
    (adjustment,) = answers[0].body["adjustments"]
    assert (adjustment["field"], adjustment["used"]) == ("host_name", "reef.models.example.org")


def test_a_host_name_of_another_deployment_is_a_conflict_that_names_it(system: World) -> None:
    # Given
    assert system.call("POST", "/deploy", REEF | {"name": "kelp"}).status == 202
    hosts.claim("kelp.models.example.org", "kelp", 1)
    # When
    answer = system.call("POST", "/deploy", REEF | {"host_name": "kelp.models.example.org"})
    # Then
    assert (answer.status, answer.body["code"]) == (409, "conflict")
    assert answer.body["detail"] == "the host name kelp.models.example.org belongs to kelp"
    assert answer.body["errors"][0]["field"] == "host_name"
    assert deployments.find("reef") is None


@pytest.mark.parametrize(
    ("variables", "change", "field", "says"),
    [
        ({}, {}, "routing", "set the stack's CertificateArn"),
        ({"HTTPS_LISTENER_ARN": "arn"}, {}, "host_name", "the stack has no BaseDomain"),
        (
            {"HTTPS_LISTENER_ARN": "arn", "BASE_DOMAIN": f"{'d' * 60}.{'e' * 60}.org"},
            {},
            "host_name",
            "give another one",
        ),
        ({"HTTPS_LISTENER_ARN": "arn"}, {"host_name": "Reef.example.org"}, "host_name", "match"),
        ({"HTTPS_LISTENER_ARN": "arn"}, {"host_name": "*.example.org"}, "host_name", "match"),
        ({"HTTPS_LISTENER_ARN": "arn"}, {"host_name": "reef"}, "host_name", "match"),
        ({}, {"routing": "port", "host_name": "reef.example.org"}, "", "needs routing: host"),
        ({}, {"serves": ["queue"]}, "", "add endpoint to serves"),
        ({}, {"routing": "path"}, "routing", "'port' or 'host'"),
    ],
)
def test_what_cannot_be_routed_is_named(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    change: dict[str, Any],
    field: str,
    says: str,
) -> None:
    # Given
    world.put("shoal-data", "models/reef.onnx")
    enter(monkeypatch, **variables)
    # When
    answer = world.call("POST", "/deploy", REEF | change)
    # Then
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)
    assert says in answer.body["errors"][0]["detail"]


def test_put_is_checked_as_post_is(system: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a READY deployment whose host name the system made
    system.call("POST", "/deploy", REEF)
    move("reef", 1, DeploymentStatus.DEPLOYING, DeploymentStatus.READY)
    hosts.claim("reef.models.example.org", "reef", 1)
    # When / Then: the same specification is the same, whoever fills the name in
    assert [system.call(*way, REEF).status for way in WAYS] == [200, 200]
    # and what another deployment has, or what the system has lost, is refused alike
    hosts.release("reef.models.example.org", "reef")
    system.call("POST", "/deploy", REEF | {"name": "kelp", "host_name": "kelp.example.org"})
    hosts.claim("reef.models.example.org", "kelp", 1)
    assert [refusal(system.call(*way, REEF)) for way in WAYS] == [(409, "host_name")] * 2
    enter(monkeypatch, HTTPS_LISTENER_ARN="")
    assert [refusal(system.call(*way, REEF)) for way in WAYS] == [(422, "routing")] * 2


WAYS = (("POST", "/deploy"), ("PUT", "/deploy/reef"))


def refusal(answer: Reply) -> tuple[int, str]:
    return answer.status, answer.body["errors"][0]["field"]
