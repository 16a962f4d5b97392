"""E-mail about what became of a deployment."""

from shoal.notify.message import Mail, compose
from shoal.notify.send import notify

__all__ = ["Mail", "compose", "notify"]
