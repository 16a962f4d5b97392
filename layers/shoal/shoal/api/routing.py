"""How requests reach an endpoint: its host name, where it has one, filled in and checked."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from shoal.api.validate import field_error
from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.names import HostName
from shoal.resources import hosts
from shoal.settings import settings


def routed(spec: DeploymentSpec) -> tuple[DeploymentSpec, list[Adjustment]]:
    """The specification with its host name, which nobody else holds at this moment.

    Raises:
        InvalidRequest: this system routes no host names, or the name is none.
        Conflict: the host name belongs to another deployment, which the message names.
    """
    if not spec.has_host:
        return spec, []
    if not settings().https_listener_arn:
        raise field_error(
            "routing", "this system has no HTTPS listener: set the stack's CertificateArn, or leave it out"
        )
    spec, adjustments = (spec, []) if spec.host_name else _derived(spec)
    hosts.check(hosts.host_of(spec), spec.name)
    return spec, adjustments


def _derived(spec: DeploymentSpec) -> tuple[DeploymentSpec, list[Adjustment]]:
    """``NAME.BaseDomain``."""
    domain = settings().base_domain
    if not domain:
        raise field_error("host_name", "give one: the stack has no BaseDomain to make it from")
    try:
        host = TypeAdapter(HostName).validate_python(f"{spec.name}.{domain}")
    except ValidationError as error:
        raise field_error("host_name", f"{spec.name}.{domain} is no host name: give another one") from error
    adjusted = Adjustment(
        field="host_name", given="", used=host, reason="the name below the stack's BaseDomain"
    )
    return spec.model_copy(update={"host_name": host}), [adjusted]
