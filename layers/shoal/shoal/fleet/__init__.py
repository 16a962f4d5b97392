"""How many workers a deployment should have: a pure policy, and the thin hands that apply it."""

from shoal.fleet.policy import desired_count
from shoal.fleet.scaling import apply, reconcile

__all__ = ["apply", "desired_count", "reconcile"]
