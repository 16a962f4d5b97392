"""How many workers a deployment should have: a pure policy, and the thin hands that apply it."""

from shoal.fleet import spending
from shoal.fleet.policy import Decision, Limits, Load, decide
from shoal.fleet.reconciling import reconcile
from shoal.fleet.scaling import apply, feed

__all__ = ["Decision", "Limits", "Load", "apply", "decide", "feed", "reconcile", "spending"]
