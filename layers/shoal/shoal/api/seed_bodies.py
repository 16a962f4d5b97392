"""The bodies of the seeds' two paths, in their spelling."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SeedConfig(BaseModel):
    """The seeds' state machine input; every field of a specification may stand beside these."""

    model_config = ConfigDict(extra="allow")

    registry_name: str = Field(alias="registry-name", min_length=1, description="a registered model")
    model_version: int | str = Field("latest", alias="model-version")
    ecr_version: int | str = Field("latest", alias="ecr-version", description="the image's tag")
    ram: int | str | None = Field(None, description='MiB, such as "2048" or "2048Mi"')
    cpu: float | str | None = Field(None, description='vCPU, such as "1"')
    instance_type: str | None = None
    deployment_type: str = Field("deploy", alias="deployment-type")


class InitiateDeployment(BaseModel):
    """The body of ``POST /initiate-deployment``."""

    model_config = ConfigDict(extra="forbid")

    config: SeedConfig


class MlopsDelete(BaseModel):
    """The body of ``POST /mlops-delete``; the versions, where given, must be those that are served."""

    model_config = ConfigDict(extra="forbid")

    registry_name: str = Field(alias="registry-name", min_length=1)
    version: int | str | None = None
    ecr_version: int | str | None = Field(None, alias="ecr-version")
