"""Each kind by itself: making twice makes one thing, unmaking twice is still gone."""

from __future__ import annotations

from collections.abc import Iterator

import deployment_flow as flow
import pytest
from faults.injector import Injector, injecting
from faults.plans import Fault
from shoal.aws import client
from shoal.contracts.status import Absence, LedgerState
from shoal.deployments import store
from shoal.errors import Conflict, Retryable
from shoal.resources import BY_KIND, KINDS
from shoal.resources.kind import Answer, Context, Entry, ResourceKind
from shoal_local import strict

IN_THE_CLUSTER = [
    "log_group",
    "dead_letter_queue",
    "queue",
    "cluster",
    "task_definition",
    "launch_template",
    "launch_template_version",
    "auto_scaling_group",
    "capacity_provider",
    "cluster_capacity",
]
BY_HOST = {"host_claim", "host_rule"}

INSTANCES = ["cluster", *IN_THE_CLUSTER[5:9]]
NEEDS = {
    "listener": ["listener_port", "target_group"],
    "host_rule": ["host_claim", "target_group"],
    "queue": ["dead_letter_queue"],
    "task_definition": ["log_group", "dead_letter_queue", "queue"],
    "launch_template": ["cluster"],
    "launch_template_version": ["cluster", "launch_template"],
    "auto_scaling_group": INSTANCES[:3],
    "capacity_provider": INSTANCES[:4],
    "cluster_capacity": INSTANCES,
    "service": ["target_group", "listener", *IN_THE_CLUSTER],
    "dead_letter_alarm": ["dead_letter_queue"],
    "oldest_video_alarm": ["dead_letter_queue", "queue"],
    "stalled_queue_alarm": ["target_group", "listener", *IN_THE_CLUSTER, "service"],
    "unhealthy_endpoint_alarm": ["target_group"],
    "dashboard": ["target_group", "listener", *IN_THE_CLUSTER, "service"],
}
"""What must be made before each kind can be."""


@pytest.fixture
def strict_account(account: dict[str, str]) -> Iterator[None]:
    with strict.installed(reads=0):
        yield


def made_before(kind: str) -> Context:
    """A claimed deployment with everything made that ``kind`` needs."""
    spec = flow.spec_of("queue,endpoint", **(flow.BY_HOST if kind in BY_HOST else {}))
    taken = store.claim(spec, "tests")
    made: dict[str, Entry] = {}
    context = Context("dev", spec.name, spec, taken.revision, taken.generation, made)
    for needed in NEEDS.get(kind, []):
        made[needed] = entry_of(BY_KIND[needed], context)
    return context


def entry_of(kind: ResourceKind, context: Context) -> Entry:
    result = kind.make(context)
    return Entry(
        kind=kind.kind,
        order=kind.order,
        name=kind.name(context),
        revision=context.revision,
        state=LedgerState.CREATED,
        arn=result.arn,
        extra=result.extra,
    )


def unmake_until_gone(kind: ResourceKind, entry: Entry, context: Context) -> list[Answer]:
    answers = []
    for _ in range(5):
        answers.append(kind.unmake(entry, context))
        if answers[-1].absence is Absence.GONE:
            return answers
    raise AssertionError(f"{kind.kind} is still {answers[-1]}")


OF_THEIR_OWN = [kind for kind in KINDS if kind.kind != "launch_template_version"]
"""A version is a part of its launch template: test_deployments_updates.py looks at it."""


@pytest.mark.usefixtures("strict_account")
@pytest.mark.parametrize("kind", OF_THEIR_OWN, ids=lambda kind: kind.kind)
def test_make_and_unmake_may_be_repeated(kind: ResourceKind) -> None:
    # Given
    context = made_before(kind.kind)
    before = flow.resources()
    # When
    first = entry_of(kind, context)
    once = flow.resources()
    second = entry_of(kind, context)
    # Then
    assert (second, flow.resources()) == (first, once)
    found = kind.observe(context)
    assert found is not None
    assert context.owns(found.tags)
    # When
    unmake_until_gone(kind, first, context)
    # Then
    assert kind.unmake(first, context).absence is Absence.GONE
    assert kind.observe(context) is None
    assert flow.resources() == before


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_dependents_come_later(kind: ResourceKind) -> None:
    assert all(BY_KIND[blocker].order > kind.order for blocker in kind.blocked_by)
    assert [one.order for one in KINDS] == sorted({one.order for one in KINDS})


@pytest.mark.usefixtures("strict_account")
@pytest.mark.parametrize("kind", ["target_group", "queue", "launch_template", "auto_scaling_group"])
def test_what_another_revision_left_is_not_adopted(kind: str) -> None:
    # Given
    context = made_before(kind)
    BY_KIND[kind].make(context)
    later = Context("dev", context.deployment, context.spec, 9, context.generation, context.made)
    # When / Then
    with pytest.raises(Conflict, match="left of revision 1"):
        BY_KIND[kind].make(later)


def test_a_lost_answer_registers_one_task_definition(account: dict[str, str]) -> None:
    """RegisterTaskDefinition is not idempotent: an SDK that repeats it leaves a revision that nobody uses."""
    # Given
    spec = flow.spec_of()
    payload = flow.begin(spec)
    with injecting(Injector()) as injector:
        injector.begin([Fault("ecs.RegisterTaskDefinition", 1, "lost*")])
        # When
        with pytest.raises(Retryable):
            flow.make(spec, payload)
        injector.end()
    flow.make(spec, payload)
    # Then
    listed = client("ecs").list_task_definitions()["taskDefinitionArns"]
    assert [arn.rsplit(":", 1)[-1] for arn in listed] == ["1"]
