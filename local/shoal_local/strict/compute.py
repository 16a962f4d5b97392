"""EC2: launch templates and security groups."""

from __future__ import annotations

import re
from typing import Any

from shoal_local.strict.engine import Call, after, before, refused

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


@before("ec2-launch-templates", "CreateLaunchTemplate")
def template_token_is_honoured(call: Call) -> dict[str, Any] | None:
    """EC2 API CreateLaunchTemplate, ClientToken, with "Ensuring idempotency": the same token and request
    answer the first template; other parameters under it are IdempotentParameterMismatch."""
    token, ec2 = call.get("ClientToken"), call.backend("ec2")
    tokens = getattr(ec2, "shoal_template_tokens", {})
    known = tokens.get(token)
    if not token or known is None or known["id"] not in ec2.launch_templates:
        return None
    if known["request"] != _request(call):
        message = f"Client token already used before with other parameters: {token}"
        raise refused("IdempotentParameterMismatch", message)
    return dict(known["answer"])


def _request(call: Call) -> str:
    return repr({name: value for name, value in call.parameters.items() if name != "ClientToken"})


@before("ec2-launch-templates", "CreateLaunchTemplate")
def template_request_is_kept(call: Call) -> None:
    """EC2 API CreateLaunchTemplate, ClientToken: moto changes the request while it reads it, so it is
    copied first."""
    call.response.shoal_request = _request(call)


@after("ec2-launch-templates", "CreateLaunchTemplate")
def template_token_is_remembered(call: Call, result: Any) -> None:
    """EC2 API CreateLaunchTemplate, ClientToken; see :func:`template_token_is_honoured`."""
    token, ec2 = call.get("ClientToken"), call.backend("ec2")
    if not token:
        return
    identity = result.result["LaunchTemplate"]["LaunchTemplateId"]
    known = {"id": identity, "request": call.response.shoal_request, "answer": result.result}
    ec2.shoal_template_tokens = {**getattr(ec2, "shoal_template_tokens", {}), token: known}


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
