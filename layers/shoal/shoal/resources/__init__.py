"""One module per kind of AWS resource: how it is made, observed and unmade stand side by side."""

from shoal.resources.alarms import (
    DeadLetterAlarm,
    OldestVideoAlarm,
    StalledQueueAlarm,
    UnhealthyEndpointAlarm,
)
from shoal.resources.auto_scaling_group import AutoScalingGroup
from shoal.resources.capacity_provider import CapacityProvider
from shoal.resources.cluster import Cluster
from shoal.resources.cluster_capacity import ClusterCapacity
from shoal.resources.dashboard import Dashboard
from shoal.resources.host_claim import HostClaim
from shoal.resources.host_rule import HostRule
from shoal.resources.kind import AdjustedKind, ResourceKind, RevisionedKind, TunedKind
from shoal.resources.launch_template import LaunchTemplate
from shoal.resources.launch_template_version import LaunchTemplateVersion
from shoal.resources.listener import Listener
from shoal.resources.listener_port import ListenerPort
from shoal.resources.log_group import LogGroup
from shoal.resources.queue import DeadLetterQueue, Queue
from shoal.resources.service import Service
from shoal.resources.target_group import TargetGroup
from shoal.resources.task_definition import TaskDefinition

ALARMS: tuple[TunedKind, ...] = (
    DeadLetterAlarm(),
    OldestVideoAlarm(),
    StalledQueueAlarm(),
    UnhealthyEndpointAlarm(),
)

KINDS: tuple[ResourceKind, ...] = (
    ListenerPort(),
    HostClaim(),
    TargetGroup(),
    Listener(),
    HostRule(),
    LogGroup(),
    DeadLetterQueue(),
    Queue(),
    Cluster(),
    TaskDefinition(),
    LaunchTemplate(),
    LaunchTemplateVersion(),
    AutoScalingGroup(),
    CapacityProvider(),
    ClusterCapacity(),
    Service(),
    *ALARMS,
    Dashboard(),
)
"""Every kind, in the order of making."""

BY_KIND = {kind.kind: kind for kind in KINDS}

REVISIONED: dict[str, RevisionedKind] = {
    kind.kind: kind for kind in (TaskDefinition(), LaunchTemplateVersion())
}
"""Kinds of which each revision has its own."""

ADJUSTED: dict[str, AdjustedKind] = {kind.kind: kind for kind in (AutoScalingGroup(), Service())}
"""Kinds that an update points at the new revision, in this order."""

TUNED: dict[str, TunedKind] = {kind.kind: kind for kind in (*ALARMS, Dashboard())}
"""Kinds whose settings follow the specification and a stop."""
