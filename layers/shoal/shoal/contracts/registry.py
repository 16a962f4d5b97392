"""Registered models and their versions (MLflow's nouns; the seeds' spellings accepted)."""

from __future__ import annotations

from decimal import Decimal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from shoal.contracts.names import ModelName, S3Uri


class ModelVersion(BaseModel):
    """One version of a registered model."""

    model_config = ConfigDict(extra="ignore")

    model: ModelName
    version: int = Field(ge=1)
    s3_location: S3Uri
    metrics: dict[str, float] = {}
    image: str | None = None
    image_digest: str | None = None
    image_version: str | None = None
    created_at: str = ""

    @field_validator("metrics", mode="before")
    @classmethod
    def _decimals(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: float(item) if isinstance(item, Decimal) else item for key, item in value.items()}


class NewVersion(BaseModel):
    """One entry of a registration; ``Accurecy`` is the seeds' word for metrics."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    s3_location: S3Uri = Field(validation_alias=AliasChoices("s3_location", "model_location"))
    metrics: dict[str, float] = Field(
        default={}, max_length=100, validation_alias=AliasChoices("metrics", "Accurecy", "accuracy")
    )


class Registration(BaseModel):
    """The body of ``POST /registry``: ``{"registry-name": ..., "versions": [{...}]}`` or clean names."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    model: ModelName = Field(validation_alias=AliasChoices("model", "name", "registry-name"))
    versions: list[NewVersion] = Field(min_length=1, max_length=20)
