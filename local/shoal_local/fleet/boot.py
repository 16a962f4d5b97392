"""An instance boots: its agent reads its cluster from the user data and registers as the instance's role."""

from __future__ import annotations

import json
import logging
import re
import threading
from typing import Any

from shoal_local.clients import Clients
from shoal_local.fleet.cloud import CloudFace
from shoal_local.fleet.placement import Resources, offered_by
from shoal_local.fleet.simtime import SimTime
from shoal_local.names import REGION, backend

_LOG = logging.getLogger("shoal_local.fleet")
_CLUSTER = re.compile(r"ECS_CLUSTER=['\"]?([A-Za-z0-9_-]{1,255})")
_ATTEMPTS = 5
_RETRY_SECONDS = 10.0


def offered(instance_type: str) -> Resources:
    """What an instance of that type registers."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return offered_by(INSTANCE_TYPES[instance_type])


class Boot:
    """The agent of one instance until it is registered. It tries a few times, as the real one does."""

    def __init__(self, cloud: CloudFace, time: SimTime, group: Any, instance: Any, seconds: float) -> None:
        self._cloud = cloud
        self._time = time
        self._group = group
        self._instance = instance
        self._seconds = seconds
        self._thread = threading.Thread(target=self._run, name=f"shoal-boot-{instance.id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if self._time.sleep(self._seconds):
            return
        for _ in range(_ATTEMPTS):
            if self._instance.state != "running":
                return
            try:
                self._register()
            except (BotoCoreError, ClientError, LookupError) as error:
                _LOG.warning("the agent of %s could not register: %s", self._instance.id, error)
            else:
                return
            if self._time.sleep(_RETRY_SECONDS):
                return

    def _register(self) -> None:
        """ECS API RegisterContainerInstance, called by the agent with the instance profile's role."""
        version = self._group.ec2_launch_template.get_version(self._group.launch_template_version)
        keys = self._cloud.credentials_for_role(_role_of(version.data), self._instance.id)
        ecs = Clients(self._cloud.endpoint_url, keys).client("ecs")
        cluster = cluster_of(self._group)
        ecs.discover_poll_endpoint(cluster=cluster)
        document = {
            "instanceId": self._instance.id,
            "instanceType": self._instance.instance_type,
            "region": REGION,
        }
        ecs.register_container_instance(
            cluster=cluster,
            instanceIdentityDocument=json.dumps(document),
            totalResources=_total(offered(self._instance.instance_type)),
        )


def cluster_of(group: Any) -> str:
    """The cluster that the user data names; without a name the agent takes ``default``."""
    data = group.user_data
    found = _CLUSTER.search(data.decode() if data else "")
    return found.group(1) if found else "default"


def _role_of(data: dict[str, Any]) -> str:
    given = data.get("IamInstanceProfile") or {}
    name = str(given.get("Name") or given.get("Arn", "")).rsplit("/", 1)[-1]
    profile = next((p for p in backend("iam").instance_profiles.values() if p.name == name), None)
    if profile is None or not profile.roles:
        raise LookupError(
            f"the launch template's instance profile {name or '(none)'} does not exist or has no role"
        )
    return str(profile.roles[0].arn)


def _total(resources: Resources) -> list[dict[str, Any]]:
    gpus = [f"GPU-{index}" for index in range(resources.gpus)]
    numbers = {"CPU": resources.cpu, "MEMORY": resources.memory}
    total: list[dict[str, Any]] = [
        {"name": name, "type": "INTEGER", "integerValue": value} for name, value in numbers.items()
    ]
    return [*total, {"name": "GPU", "type": "STRINGSET", "stringSetValue": gpus}] if gpus else total
