"""The account to the field: every resource of every backend of moto, whoever made it.

One level of fields for each resource, nested plain values with it; an object of another resource is
reduced to its class. So it sees any service, also one nobody thought of. What a failed or deleted deployment
may leave behind is listed in :func:`may_remain`, and nowhere else.
"""

from __future__ import annotations

import functools
import hashlib
import operator
import re
from collections.abc import Iterator
from typing import Any

from shoal_local.names import ACCOUNT, PARTITION, REGION

Key = tuple[str, str, str]
"""Service, shelf (moto's name of it), identifier."""
Snapshot = dict[Key, dict[str, str]]
Line = tuple[str, tuple[str, ...]]
"""A resource as text: its random ids as ``*``, and its pieces, every other one a random id."""

_PRIMITIVE = (str, bytes, int, float, bool, type(None))
_EXPANDED = frozenset(
    {"Item", "DynamoType", "FakeListener", "FakeListenerRule", "FakeHealthStatus", "FakeTag"}
)
_HISTORY = frozenset(
    {
        ("ses", "sent_messages"), ("ses", "sent_message_count"), ("ses", "rejected_messages_count"),
        ("sesv2", "sent_messages"), ("cloudwatch", "metric_data"), ("cloudwatch", "past_metric_data"),
        ("ec2", "launch_template_insert_order"), ("ec2", "launch_template_name_to_ids"),
        ("stepfunctions", "executions"), ("sqs", "deleted_queues"), ("ecs", "deleted_services"),
        ("resourcegroupstaggingapi", "_pages"),
    }
)  # fmt: skip
"""What a service remembers of the past; it costs nothing and cannot be deleted in AWS either."""
_OURS = "shoal_"
"""What the strict rules remember on a backend."""
_VOLATILE = re.compile(
    r"(^|_)(date|time|timestamp|created|updated|modified|at|tick|last_\w+|reads?|lock|etag|version_id"
    r"|shoal_pending|launch_time|createdAt|updatedAt|executions|execution_arn|backend|tagger|events|filters)$"
)
"""Times, references to whole backends, and which execution worked: the answer that said so may be lost."""
_COUNTED = re.compile(r"_subnet_ips|_unused_ips|attachments_status|(services|tasks|instances)_count")
"""Bookkeeping that moto does when somebody looks, or never undoes (addresses of terminated instances)."""
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"), "TIME"),
    (re.compile(r"'(createdAt|updatedAt)': datetime\.datetime\([^)]*\)"), r"'\1': TIME"),
    (re.compile(r"datetime\.datetime\([^)]*\)"), "TIME"),
)
_RANDOM = re.compile(
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=-)[0-9a-f]{17}\b|(?<=/)[0-9a-f]{16}\b"
    r"|(?<='fingerprint': {'S': ')[0-9a-f]{16}"  # of settings that name random ids
    r"|(?<=ecs-svc/)\d+|\b10\.0\.\d+\.\d+\b|[0-9a-f]{2}(?::[0-9a-f]{2}){5}|ip-10-0-\d+-\d+)"
)
_DELETED = frozenset({"DELETED", "DELETE_IN_PROGRESS"})
_EVENT = "EVENT#"
_APART = frozenset({"items", "listeners"})
"""Fields whose contents are entries of their own."""
_OVER = _DELETED | {"INACTIVE"}


def take() -> Snapshot:
    """Every resource in our account, global services included."""
    return {key: fields for service in services() for key, fields in of_service(service).items()}


def services() -> list[str]:
    """moto's names of the services that have a backend now."""
    from moto.core.base_backend import BackendDict

    return [services.service_name for services in list(BackendDict._instances)]


def of_service(name: str, *, events: bool = True) -> Snapshot:
    """Every resource of one service; without ``events`` also without those of a deployment."""
    from moto.core.base_backend import BackendDict

    found: Snapshot = {}
    for services in (one for one in list(BackendDict._instances) if one.service_name == name):
        regions = services.get(ACCOUNT, {})
        for region in (REGION, PARTITION):
            if region in regions.keys():  # noqa: SIM118 - moto's own ``in`` makes the backend
                found.update(_of_backend(name, regions[region], events=events))
    return found


