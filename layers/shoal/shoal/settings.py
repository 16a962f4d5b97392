"""The environment of a function, read once and validated at its first use."""

from __future__ import annotations

import functools
import os

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Environment variables as template.yaml sets them; a function has only those it needs.

    A missing variable is an empty string: the one who needs it calls :meth:`need`.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    shoal_environment: str = "dev"
    deployments_table: str = ""
    registry_table: str = ""
    data_bucket: str = ""
    model_buckets: str = ""
    deploy_state_machine: str = ""
    delete_state_machine: str = ""
    manifest_function: str = ""
    vpc_id: str = ""
    subnet_ids: str = ""
    instance_security_group: str = ""
    load_balancer_arn: str = ""
    load_balancer_dns_name: str = ""
    port_range: str = "5001-5050"
    https_listener_arn: str = ""
    base_domain: str = ""
    alarm_topic_arn: str = ""
    task_role_arn: str = ""
    execution_role_arn: str = ""
    instance_profile_arn: str = ""
    gpu_ami_parameter: str = ""
    worker_image: str = ""
    log_retention_days: int = 30
    sender_address: str = ""
    operator_addresses: str = ""
    deploy_deadline_seconds: int = 1500
    aws_region: str = "us-west-2"
    clock_speed: float = 1.0
    """How fast time passes for what waits; the embedded cloud sets another than 1."""

    def need(self, name: str) -> str:
        """The value of a variable this function cannot do without.

        Raises:
            RuntimeError: template.yaml does not give it to this function.
        """
        value = str(getattr(self, name))
        if not value:
            raise RuntimeError(f"the environment variable {name.upper()} is not set on this function")
        return value

    def subnets(self) -> list[str]:
        return [part for part in self.subnet_ids.split(",") if part]

    def ports(self) -> range:
        """The listener ports a deployment may claim."""
        first, _, last = self.port_range.partition("-")
        return range(int(first), int(last) + 1)


@functools.cache
def settings() -> Settings:
    return Settings(**{key.lower(): value for key, value in os.environ.items()})
