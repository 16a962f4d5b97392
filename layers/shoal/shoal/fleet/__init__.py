"""How many workers a deployment should have: a pure policy, and the thin hands that apply it."""

from shoal.fleet.apply import apply, reconcile
from shoal.fleet.policy import desired_count

__all__ = ["apply", "desired_count", "reconcile"]
