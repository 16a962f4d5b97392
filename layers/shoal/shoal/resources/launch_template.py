"""The launch template of the GPU instances (EC2): AMI by SSM parameter, IMDSv2, an encrypted root volume."""

from __future__ import annotations

import base64
import json
from typing import Any

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import MINIMUM_ROOT_VOLUME_GIB, DeploymentSpec
from shoal.resources.kind import (
    GONE,
    Answer,
    Context,
    Entry,
    Found,
    Made,
    Scope,
    make_or_adopt,
    plain_tags,
    upper_tags,
)
from shoal.settings import settings

NAME_LIMIT = 128
ROOT_DEVICE = "/dev/xvda"
IMAGE_TAG = "shoal:image-id"
FIRST_VERSION = "1"
THROUGHPUT_MIB_S = 500
"""gp3's default of 125 MiB/s makes pulling a CUDA image the longest part of a cold start."""

ABSENT = frozenset(
    {
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
        "InvalidLaunchTemplateName.NotFoundException",
    }
)


class LaunchTemplate:
    """Pinned: the AMI is resolved once, at deploy time, and recorded in the ledger."""

    kind = "launch_template"
    order = 80
    blocked_by = ("auto_scaling_group",)

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.compute == "ec2-gpu"

    def name(self, scope: Scope) -> str:
        return scope.name(limit=NAME_LIMIT)

    def make(self, context: Context) -> Made:
        taken = frozenset({"InvalidLaunchTemplateName.AlreadyExistsException"})
        return make_or_adopt(self, context, lambda: self._create(context), taken)

    def observe(self, scope: Scope) -> Found | None:
        """Its id, since launch templates have no ARN of their own in the API's answers."""
        templates: list[dict[str, Any]] = []
        with domain_errors("look for the launch template", absent=ABSENT):
            answer = client("ec2").describe_launch_templates(LaunchTemplateNames=[self.name(scope)])
            templates = answer["LaunchTemplates"]
        if not templates:
            return None
        tags = plain_tags(templates[0].get("Tags", []))
        return Found(templates[0]["LaunchTemplateId"], tags, {"image_id": tags.get(IMAGE_TAG, "")})

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        with domain_errors(f"delete launch template {entry.name}", absent=ABSENT):
            client("ec2").delete_launch_template(LaunchTemplateId=entry.arn)
        return GONE

    def _create(self, context: Context) -> Made:
        image_id = gpu_image()
        tags = upper_tags(context.tags() | {IMAGE_TAG: image_id})
        answer = client("ec2").create_launch_template(
            LaunchTemplateName=self.name(context),
            VersionDescription=described_as(context.revision),
            LaunchTemplateData=launch_data(context, image_id),
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
        )
        return Made(answer["LaunchTemplate"]["LaunchTemplateId"], {"image_id": image_id})


def described_as(revision: int) -> str:
    """The description of a version, by which it is found again."""
    return f"revision {revision}"


def gpu_image() -> str:
    """The AMI that the SSM parameter names now; AWS's ``recommended`` is JSON, its ``image_id`` a bare id."""
    name = settings().need("gpu_ami_parameter")
    with domain_errors(f"read the AMI from {name}"):
        value = client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    return str(json.loads(value)["image_id"]) if value.startswith("{") else str(value)


def launch_data(context: Context, image_id: str) -> dict[str, Any]:
    """LaunchTemplateData. Hop limit 1: containers get their credentials from ECS, never the instance's."""
    tags = upper_tags(context.tags() | {"Name": context.name()})
    return {
        "ImageId": image_id,
        "InstanceType": context.spec.instance_type,
        "IamInstanceProfile": {"Arn": settings().need("instance_profile_arn")},
        "SecurityGroupIds": [settings().need("instance_security_group")],
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "HttpEndpoint": "enabled",
        },
        "BlockDeviceMappings": [_root_volume(context.spec)],
        "UserData": base64.b64encode(user_data(context.made["cluster"].name).encode()).decode(),
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    }


def user_data(cluster: str) -> str:
    """The ECS agent's configuration (amazon-ecs-agent, README). A name holds nothing that a shell expands."""
    agent = {
        "ECS_CLUSTER": cluster,
        "ECS_ENABLE_GPU_SUPPORT": "true",
        "ECS_ENABLE_SPOT_INSTANCE_DRAINING": "true",
        "ECS_CONTAINER_STOP_TIMEOUT": "110s",
        "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT": "5m",
        "ECS_DISABLE_IMAGE_CLEANUP": "true",
        "ECS_AWSVPC_BLOCK_IMDS": "true",
        "ECS_RESERVED_MEMORY": "512",
    }
    lines = "\n".join(f"{key}={value}" for key, value in agent.items())
    return f"#!/bin/bash\nset -euo pipefail\ncat >> /etc/ecs/ecs.config <<'CONFIG'\n{lines}\nCONFIG\n"


def _root_volume(spec: DeploymentSpec) -> dict[str, Any]:
    return {
        "DeviceName": ROOT_DEVICE,
        "Ebs": {
            "VolumeType": "gp3",
            "VolumeSize": max(spec.root_volume_gib, MINIMUM_ROOT_VOLUME_GIB),
            "Throughput": THROUGHPUT_MIB_S,
            "Encrypted": True,
            "DeleteOnTermination": True,
        },
    }
