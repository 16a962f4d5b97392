"""moto 5.2.5 made as strict as AWS where the control plane depends on it: one small function per rule.

``install()`` once, before the server starts; ``uninstall()`` gives stock moto back; ``installed()`` is for
tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shoal_local.strict import (  # noqa: F401  importing a module registers its rules
    autoscaling,
    cloudwatch,
    compute,
    data,
    ecs_capacity,
    ecs_clusters,
    ecs_definitions,
    ecs_instances,
    ecs_protection,
    ecs_services,
    ecs_tasks,
    elbv2_groups,
    elbv2_listeners,
    elbv2_rules,
    elbv2_tags,
    elbv2_targets,
    messages,
    mixed_instances,
    template_tokens,
    template_versions,
)
from shoal_local.strict.choices import demand_paths, forgive_paths
from shoal_local.strict.engine import RULES, guarded, operation_contract
from shoal_local.strict.fields import drop_fields, keep_fields
from shoal_local.strict.slow import PACE
from shoal_local.strict.transactions import isolate_transactions, share_transactions

ADDED = frozenset(
    {
        ("ecs", "UpdateTaskProtection"),
        ("ecs", "GetTaskProtection"),
        ("ec2-launch-templates", "DeleteLaunchTemplateVersions"),
    }
)
"""Operations moto does not have at all."""


def install(reads: int = 1) -> None:
    """Put every rule in force. ``reads``: how many reads still show a passing state (DRAINING and the like).

    Raises:
        MotoChanged: moto has moved one of the operations.
    """
    PACE.reads = reads
    for service, operation in _operations():
        target = operation_contract(service, operation)
        if (service, operation) in ADDED:
            target.add(guarded(service, operation, None))
        else:
            target.replace(guarded(service, operation, target.original))
    keep_fields()
    demand_paths()
    isolate_transactions()


def uninstall() -> None:
    """Stock moto again."""
    for service, operation in _operations():
        operation_contract(service, operation).restore()
    drop_fields()
    forgive_paths()
    share_transactions()


@contextmanager
def installed(reads: int = 1) -> Iterator[None]:
    """The rules in force for the length of a ``with``."""
    install(reads)
    try:
        yield
    finally:
        uninstall()


def _operations() -> list[tuple[str, str]]:
    return list(dict.fromkeys((rule.service, rule.operation) for rule in RULES))
