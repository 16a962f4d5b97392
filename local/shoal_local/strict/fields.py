"""Small mends of moto's objects that stand behind no single operation."""

from __future__ import annotations

from typing import Any

from shoal_local.patches import contract

FORGET_TERMINATED = contract(
    "moto.elbv2.models", "FakeTargetGroup.deregister_terminated_instances", "self instance_ids"
)


def keep_fields() -> None:
    """Targets are keyed by ``id:port`` (see :mod:`shoal_local.strict.elbv2_targets`): moto looks for bare
    ids."""
    FORGET_TERMINATED.replace(_forget_terminated)


def drop_fields() -> None:
    FORGET_TERMINATED.restore()


def _forget_terminated(group: Any, instance_ids: list[str]) -> None:
    for key, target in list(group.targets.items()):
        if target["Id"] in instance_ids:
            del group.targets[key]
