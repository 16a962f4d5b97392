"""A fleet on Spot or of several types: what its group is asked for, where, and when that has changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import deployment_flow as flow
import pytest
from moto import mock_aws
from pydantic import ValidationError
from shoal.aws import client
from shoal.contracts.deployment import DeploymentSpec
from shoal.errors import NoCapacity
from shoal.fleet import spending
from shoal.resources import instance_mix
from shoal.settings import settings

TEMPLATE = {"LaunchTemplateId": "lt-1", "Version": "3"}
MIXED: dict[str, Any] = {"instance_type": "g6.xlarge", "instance_types": ["g5.xlarge"], "spot": True}


@pytest.fixture
def subnets(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The default subnets of zones a and d, by zone."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with mock_aws():
        client.cache_clear()
        found = boto3.client("ec2", region_name="us-west-2").describe_subnets()["Subnets"]
        by_zone = {one["AvailabilityZone"][-1]: str(one["SubnetId"]) for one in found}
        monkeypatch.setenv("SUBNET_IDS", f"{by_zone['a']},{by_zone['d']}")
        settings.cache_clear()
        yield by_zone
    settings.cache_clear()
    client.cache_clear()


def bought(**fields: Any) -> dict[str, Any]:
    return instance_mix.purchase(flow.spec_of("queue", **fields), TEMPLATE)


def test_one_type_on_demand_is_asked_for_as_ever() -> None:
    assert bought() == {"LaunchTemplate": TEMPLATE}


@pytest.mark.parametrize(
    ("fields", "types", "base", "share"),
    [
        ({"spot": True}, ["g5.xlarge"], 0, 0),
        (MIXED, ["g6.xlarge", "g5.xlarge"], 0, 0),
        (MIXED | {"on_demand_base": 2}, ["g6.xlarge", "g5.xlarge"], 2, 0),
        ({"instance_types": ["g4dn.xlarge"]}, ["g5.xlarge", "g4dn.xlarge"], 0, 100),
    ],
    ids=["spot", "several on spot", "with a base", "several on demand"],
)
def test_a_mix_is_a_policy(fields: dict[str, Any], types: list[str], base: int, share: int) -> None:
    policy = bought(**fields)["MixedInstancesPolicy"]
    assert policy["LaunchTemplate"] == {
        "LaunchTemplateSpecification": TEMPLATE,
        "Overrides": [{"InstanceType": one} for one in types],
    }
    assert policy["InstancesDistribution"] == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": base,
        "OnDemandPercentageAboveBaseCapacity": share,
        "SpotAllocationStrategy": "price-capacity-optimized",
    }


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"on_demand_base": 1}, "needs spot: true"),
        ({"instance_types": ["g5.xlarge"]}, "name each type once"),
        ({"instance_types": ["g6.xlarge", "g6.xlarge"]}, "name each type once"),
        ({"instance_types": ["g5g.xlarge"]}, "of one architecture"),
        ({"instance_types": ["large"]}, "String should match pattern"),
        ({"compute": "fargate-cpu", "spot": True}, "are for GPU instances"),
        ({"spot": True, "on_demand_base": -1}, "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_bought_is_refused(fields: dict[str, Any], says: str) -> None:
    given = {"name": "reef", "model_location": "s3://bucket/m.onnx", **fields}
    with pytest.raises(ValidationError, match=says):
        DeploymentSpec.model_validate(given)


@pytest.mark.parametrize(("types", "zones"), [(("g5.xlarge",), "a"), (("g5.xlarge", "g6.xlarge"), "ad")])
def test_the_zones_are_those_that_offer_one_of_the_types(
    subnets: dict[str, str], types: tuple[str, ...], zones: str
) -> None:
    spec = flow.spec_of("queue", instance_type=types[0], instance_types=types[1:], spot=True)
    assert instance_mix.subnets_for(spec) == [subnets[zone] for zone in zones]


def test_zones_without_the_types_are_named(subnets: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBNET_IDS", subnets["d"])
    settings.cache_clear()
    with pytest.raises(NoCapacity, match=r"none of g5\.xlarge is offered in us-west-2d"):
        instance_mix.subnets_for(flow.spec_of("queue", spot=True))


@pytest.mark.parametrize(
    ("wanted", "there", "says"),
    [
        ({}, {}, ""),
        (MIXED, MIXED, ""),
        (MIXED, {}, "it may start its template's type alone, the specification says g6.xlarge, g5.xlarge"),
        ({}, MIXED, "it may start g6.xlarge, g5.xlarge, the specification says its template's type alone"),
        (MIXED, MIXED | {"on_demand_base": 1}, "otherwise than specified: OnDemandBaseCapacity"),
        (MIXED | {"spot": False}, MIXED, "otherwise than specified: OnDemandPercentageAboveBaseCapacity"),
    ],
    ids=["plain", "mixed", "policy gone", "policy too much", "another base", "on demand"],
)
def test_a_group_that_buys_otherwise_is_seen(
    wanted: dict[str, Any], there: dict[str, Any], says: str
) -> None:
    found = instance_mix.difference(flow.spec_of("queue", **wanted), bought(**there))
    assert found.endswith(says) if says else found == ""


def test_the_dearest_type_is_what_a_worker_costs() -> None:
    prices = [
        spending.price_of(flow.spec_of("queue", instance_types=types))
        for types in ((), ("g4dn.xlarge",), ("g6e.xlarge",), ("p5.48xlarge",))
    ]
    plain, cheaper, dearer, unknown = prices
    assert plain is not None
    assert dearer is not None
    assert (cheaper == plain < dearer, unknown) == (True, None)
