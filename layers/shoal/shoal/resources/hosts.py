"""Host names on the shared listener, claimed before a rule is made (see :mod:`shoal.resources.claims`)."""

from __future__ import annotations

from shoal.contracts.deployment import DeploymentSpec
from shoal.errors import Conflict, InvalidRequest
from shoal.resources.claims import Claims

_HOSTS = Claims("HOST")


def host_of(spec: DeploymentSpec) -> str:
    """The host name, which the API has filled in.

    Raises:
        InvalidRequest: it has not.
    """
    if spec.host_name is None:
        raise InvalidRequest(f"{spec.name} has no host name: give host_name, or set the stack's BaseDomain")
    return spec.host_name


def owned(deployment: str) -> list[str]:
    """The host names a deployment holds."""
    return sorted(host for host, owner in _HOSTS.owners().items() if owner == deployment)


def check(host: str, deployment: str) -> None:
    """Whether the deployment could have it now; only :func:`claim` is sure.

    Raises:
        Conflict: another deployment has it; the message names it.
    """
    owner = _HOSTS.owner(host)
    if owner not in {None, deployment}:
        raise _taken(host, str(owner))


def claim(host: str, deployment: str, generation: int) -> None:
    """Take the host name, or keep it.

    Raises:
        Conflict: another deployment has it; the message names it.
        StaleWriter: a newer generation owns the deployment.
    """
    if _HOSTS.owner(host) == deployment or _HOSTS.take(host, deployment, generation):
        return
    raise _taken(host, _HOSTS.owner(host) or "another deployment")


def release(host: str, deployment: str) -> None:
    """Free a host name, unless somebody else holds it by now."""
    _HOSTS.release(host, deployment)


def _taken(host: str, owner: str) -> Conflict:
    detail = f"it belongs to {owner}: choose another host name, or delete {owner} first"
    return Conflict(f"the host name {host} belongs to {owner}", [{"field": "host_name", "detail": detail}])
