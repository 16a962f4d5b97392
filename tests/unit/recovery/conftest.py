"""The REST functions' account."""

from rest_world import own_clients, world

__all__ = ["own_clients", "world"]
