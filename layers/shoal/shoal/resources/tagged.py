"""What carries our tags, of any service: the Resource Groups Tagging API, for what no name of ours finds.

Its index lags behind, and lists what was deleted a while ago (GetResources: "tagged or previously tagged"),
so nothing here is believed to exist: a known kind is told to go, and answers GONE where it is gone already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shoal.aws import client, domain_errors
from shoal.resources.kind import (
    DEPLOYMENT_TAG,
    ENVIRONMENT_TAG,
    MANAGED_BY_TAG,
    OWNER,
    plain_tags,
)

_KINDS = (
    ("cluster", re.compile(r":ecs:.*:cluster/([^/]+)$")),
    ("service", re.compile(r":ecs:.*:service/[^/]+/([^/]+)$")),
    ("task_definition", re.compile(r":ecs:.*:task-definition/([^/:]+:\d+)$")),
    ("capacity_provider", re.compile(r":ecs:.*:capacity-provider/([^/]+)$")),
    ("auto_scaling_group", re.compile(r":autoscaling:.*autoScalingGroupName/([^/]+)$")),
    ("launch_template", re.compile(r":ec2:.*:launch-template/([^/]+)$")),
    ("target_group", re.compile(r":elasticloadbalancing:.*:targetgroup/([^/]+)/[^/]+$")),
    ("listener", re.compile(r":elasticloadbalancing:.*:listener/(.+)$")),
    ("host_rule", re.compile(r":elasticloadbalancing:.*:listener-rule/(.+)$")),
    ("queue", re.compile(r":sqs:[^:]*:[^:]*:(.+)$")),
    ("log_group", re.compile(r":logs:[^:]*:[^:]*:log-group:([^:]+)")),
    ("alarm", re.compile(r":cloudwatch:.*:alarm:(.+)$")),
    ("dashboard", re.compile(r":cloudwatch:.*:dashboard/(.+)$")),
    ("instance", re.compile(r":ec2:.*:instance/([^/]+)$")),
    ("volume", re.compile(r":ec2:.*:volume/([^/]+)$")),
    ("network_interface", re.compile(r":ec2:.*:network-interface/([^/]+)$")),
    ("task", re.compile(r":ecs:.*:task/(.+)$")),
    ("container_instance", re.compile(r":ecs:.*:container-instance/(.+)$")),
)

_SORTS = {"dead_letter_queue": "queue", "launch_template_version": "launch_template"}

PASSING = frozenset({"instance", "volume", "network_interface", "task", "container_instance"})
"""What the service or the Auto Scaling group makes and takes away itself."""


@dataclass(frozen=True)
class Tagged:
    """``kind`` is one of ours, or the ARN's own words (``lambda function``) for what we never make."""

    kind: str
    name: str
    arn: str
    tags: Mapping[str, str]

    @property
    def deployment(self) -> str:
        return self.tags.get(DEPLOYMENT_TAG, "")


def sort_of(kind: str) -> str:
    """What AWS knows a kind of ours as: one of the words of ``_KINDS``."""
    return "alarm" if kind.endswith("_alarm") else _SORTS.get(kind, kind)


def find(environment: str, deployment: str | None = None) -> list[Tagged]:
    """Everything that says it is ours; of one deployment, or of the whole environment.

    Raises:
        Denied, Retryable: as AWS answered.
    """
    filters = [
        {"Key": MANAGED_BY_TAG, "Values": [OWNER]},
        {"Key": ENVIRONMENT_TAG, "Values": [environment]},
        {"Key": DEPLOYMENT_TAG, "Values": [deployment] if deployment else []},
    ]
    with domain_errors("look for what carries our tags"):
        pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=filters)
        return [
            described(one["ResourceARN"], plain_tags(one["Tags"]))
            for page in pages
            for one in page["ResourceTagMappingList"]
        ]


def described(arn: str, tags: Mapping[str, str]) -> Tagged:
    """An ARN in our words."""
    for kind, pattern in _KINDS:
        match = pattern.search(arn)
        if match:
            return Tagged(kind, match.group(1), arn, tags)
    service, resource = arn.split(":", 5)[2], arn.split(":", 5)[-1]
    sort, separator, _ = re.sub("[:/]", ":", resource, count=1).partition(":")
    return Tagged(f"{service} {sort}" if separator else service, resource, arn, tags)
