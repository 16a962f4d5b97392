"""What happens to each resource, as events of its stack: moto records only the stack's own."""

from __future__ import annotations

from typing import Any

from shoal_local.names import backend


def record(resource_map: Any, logical_id: str, kind: str, status: str, reason: str | None = None) -> None:
    """Add one event to the stack that owns ``resource_map``."""
    from moto.cloudformation.models import Event

    cloudformation = backend("cloudformation")
    stack = cloudformation.stacks.get(resource_map.stack_id) or cloudformation.deleted_stacks.get(
        resource_map.stack_id
    )
    if stack is None:
        return
    resource = resource_map._parsed_resources.get(logical_id)
    event = Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=logical_id,
        physical_resource_id=str(getattr(resource, "physical_resource_id", "") or ""),
        resource_type=kind,
        resource_status=status,
        resource_status_reason=reason,
        resource_properties=None,
    )
    stack.events.append(event)