def difference(before: Snapshot, after: Snapshot, deployment: str) -> list[str]:
    """What is left, gone or changed since ``before``; what ``deployment`` may leave is not told."""
    told = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new or may_remain(key, old, new, deployment):
            continue
        what = "leaked" if old is None else "lost" if new is None else f"changed {_fields(old, new)}"
        told.append(f"{what}: {'/'.join(key)}")
    return told


def may_remain(key: Key, old: dict[str, str] | None, new: dict[str, str] | None, deployment: str) -> bool:
    """The whole list of what a deployment may leave behind or touch for good."""
    service, shelf, identifier = key
    if service == "dynamodb":
        return _is_record(identifier, deployment)
    if new is None:
        # what AWS keeps of the past for a while was replaced by a newer past
        return _is_past(shelf, old or {})
    return old is None and _is_past(shelf, new) and _is_ours(identifier, new, deployment)


def _is_record(identifier: str, deployment: str) -> bool:
    """The STATE item and the events: the audit trail of a deployment that is gone."""
    own = f"DEPLOYMENT#{deployment}/"
    return own in identifier and "/RESOURCE#" not in identifier


def _is_past(shelf: str, resource: dict[str, str]) -> bool:
    """INACTIVE clusters, services and providers; task definitions only when they are being deleted."""
    over = _DELETED if shelf == "task_definitions" else _OVER
    return any(resource.get(name, "").strip("'") in over for name in ("status", "state", "_state"))


def _is_ours(identifier: str, resource: dict[str, str], deployment: str) -> bool:
    return deployment in identifier or any(deployment in value for value in resource.values())


def canonical(snapshot: Snapshot) -> str:
    """One text for accounts that differ only in times and random ids, numbered where they first show."""
    return numbered(lines(snapshot))


def lines(snapshot: Snapshot, without: frozenset[str] = frozenset()) -> list[Line]:
    """A line for each resource but the events of a deployment, without the fields of these names."""
    kept = ((key, fields) for key, fields in snapshot.items() if not _is_event(key))
    texts = (
        f"{key} {sorted(one for one in fields.items() if one[0] not in without)}" for key, fields in kept
    )
    return [(_starred(text), _split(text)) for text in texts]


def numbered(found: list[Line]) -> str:
    """The lines in an order that no random id decides, each id as the number of its first place."""
    numbers: dict[str, str] = {}
    return "\n".join(_numbered(pieces, numbers) for _, pieces in sorted(found, key=operator.itemgetter(0)))


def _numbered(split: tuple[str, ...], numbers: dict[str, str]) -> str:
    pieces = list(split)
    pieces[1::2] = [numbers.setdefault(one, f"#{len(numbers)}") for one in pieces[1::2]]
    return "".join(pieces)


def starred(snapshot: Snapshot) -> Snapshot:
    """The same with every random id as ``*``: a service that went there and back has another rollout's id."""
    return {
        (key[0], key[1], _starred(key[2])): {name: _starred(value) for name, value in fields.items()}
        for key, fields in snapshot.items()
    }


def digest(snapshot: Snapshot) -> str:
    return hashlib.sha256(canonical(snapshot).encode()).hexdigest()


def _is_event(key: Key) -> bool:
    """The history of a deployment grows with each retry; so do the executions."""
    return key[0] == "dynamodb" and _EVENT in key[2]


def _starred(text: str) -> str:
    return "*".join(_split(text)[::2])


@functools.lru_cache(100_000)
def _split(text: str) -> tuple[str, ...]:
    """Every other piece is a random id. Kept, because most of an account is the same from look to look."""
    return tuple(_RANDOM.split(text))


def _fields(old: dict[str, str], new: dict[str, str]) -> str:
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return ", ".join(f"{name}: {old.get(name)} -> {new.get(name)}"[:200] for name in names)


def _of_backend(service: str, one: Any, *, events: bool) -> Iterator[tuple[Key, dict[str, str]]]:
    for shelf, value in list(vars(one).items()):
        if (service, shelf) in _HISTORY or shelf.startswith(_OURS):
            continue
        for identifier, item in _entries(value):
            if service == "ec2" and _is_over(shelf, identifier, item):
                continue
            yield (service, shelf, identifier), _described(item)
            for name, inner in _inside(item):
                if not events and _EVENT in name:
                    continue
                yield (service, shelf, f"{identifier}/{name}"), _described(inner)


