"""ALB listeners: one per port, idempotent with the same settings, quotas."""

from __future__ import annotations

import copy
from typing import Any

from shoal_local.patches import contract
from shoal_local.strict.engine import Call, after, before, refused

contract("moto.elbv2.models", "ELBv2Backend._certificate_exists", "self certificate_arn")

MAXIMUM_LISTENERS = 50
"""Quota of one Application Load Balancer (ELB guide, "Quotas for your Application Load Balancers")."""


def group_arns(actions: list[dict[str, Any]]) -> set[str]:
    """The target groups a list of actions forwards to."""
    found: set[str] = set()
    for action in actions:
        if action.get("TargetGroupArn"):
            found.add(action["TargetGroupArn"])
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups", [])
        found.update(group["TargetGroupArn"] for group in groups)
    return found


def _balancer(call: Call, arn: str) -> Any:
    balancer = call.backend("elbv2").load_balancers.get(arn)
    if balancer is None:
        raise refused("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
    return balancer


def balancer_of_listener(call: Call, listener_arn: str) -> Any:
    """The load balancer a listener belongs to; ListenerNotFound without one."""
    balancers = call.backend("elbv2").load_balancers.values()
    balancer = next((b for b in balancers if listener_arn in b.listeners), None)
    if balancer is None:
        raise refused("ListenerNotFound", f"One or more listeners not found: {listener_arn}")
    return balancer


def check_groups(call: Call, actions: list[dict[str, Any]], balancer_arn: str) -> None:
    """Every target group exists and belongs to no other load balancer."""
    for arn in group_arns(actions):
        group = call.backend("elbv2").target_groups.get(arn)
        if group is None:
            raise refused("TargetGroupNotFound", f"One or more target groups not found: {arn}")
        if set(group.load_balancer_arns) - {balancer_arn}:
            message = (
                f"The following target groups cannot be associated with more than one load balancer: {arn}"
            )
            raise refused("TargetGroupAssociationLimit", message)


@before("elbv2", "CreateListener")
def listener_port_is_a_port(call: Call) -> None:
    """ELBv2 API CreateListener, Port: 1 to 65535."""
    port = call.get("Port")
    if port is not None and not 1 <= int(port) <= 65535:
        raise refused(
            "ValidationError", f"1 validation error detected: port {port} must be between 1 and 65535"
        )


@before("elbv2", "CreateListener")
def https_needs_a_certificate(call: Call) -> None:
    """ELBv2 API CreateListener, Certificates: "You must provide exactly one certificate if the listener
    protocol is HTTPS or TLS.\""""
    if call.get("Protocol") in ("HTTPS", "TLS") and len(call.get("Certificates", [])) != 1:
        raise refused("ValidationError", "A certificate must be specified for HTTPS listeners")


@before("elbv2", "CreateListener")
def certificate_exists(call: Call) -> None:
    """ELBv2 API CreateListener: CertificateNotFound; of ACM in the same region, or of IAM."""
    for certificate in call.get("Certificates", []):
        arn = str(certificate.get("CertificateArn", ""))
        if not call.backend("elbv2")._certificate_exists(arn):
            raise refused("CertificateNotFound", f"Certificate ARN '{arn}' is not valid")


@before("elbv2", "CreateListener")
def one_listener_per_port(call: Call) -> dict[str, Any] | None:
    """ELBv2 API CreateListener: "This operation is idempotent [...] with the same settings, each call
    succeeds"; a port in use with other settings is DuplicateListener; more than 50 is TooManyListeners."""
    balancer = _balancer(call, call.get("LoadBalancerArn"))
    same_port = [it for it in balancer.listeners.values() if str(it.port) == str(call.get("Port"))]
    for listener in same_port:
        if getattr(listener, "shoal_request", None) == _settings(call):
            return {"Listeners": [listener]}
        message = f"A listener already exists on this port for this load balancer '{balancer.arn}'"
        raise refused("DuplicateListener", message)
    if len(balancer.listeners) >= MAXIMUM_LISTENERS:
        raise refused(
            "TooManyListeners", f"The maximum number of listeners ({MAXIMUM_LISTENERS}) has been reached"
        )
    return None


def _settings(call: Call) -> dict[str, Any]:
    names = ("Port", "Protocol", "DefaultActions", "Certificates", "SslPolicy")
    settings = {name: copy.deepcopy(call.get(name)) for name in names}
    for action in settings["DefaultActions"] or []:
        action.pop("ForwardConfig", None) if action.get("TargetGroupArn") else None
    return settings


@before("elbv2", "CreateListener")
def listener_groups_belong_to_it(call: Call) -> None:
    """ELBv2 API CreateListener: TargetGroupNotFound; TargetGroupAssociationLimit, one load balancer per
    target group."""
    check_groups(call, call.get("DefaultActions", []), call.get("LoadBalancerArn"))
    call.response.shoal_settings = _settings(call)


@after("elbv2", "CreateListener")
def listener_remembers_its_settings(call: Call, result: Any) -> None:
    """ELBv2 API CreateListener, "idempotent"; see :func:`one_listener_per_port`."""
    result.result["Listeners"][0].shoal_request = call.response.shoal_settings


@before("elbv2", "DeleteLoadBalancer")
def protected_balancer_stays(call: Call) -> None:
    """ELBv2 API DeleteLoadBalancer: OperationNotPermitted while deletion protection is on."""
    balancer = call.backend("elbv2").load_balancers.get(call.get("LoadBalancerArn"))
    if balancer is not None and str(balancer.attrs.get("deletion_protection.enabled")) == "true":
        message = f"Load balancer '{balancer.arn}' cannot be deleted because deletion protection is enabled"
        raise refused("OperationNotPermitted", message)


@after("elbv2", "DeleteListener", "DeleteRule", "ModifyListener", "ModifyRule", "DeleteLoadBalancer")
def groups_know_their_balancers(call: Call, _: Any) -> None:
    """ELBv2 API TargetGroup, LoadBalancerArns: the load balancers that route to the group (moto never
    forgets one)."""
    backend = call.backend("elbv2")
    for group in backend.target_groups.values():
        group.load_balancer_arns = [
            balancer.arn
            for balancer in backend.load_balancers.values()
            if any(
                group.arn in group_arns([a.data for a in r.actions])
                for it in balancer.listeners.values()
                for r in it.rules.values()
            )
        ]
