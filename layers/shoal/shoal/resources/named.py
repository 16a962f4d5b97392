"""What carries a name of ours, tagged or not: the lists of each service, by ``shoal-<environment>-``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shoal.aws import client, domain_errors
from shoal.contracts.names import resource_name
from shoal.resources.kind import plain_tags
from shoal.resources.tagged import Tagged

INSIGHTS = "/aws/ecs/containerinsights/"
"""Where Container Insights makes a log group for each cluster, by itself and without tags."""


def prefix_of(environment: str) -> str:
    """``shoal-prod-``: what every name begins with."""
    return f"{resource_name(environment, '')}-"


def target_groups(prefix: str) -> Iterator[Tagged]:
    for page in client("elbv2").get_paginator("describe_target_groups").paginate():
        for one in page["TargetGroups"]:
            if one["TargetGroupName"].startswith(prefix):
                yield Tagged("target_group", one["TargetGroupName"], one["TargetGroupArn"], {})


def log_groups(prefix: str) -> Iterator[Tagged]:
    pages = client("logs").get_paginator("describe_log_groups")
    for start in (prefix, f"{INSIGHTS}{prefix}"):
        for page in pages.paginate(logGroupNamePrefix=start):
            for one in page["logGroups"]:
                yield Tagged("log_group", one["logGroupName"], one["arn"].removesuffix(":*"), {})


def queues(prefix: str) -> Iterator[Tagged]:
    for page in client("sqs").get_paginator("list_queues").paginate(QueueNamePrefix=prefix):
        for url in page.get("QueueUrls", []):
            yield Tagged("queue", url.rsplit("/", 1)[-1], url, {})


def clusters(prefix: str) -> Iterator[Tagged]:
    for page in client("ecs").get_paginator("list_clusters").paginate():
        for arn in page["clusterArns"]:
            if arn.rsplit("/", 1)[-1].startswith(prefix):
                yield Tagged("cluster", arn.rsplit("/", 1)[-1], arn, {})


def task_definitions(prefix: str) -> Iterator[Tagged]:
    for status in ("ACTIVE", "INACTIVE"):
        pages = client("ecs").get_paginator("list_task_definitions")
        for page in pages.paginate(status=status):
            for arn in page["taskDefinitionArns"]:
                name = arn.rsplit("/", 1)[-1]
                if name.startswith(prefix):
                    yield Tagged("task_definition", name, arn, {})


def auto_scaling_groups(prefix: str) -> Iterator[Tagged]:
    for page in client("autoscaling").get_paginator("describe_auto_scaling_groups").paginate():
        for one in page["AutoScalingGroups"]:
            if one["AutoScalingGroupName"].startswith(prefix):
                tags = plain_tags(one.get("Tags", []))
                yield Tagged(
                    "auto_scaling_group", one["AutoScalingGroupName"], one["AutoScalingGroupARN"], tags
                )


def launch_templates(prefix: str) -> Iterator[Tagged]:
    for page in client("ec2").get_paginator("describe_launch_templates").paginate():
        for one in page["LaunchTemplates"]:
            if one["LaunchTemplateName"].startswith(prefix):
                tags = plain_tags(one.get("Tags", []))
                yield Tagged("launch_template", one["LaunchTemplateName"], one["LaunchTemplateId"], tags)


LISTS: dict[str, Callable[[str], Iterator[Tagged]]] = {
    "target groups": target_groups,
    "log groups": log_groups,
    "queues": queues,
    "clusters": clusters,
    "task definitions": task_definitions,
    "Auto Scaling groups": auto_scaling_groups,
    "launch templates": launch_templates,
}
"""By what a person calls them."""


def find(what: str, environment: str) -> list[Tagged]:
    """One list of :data:`LISTS`.

    Raises:
        Denied, Retryable: as AWS answered.
    """
    with domain_errors(f"list the {what}"):
        return list(LISTS[what](prefix_of(environment)))
