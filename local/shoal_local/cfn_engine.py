"""Making, changing and removing the resources of one stack, in place of moto's ``ResourceMap``.

moto skips unsupported types silently, compares templates instead of resolved properties, and deletes in no
order. Here an unknown type fails, a resource is touched only when its resolved properties differ, and what
was made last goes first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shoal_local.cfn_events_log import record
from shoal_local.cfn_inplace import IN_PLACE
from shoal_local.cfn_lookup import class_of, exists, made, name_of, resolved
from shoal_local.cfn_resource import REGISTRY, Properties
from shoal_local.errors import LocalCloudError
from shoal_local.patches import contract

_PARSING = "moto.cloudformation.parsing"
_CLEAN = contract(_PARSING, "clean_json", "resource_json resources_map")
_MAKE = contract(
    _PARSING, "parse_and_create_resource", "logical_id resource_json resources_map account_id region_name"
)
_CREATE = contract(_PARSING, "ResourceMap.create", "self template")
_UPDATE = contract(_PARSING, "ResourceMap.update", "self template parameters")
_DELETE = contract(_PARSING, "ResourceMap.delete", "self")
_CLASS = contract(_PARSING, "resource_class_from_type", "resource_type")
_REMOVE_ONE = contract(_PARSING, "ResourceMap._delete_resource", "self parsed_resource resource_json")
contract(_PARSING, "ResourceMap.load_parameters", "self")
contract(_PARSING, "ResourceMap.load_conditions", "self")

_KEPT = frozenset({"Retain", "RetainExceptOnCreate"})


class ResourceFailed(LocalCloudError):
    """One resource could not be made, changed or removed; the message names it and says why."""

    code = "resource-failed"


def _guarded(logical_id: str, kind: str, verb: str, resource_map: Any, action: Callable[[], Any]) -> Any:
    """Whatever goes wrong with one resource becomes a stack event and one kind of error."""
    try:
        result = action()
    except ResourceFailed:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        record(resource_map, logical_id, kind, f"{verb}_FAILED", reason)
        raise ResourceFailed(f"{logical_id} ({kind}): {reason}") from error
    record(resource_map, logical_id, kind, f"{verb}_COMPLETE")
    return result


def _make(
    logical_id: str, resource_json: dict[str, Any], resources_map: Any, account_id: str, region_name: str
) -> Any:
    """In place of ``parse_and_create_resource``: None when the condition does not hold."""
    if not exists(resource_json, resources_map):
        return None
    kind = resource_json["Type"]

    def create() -> Any:
        properties = resolved(resource_json, resources_map)
        resource = _create(logical_id, kind, properties, resources_map, account_id, region_name)
        resource.cf_resource_type, resource.logical_resource_id = kind, logical_id
        made(resources_map)[logical_id] = properties
        return resource

    return _guarded(logical_id, kind, "CREATE", resources_map, create)


def _create(
    logical_id: str, kind: str, properties: Properties, resource_map: Any, account_id: str, region_name: str
) -> Any:
    cls, name = class_of(kind), name_of(kind, logical_id, properties, resource_map)
    if kind in REGISTRY:
        resource = cls(name)
        resource.create(properties)
        return resource
    context = {"LogicalId": logical_id, "StackId": resource_map.stack_id, "ResourceType": kind}
    # moto's models change what they are given
    body = {"Type": kind, "Properties": _copy(properties)}
    return cls.create_from_cloudformation_json(name, body, account_id, region_name, **context)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _apply(self: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    """In place of ``ResourceMap.update``, and of ``create``: bring the stack to this template."""
    if parameters is not None:
        self.input_parameters = parameters
    self._template = template
    self.resolved_parameters = {}
    self._resource_json_map = template["Resources"]
    for load in (self.load_mapping, self.load_parameters, self.load_conditions):
        load()
    wanted = [name for name in _ordered(template["Resources"]) if exists(template["Resources"][name], self)]
    for name in wanted:
        if name in made(self):
            _change(self, name)
        elif self[name] is None:
            raise ResourceFailed(f"{name} was not made")
    for name in [name for name in reversed(list(made(self))) if name not in wanted]:
        _remove(self, name)


def _ordered(resources: dict[str, Any]) -> list[str]:
    """``DependsOn`` first; references are followed while a resource is made."""
    order: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ResourceFailed(f"circular DependsOn: {' -> '.join((*above, name))}")
        depends = resources[name].get("DependsOn") or []
        for other in [depends] if isinstance(depends, str) else depends:
            visit(other, (*above, name))
        order.setdefault(name)

    for name in resources:
        visit(name, ())
    return list(order)


def _change(self: Any, name: str) -> None:
    resource_json = self._resource_json_map[name]
    kind, properties = resource_json["Type"], resolved(resource_json, self)
    resource = self._parsed_resources[name]
    if properties == made(self)[name] and resource.cf_resource_type == kind:
        return

    def change() -> None:
        if resource.cf_resource_type != kind or not _in_place(self, name, resource, properties):
            _remove(self, name)
            if self[name] is None:
                raise LookupError("the replacement was not made")
        made(self)[name] = properties

    _guarded(name, kind, "UPDATE", self, change)


def _in_place(self: Any, name: str, resource: Any, properties: Properties) -> bool:
    """True when the resource took the change; False asks for a replacement."""
    kind = resource.cf_resource_type
    if kind in REGISTRY:
        named = REGISTRY[kind].name_property
        renamed = named and properties.get(named) != made(self)[name].get(named)
        return not renamed and bool(resource.update(properties))
    return kind in IN_PLACE and IN_PLACE[kind](resource, made(self)[name], properties)


def _remove(self: Any, name: str) -> None:
    resource, properties = self._parsed_resources[name], made(self)[name]
    kind = resource.cf_resource_type

    def remove() -> None:
        if kind in REGISTRY:
            resource.delete()
        else:
            self._delete_resource(resource, {"Type": kind, "Properties": properties})
        self._parsed_resources.pop(name, None)
        made(self).pop(name, None)

    _guarded(name, kind, "DELETE", self, remove)


def remove_all(self: Any, kept: frozenset[str] = _KEPT) -> None:
    """In place of ``ResourceMap.delete``: backwards; what another resource still holds gets a second try.

    ``kept`` are the deletion policies that keep a resource; a failed creation keeps fewer.
    """
    failures: dict[str, ResourceFailed] = {}
    for _ in range(3):
        failures = {}
        for name in reversed(list(made(self))):
            if self._resource_json_map.get(name, {}).get("DeletionPolicy") in kept:
                made(self).pop(name)
                self._parsed_resources.pop(name, None)
                continue
            try:
                _remove(self, name)
            except ResourceFailed as error:
                failures[name] = error
        if not failures:
            return
    raise ResourceFailed("; ".join(str(error) for error in failures.values()))


def install() -> None:
    """Put this engine in moto's place."""
    clean = _CLEAN.original

    def clean_json(resource_json: Any, resources_map: Any) -> Any:
        cleaned = clean(resource_json, resources_map)
        # moto drops AWS::NoValue from maps but leaves it in lists
        return [item for item in cleaned if item is not None] if isinstance(cleaned, list) else cleaned

    def create(self: Any, template: dict[str, Any]) -> bool:
        _apply(self, template)
        return True

    _CLEAN.replace(clean_json)
    _CLASS.replace(class_of)
    _MAKE.replace(_make)
    _CREATE.replace(create)
    _UPDATE.replace(_apply)
    _DELETE.replace(lambda self: remove_all(self))
    _REMOVE_ONE.check()
