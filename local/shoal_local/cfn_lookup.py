"""What a resource of a template is called, what class makes it, what its properties resolve to."""

from __future__ import annotations

from typing import Any

from shoal_local.cfn_resource import REGISTRY, Properties
from shoal_local.patches import contract

_PARSING = "moto.cloudformation.parsing"
contract(_PARSING, "generate_resource_name", "resource_type stack_name logical_id")
contract(_PARSING, "resource_name_property_from_type", "resource_type")
contract(_PARSING, "get_model_map", "")


def made(resource_map: Any) -> dict[str, Properties]:
    """The resolved properties of every living resource, in the order they were made."""
    found: dict[str, Properties] = resource_map.__dict__.setdefault("_shoal_made", {})
    return found


def class_of(kind: str) -> Any:
    """moto's own class of a type.

    Raises:
        LookupError: neither moto nor this package has it.
    """
    from moto.cloudformation.parsing import get_model_map

    found = REGISTRY.get(kind) or get_model_map().get(kind)
    if found is None:
        raise LookupError(
            f"the embedded cloud has no {kind}: add a class for it to local/shoal_local/cfn_*.py"
        )
    return found


def name_of(kind: str, logical_id: str, properties: Properties, resource_map: Any) -> str:
    """The name the template gives, else a generated one."""
    from moto.cloudformation import parsing

    own = REGISTRY.get(kind)
    named = own.name_property if own else parsing.resource_name_property_from_type(kind)
    if named and properties.get(named):
        return str(properties[named])
    return str(parsing.generate_resource_name(kind, resource_map["AWS::StackName"], logical_id))


def resolved(resource_json: dict[str, Any], resource_map: Any) -> Properties:
    """The properties without intrinsic functions; what they refer to is made on the way."""
    from moto.cloudformation import parsing

    properties: Properties = parsing.clean_json(resource_json.get("Properties") or {}, resource_map)
    return properties


def exists(resource_json: dict[str, Any], resource_map: Any) -> bool:
    """Whether the resource's condition holds."""
    condition = resource_json.get("Condition")
    return not condition or bool(resource_map.lazy_condition_map[condition])
