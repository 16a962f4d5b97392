"""E-mail about what became of a deployment."""

from shoal.notify import budget, once
from shoal.notify.message import compose
from shoal.notify.parts import Mail
from shoal.notify.send import notify

__all__ = ["Mail", "budget", "compose", "notify", "once"]
