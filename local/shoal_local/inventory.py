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
        ("ssm", "_errored_commands"), ("lambda", "_simple_response"),
    }
)  # fmt: skip
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
        if (service, attribute) in _HISTORY or _gone(value):
            continue
        if isinstance(value, dict):
            yield from (
                (service, attribute, str(key)) for key, item in list(value.items()) if _is_resource(item)
            )
        elif isinstance(value, list | set):
            yield from ((service, attribute, _identify(item)) for item in list(value) if _is_resource(item))
        elif hasattr(value, "_arns"):
            yield from ((service, attribute, str(key)) for key in list(value._arns))


def _gone(value: Any) -> bool:
    return isinstance(value, _PRIMITIVE)


def _is_resource(item: Any) -> bool:
    """An object of moto's own, still alive; tags and counters are not resources."""
    if isinstance(item, (*_PRIMITIVE, dict, list, set, tuple)):
        return bool(item) and isinstance(item, dict | list) and _holds_objects(item)
    status = str(getattr(item, "status", "") or "")
    return status not in {"INACTIVE", "DELETED", "DELETE_COMPLETE", "STOPPED", "terminated"}


def _holds_objects(item: Any) -> bool:
    values = list(item.values()) if isinstance(item, dict) else list(item)
    objects = [value for value in values if not isinstance(value, (*_PRIMITIVE, dict, list, set, tuple))]
    return any(_is_resource(value) for value in objects)


def _identify(item: Any) -> str:
    for name in ("arn", "id", "name", "physical_resource_id"):
        value = getattr(item, name, None)
        if isinstance(value, str) and value:
            return value
    return type(item).__name__
