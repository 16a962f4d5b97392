"""Registered models, their versions, and the images built with them."""

from shoal.registry.store import (
    RegisteredModel,
    get,
    list_models,
    list_versions,
    record_image,
    register,
)

__all__ = ["RegisteredModel", "get", "list_models", "list_versions", "record_image", "register"]