def _is_over(shelf: str, identifier: str, item: Any) -> bool:
    """A terminated instance, with its interface and its tags, stays visible for an hour (EC2)."""
    if shelf == "reservations":
        return all(instance.state == "terminated" for instance in item.instances)
    if shelf == "enis":
        return getattr(item.instance, "state", "") == "terminated"
    return shelf == "tags" and _is_gone(identifier.partition("/")[0])


def _is_gone(resource: str) -> bool:
    """moto keeps the tags of an instance or a launch template that is gone."""
    from shoal_local.names import backend

    ec2 = backend("ec2")
    if resource.startswith("lt-"):
        return resource not in ec2.launch_templates
    found = ec2.get_instance_by_id(resource) if resource.startswith("i-") else None
    return found is not None and found.state == "terminated"


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """The resources on a shelf; a shelf of shelves (subnets by zone) is opened, plain values are kept."""
    if isinstance(value, dict):
        for key, item in list(value.items()):
            if isinstance(item, dict):
                yield from ((f"{key}/{inner}", found) for inner, found in _entries(item))
            else:
                yield str(key), item
    elif isinstance(value, list | set | tuple):
        yield from ((_identify(item), item) for item in list(value))


def _inside(item: Any) -> Iterator[tuple[str, Any]]:
    """Listeners of a balancer, rules of a listener, the items of a table, the keys of a bucket."""
    listeners = getattr(item, "listeners", None)
    if isinstance(listeners, dict):
        yield from ((str(key), listener) for key, listener in list(listeners.items()))
    if type(item).__name__ == "Table":
        for hashed, inner in list(item.items.items()):
            yield from ((f"{_plain(hashed)}/{_plain(ranged)}", one) for ranged, one in _ranged(inner))


def _ranged(inner: Any) -> list[tuple[Any, Any]]:
    return list(inner.items()) if isinstance(inner, dict) else [("", inner)]


def _described(item: Any) -> dict[str, str]:
    if isinstance(item, (*_PRIMITIVE, list, set, tuple)):
        return {"value": _text(item)}
    if type(item).__name__ == "Item":
        attributes = item.to_json()["Attributes"]
        return {name: _text(value) for name, value in attributes.items() if not _is_volatile(name)}
    if type(item).__name__ == "LaunchTemplate":
        return {"name": item.name, "default": str(item.default_version_number), "versions": _versions(item)}
    names = [name for name in vars(item) if not _is_volatile(name)] if hasattr(item, "__dict__") else []
    names = [name for name in names if name not in _APART]
    return {name: _text(getattr(item, name)) for name in names}


def _versions(template: Any) -> str:
    """The versions that were not deleted, with their data."""
    kept = [one for one in template.versions if not getattr(one, "shoal_deleted", False)]
    return _text([(one.number, one.data) for one in kept])


@functools.cache
def _is_volatile(name: str) -> bool:
    return bool(_VOLATILE.search(name) or _COUNTED.search(name))


def _text(value: Any) -> str:
    return _masked(repr(_plain(value)))


@functools.lru_cache(100_000)
def _masked(text: str) -> str:
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text


def _plain(value: Any) -> Any:
    """Plain values as they are, in order; objects by class."""
    if type(value).__name__ == "DynamoType":
        return value.value
    if isinstance(value, dict):
        return {
            str(_plain(key)): _plain(value[key])
            for key in sorted(value, key=str)
            if not _is_volatile(str(key))
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(str(_plain(item)) for item in value)
    if isinstance(value, _PRIMITIVE):
        return value
    if type(value).__name__ in _EXPANDED:
        return {name: _plain(inner) for name, inner in vars(value).items() if not _is_volatile(name)}
    return type(value).__name__


def _identify(item: Any) -> str:
    for name in ("arn", "id", "name", "physical_resource_id"):
        value = getattr(item, name, None)
        if isinstance(value, str) and value:
            return value
    return str(item) if isinstance(item, _PRIMITIVE) else type(item).__name__
