"""Spot instances: which of a group's are, and the two minutes' notice before EC2 takes one back.

Source: EC2 guide, "Spot Instance interruption notices": the instance metadata ``spot/instance-action`` (404
until then) and EventBridge's "EC2 Spot Instance Interruption Warning". The ECS agent reads the metadata and
drains its instance where ECS_ENABLE_SPOT_INSTANCE_DRAINING is true.
"""

from __future__ import annotations

import base64
import datetime
import json
import threading
from dataclasses import dataclass
from typing import Any

from shoal_local.envelope import envelope
from shoal_local.execution_events import emit
from shoal_local.names import arn, backend
from shoal_local.strict.mixed_instances import on_demand_of

NOTICE_SECONDS = 120.0
_DRAINS = "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true"


@dataclass(frozen=True)
class Notice:
    """``at`` is on the fleet's clock, ``time`` what the metadata says."""

    time: str
    at: float


class Notices:
    """The notices that were given. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: dict[str, Notice] = {}

    def give(self, instance_id: str, at: float) -> None:
        """Tell the instance and EventBridge.

        Raises:
            LookupError: there is no such Spot instance.
        """
        machine = backend("ec2").get_instance_by_id(instance_id)
        if machine is None or machine.state != "running" or machine.lifecycle != "spot":
            raise LookupError(f"{instance_id} is no running Spot instance")
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=NOTICE_SECONDS)
        with self._lock:
            self._given.setdefault(instance_id, Notice(ends.strftime("%Y-%m-%dT%H:%M:%SZ"), at))
        emit(_warning(instance_id))

    def metadata(self, path: str, method: str, token: str) -> tuple[int, str]:
        """Status and text for ``<instance>/latest/...``, of version 2 alone: a token first, then the document
        (EC2 guide, "Use the Instance Metadata Service")."""
        instance_id, _, rest = path.partition("/")
        if (method, rest) == ("PUT", "latest/api/token"):
            return 200, _token(instance_id)
        if token != _token(instance_id):
            return 401, ""
        notice = self.given().get(instance_id)
        if (method, rest) != ("GET", "latest/meta-data/spot/instance-action") or notice is None:
            return 404, ""
        return 200, json.dumps({"action": "terminate", "time": notice.time})

    def given(self) -> dict[str, Notice]:
        with self._lock:
            return dict(self._given)


def _token(instance_id: str) -> str:
    return base64.b64encode(f"metadata of {instance_id}".encode()).decode()


def is_drained_by_its_agent(group: Any) -> bool:
    """Whether the user data tells the agent to drain at a notice."""
    data = group.user_data
    return _DRAINS in (data.decode() if data else "")


def mark(group: Any) -> None:
    """Which instances of a group are on Spot: those beyond what its policy buys on demand, oldest first."""
    machines = [state.instance for state in group.instance_states]
    bought = sum(machine.lifecycle is None for machine in machines if hasattr(machine, "shoal_bought"))
    for machine in machines:
        if hasattr(machine, "shoal_bought"):
            continue
        machine.shoal_bought = True
        if bought < on_demand_of(group, len(machines)):
            bought += 1
        else:
            machine.lifecycle = "spot"


def _warning(instance_id: str) -> dict[str, Any]:
    detail = {"instance-id": instance_id, "instance-action": "terminate"}
    kind = "EC2 Spot Instance Interruption Warning"
    return envelope("aws.ec2", kind, arn("ec2", f"instance/{instance_id}"), detail)
