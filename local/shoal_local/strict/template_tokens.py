"""EC2: a launch template and a version of it are made once for each client token.

"Ensuring idempotency" in the EC2 API: the same token and request answer what was made first; other parameters
under it are IdempotentParameterMismatch. The SDK draws a token for each call and sends it again with each
further attempt.
"""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, after, before, refused

_MAKES = ("CreateLaunchTemplate", "CreateLaunchTemplateVersion")


@before("ec2-launch-templates", *_MAKES)
def template_token_is_honoured(call: Call) -> dict[str, Any] | None:
    """EC2 API CreateLaunchTemplate, ClientToken: the first answer again, as long as its template is there."""
    token, ec2 = call.get("ClientToken"), call.backend("ec2")
    known = getattr(ec2, "shoal_template_tokens", {}).get(token)
    if not token or known is None or known["id"] not in ec2.launch_templates:
        return None
    if known["request"] != _request(call):
        message = f"Client token already used before with other parameters: {token}"
        raise refused("IdempotentParameterMismatch", message)
    return dict(known["answer"])


@before("ec2-launch-templates", *_MAKES)
def template_request_is_kept(call: Call) -> None:
    """EC2 API CreateLaunchTemplate, ClientToken: moto changes the request while it reads it, so it is
    copied first."""
    call.response.shoal_request = _request(call)


@after("ec2-launch-templates", *_MAKES)
def template_token_is_remembered(call: Call, result: Any) -> None:
    """EC2 API CreateLaunchTemplate, ClientToken; see :func:`template_token_is_honoured`."""
    token, ec2 = call.get("ClientToken"), call.backend("ec2")
    if not token:
        return
    (made,) = (part for part in result.result.values() if "LaunchTemplateId" in part)
    request = call.response.shoal_request
    known = {"id": made["LaunchTemplateId"], "request": request, "answer": result.result}
    ec2.shoal_template_tokens = {**getattr(ec2, "shoal_template_tokens", {}), token: known}


def _request(call: Call) -> str:
    return repr({name: value for name, value in call.parameters.items() if name != "ClientToken"})
