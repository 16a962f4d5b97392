"""E-mail about what became of a deployment."""

from shoal.notify import budget, dive, once
from shoal.notify.message import compose
from shoal.notify.parts import Mail
from shoal.notify.send import notify

__all__ = ["Mail", "budget", "compose", "dive", "notify", "once"]
