"""The specification of a deployment: clean names out, the seeds' spellings accepted."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, EmailStr, Field, model_validator

from shoal.contracts.names import DeploymentName, HostName, ModelName, S3Uri

MINIMUM_ROOT_VOLUME_GIB = 30
"""The ECS GPU AMI's root snapshot; EC2 refuses a smaller volume."""

Serves = Literal["queue", "endpoint"]
Compute = Literal["ec2-gpu", "fargate-cpu"]
Routing = Literal["port", "host"]
InstanceType = Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[a-z0-9]+$", max_length=40)]

_ARM = re.compile(r"^(a1|[a-z]+[0-9]+[a-z]*g[a-z0-9-]*)\.")
"""EC2 guide, "Instance type naming conventions": a ``g`` behind the generation is AWS Graviton, an ARM."""


def _either(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class DeploymentSpec(BaseModel):
    """What a person asks for. Emitted with clean names only (``by_alias`` stays off)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)

    name: DeploymentName = Field(validation_alias=_either("name", "StackName", "registry-name"))
    comment: str = Field("", max_length=500, validation_alias=_either("comment", "Comment"))
    serves: tuple[Serves, ...] = ("queue",)
    compute: Compute = "ec2-gpu"
    routing: Routing = Field(
        "port",
        description="of an endpoint: a listener of its own, or a host name on the shared HTTPS listener",
    )
    host_name: HostName | None = Field(None, description="for routing: host; left out: NAME.BaseDomain")

    model_location: S3Uri | None = None
    registered_model: ModelName | None = None
    model_version: Annotated[int, Field(ge=1)] | None = Field(
        None, validation_alias=_either("model_version", "model-version")
    )
    image_version: str | None = Field(
        None, max_length=128, validation_alias=_either("image_version", "ecr-version")
    )
    image: str | None = Field(None, max_length=400, validation_alias=_either("image", "ContainerImage"))
    task_family: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_-]{1,64}$", validation_alias=_either("task_family", "TaskDefinition")
    )
    track_config: S3Uri | None = None
    args: str = Field("", max_length=2000)

    instance_type: InstanceType = "g5.xlarge"
    instance_types: tuple[InstanceType, ...] = Field(
        (), max_length=19, description="further types, for where instance_type is not to be had"
    )
    spot: bool = Field(False, description="instances on Spot, which AWS may take back at two minutes' notice")
    on_demand_base: int = Field(
        0, ge=0, le=100, description="of a fleet on Spot: the first instances are on demand"
    )
    fleet_size: int = Field(1, ge=1, le=100, validation_alias=_either("fleet_size", "FleetSize"))
    root_volume_gib: int = Field(
        100, ge=1, le=16384, validation_alias=_either("root_volume_gib", "BlockDeviceVolumeGBRoot")
    )
    cpu: int = Field(2048, ge=256, le=16384, description="CPU units, 1024 for a vCPU")
    memory_mib: int = Field(8192, ge=512, le=122880)
    timeout_hours: float = Field(
        2.0, gt=0, le=11.5, validation_alias=_either("timeout_hours", "TimeoutHours")
    )
    budget_usd: float | None = Field(
        None, gt=0, le=1_000_000, description="the fleet stops before it has cost more (an estimate)"
    )
    deadline_hours: float | None = Field(
        None, gt=0, le=8760, description="what waits is to be done within so many hours"
    )
    notify: tuple[EmailStr, ...] = Field((), max_length=10)
    dashboard: bool = True

    @model_validator(mode="after")
    def _has_a_model(self) -> DeploymentSpec:
        if not self.serves:
            raise ValueError("serves: name at least one of queue, endpoint")
        if self.model_location is None and self.registered_model is None:
            raise ValueError("model_location or registered_model: name the model to deploy")
        return self

    @model_validator(mode="after")
    def _routes_an_endpoint(self) -> DeploymentSpec:
        if self.routing == "host" and not self.has_endpoint:
            raise ValueError("routing: host is for an endpoint: add endpoint to serves")
        if self.host_name and self.routing != "host":
            raise ValueError("host_name: needs routing: host")
        return self

    @model_validator(mode="after")
    def _limits_a_queue(self) -> DeploymentSpec:
        for field in ("budget_usd", "deadline_hours"):
            if getattr(self, field) is not None and not self.has_queue:
                raise ValueError(f"{field}: is for videos: add queue to serves")
        return self

    @model_validator(mode="after")
    def _mixes_instances(self) -> DeploymentSpec:
        if self.is_mixed and self.compute != "ec2-gpu":
            raise ValueError("spot, instance_types: are for GPU instances: leave compute at ec2-gpu")
        if self.on_demand_base and not self.spot:
            raise ValueError("on_demand_base: needs spot: true; without it every instance is on demand")
        types = self.every_instance_type
        if len(set(types)) < len(types):
            raise ValueError("instance_types: name each type once, and instance_type not again")
        if len({bool(_ARM.match(one)) for one in types}) > 1:
            raise ValueError("instance_types: all of one architecture; a g behind the number is ARM")
        return self

    @property
    def every_instance_type(self) -> tuple[str, ...]:
        """In the order in which they are wanted on demand."""
        return (self.instance_type, *self.instance_types)

    @property
    def is_mixed(self) -> bool:
        """Whether its group buys otherwise than one type on demand."""
        return self.spot or bool(self.instance_types)

    @property
    def has_endpoint(self) -> bool:
        return "endpoint" in self.serves

    @property
    def has_port(self) -> bool:
        """Whether its endpoint has a listener of its own."""
        return self.has_endpoint and self.routing == "port"

    @property
    def has_host(self) -> bool:
        """Whether its endpoint shares the HTTPS listener."""
        return self.has_endpoint and self.routing == "host"

    @property
    def has_queue(self) -> bool:
        return "queue" in self.serves


class Adjustment(BaseModel):
    """A value that was changed on the way in, and why; listed in the response."""

    field: str
    given: str
    used: str
    reason: str
