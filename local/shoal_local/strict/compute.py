"""EC2: launch templates and security groups."""

from __future__ import annotations

import re

from shoal_local.strict.engine import Call, before, refused

_NAME = re.compile(r"[a-zA-Z0-9().\-/_]{3,128}")


@before("ec2-launch-templates", "CreateLaunchTemplate")
def template_name_is_valid(call: Call) -> None:
    """EC2 API CreateLaunchTemplate, LaunchTemplateName: 3 to 128 of [a-zA-Z0-9().-/_]."""
    name = call.get("LaunchTemplateName", "")
    if not _NAME.fullmatch(name):
        message = (
            f"The launch template name '{name}' is malformed: use 3 to 128 of letters, digits, ( ) . - / _"
        )
        raise refused("InvalidLaunchTemplateName.MalformedException", message)


@before("ec2-launch-templates", "DeleteLaunchTemplate")
def deleted_template_exists(call: Call) -> None:
    """EC2 API DeleteLaunchTemplate: InvalidLaunchTemplateName.NotFoundException and
    InvalidLaunchTemplateId.NotFound (moto: MissingParameter)."""
    ec2 = call.backend("ec2")
    name, identity = call.get("LaunchTemplateName"), call.get("LaunchTemplateId")
    if name and name not in ec2.launch_template_name_to_ids:
        message = f"The specified launch template, with template name {name}, does not exist."
        raise refused("InvalidLaunchTemplateName.NotFoundException", message)
    if identity and identity not in ec2.launch_templates:
        message = f"The specified launch template, with template ID {identity}, does not exist."
        raise refused("InvalidLaunchTemplateId.NotFound", message)


@before("ec2-security-groups", "DeleteSecurityGroup")
def used_security_group_stays(call: Call) -> None:
    """EC2 API DeleteSecurityGroup: "[...] associated with an instance or network interface [...] fails with
    DependencyViolation"; a load balancer's interfaces count."""
    identity = call.get("GroupId")
    balancers = call.backend("elbv2").load_balancers.values()
    if identity and any(identity in (balancer.security_groups or []) for balancer in balancers):
        raise refused("DependencyViolation", f"resource {identity} has a dependent object")
