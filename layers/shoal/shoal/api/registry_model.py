"""What the routes below /registry answer."""

from __future__ import annotations

from pydantic import BaseModel

from shoal.contracts.registry import ModelVersion
from shoal.registry import RegisteredModel


class ModelPage(BaseModel):
    models: list[RegisteredModel]
    next_token: str | None = None


class Versions(BaseModel):
    """A model with a page of its versions, newest first."""

    model: str
    latest: int
    versions: list[ModelVersion]
    next_token: str | None = None
