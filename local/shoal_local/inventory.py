"""Everything in the account, read from moto's backends: it sees any service, also one nobody thought of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shoal_local.names import ACCOUNT, PARTITION, REGION
from shoal_local.patches import contract

contract("moto.core.base_backend", "BackendDict._instances")

Item = tuple[str, str, str]
"""(service, kind of resource, identifier)."""

# What a service remembers about the past: no resource, costs nothing, cannot be deleted in AWS either.
_HISTORY = frozenset(
    {
        ("sts", "assumed_roles"), ("ses", "sent_messages"), ("ses", "sent_message_count"), ("ses", "bounces"),
        ("cloudwatch", "metric_data"), ("cloudwatch", "past_metric_data"), ("cloudwatch", "insight_rules"),
        ("cloudformation", "change_sets"), ("cloudformation", "deleted_stacks"), ("ecs", "deleted_services"),
        ("sqs", "deleted_queues"), ("iam", "aws_managed_policies"), ("iam", "access_keys"),
        ("ec2", "launch_template_name_to_ids"), ("ec2", "launch_template_insert_order"),
        ("events", "event_sources"), ("elbv2", "tagging_service"), ("sns", "sms_attributes"),
        ("ssm", "_errored_commands"), ("lambda", "_simple_response"), ("resourcegroupstaggingapi", "_pages"),
    }
)  # fmt: skip
_OURS = "shoal_"
"""What our own strict rules remember on a backend, client tokens for one."""
_OVER = frozenset({"STOPPED", "INACTIVE", "DELETED", "DELETE_COMPLETE", "terminated", "shutting-down"})
_NESTED = ("listeners", "rules")
_PRIMITIVE = (str, bytes, int, float, bool, type(None))


def inventory() -> list[Item]:
    """Every resource of our region and of the global services, sorted; a kind is moto's name of its shelf."""
    from moto.core.base_backend import BackendDict

    found: set[Item] = set()
    for services in list(BackendDict._instances):
        for account, regions in list(services.items()):
            if account == ACCOUNT:
                for region in [REGION, PARTITION]:
                    if region in regions.keys():  # noqa: SIM118 - moto's own ``in`` makes the backend
                        found.update(_of_backend(services.service_name, regions[region]))
    return sorted(item for item in found if not _is_aws_own(item[2]))


def _is_aws_own(identifier: str) -> bool:
    """AWS's managed policies and public parameters are in every account."""
    return ":iam::aws:" in identifier or identifier.startswith("/aws/service/")


def _of_backend(service: str, one: Any) -> Iterator[Item]:
    for attribute, value in list(vars(one).items()):
        if (service, attribute) in _HISTORY or attribute.startswith(_OURS):
            continue
        for identifier, item in _entries(value):
            yield service, attribute, identifier
            yield from _inside(service, identifier, item)


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """The resources on a shelf; a shelf of shelves (subnets by zone, tasks by cluster) is opened."""
    for holder in ("_layers", "_functions"):
        value = getattr(value, holder, value)
    if isinstance(value, dict):
        for key, item in list(value.items()):
            if isinstance(item, dict):
                yield from ((f"{key}/{inner}", found) for inner, found in _entries(item))
            elif isinstance(item, list):
                yield from ((f"{key}/{_identify(each)}", each) for each in item if _is_resource(each))
            elif _is_resource(item):
                yield str(key), item
    elif isinstance(value, list | set):
        yield from ((_identify(item), item) for item in list(value) if _is_resource(item))


def _inside(service: str, identifier: str, item: Any) -> Iterator[Item]:
    """Listeners of a load balancer, rules of a bus, rules of a listener."""
    for attribute in _NESTED:
        held = getattr(item, attribute, None)
        if isinstance(held, dict):
            for key, inner in list(held.items()):
                yield service, attribute, f"{identifier}/{key}"
                yield from _inside(service, f"{identifier}/{key}", inner)


def _is_resource(item: Any) -> bool:
    """An object of moto's own, still alive; tags, counters and what AWS itself owns are none."""
    if isinstance(item, (*_PRIMITIVE, dict, list, set, tuple)):
        return False
    instances = getattr(item, "instances", None)
    if type(item).__name__ == "Reservation" and instances is not None:
        return any(_is_resource(instance) for instance in instances)
    if type(item).__name__ == "NetworkInterface" and getattr(item, "instance", None) is not None:
        return _is_resource(item.instance)
    if getattr(item, "layer_versions", None) == {}:
        return False
    if type(item).__name__ == "Key" and str(getattr(item, "description", "")).startswith("Default"):
        return False
    states = (getattr(item, name, "") for name in ("status", "state", "_state", "last_status"))
    return not any(str(getattr(state, "name", state)) in _OVER for state in states)


def _identify(item: Any) -> str:
    for name in ("arn", "id", "name", "physical_resource_id"):
        value = getattr(item, name, None)
        if isinstance(value, str) and value:
            return value
    return type(item).__name__
