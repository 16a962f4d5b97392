"""The modules whose classes are resource types."""

from __future__ import annotations

import importlib

_MODULES = ("cfn_api", "cfn_events", "cfn_iam", "cfn_lambda", "cfn_logs", "cfn_policies", "cfn_states")


def load() -> None:
    """Import them all: a class registers itself."""
    for module in _MODULES:
        importlib.import_module(f"shoal_local.{module}")
