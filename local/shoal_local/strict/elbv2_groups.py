"""ALB target groups: idempotent with the same settings, ranges."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, after, before, refused

_RANGES = {
    "Port": (1, 65535), "HealthCheckIntervalSeconds": (5, 300), "HealthCheckTimeoutSeconds": (2, 120),
    "HealthyThresholdCount": (2, 10), "UnhealthyThresholdCount": (2, 10),
}  # fmt: skip


@before("elbv2", "CreateTargetGroup", "ModifyTargetGroup")
def group_numbers_are_in_range(call: Call) -> None:
    """ELBv2 API CreateTargetGroup: Port 1-65535, HealthCheckIntervalSeconds 5-300,
    HealthCheckTimeoutSeconds 2-120, both thresholds 2-10."""
    for name, (low, high) in _RANGES.items():
        value = call.get(name)
        if value is not None and not low <= int(value) <= high:
            raise refused("ValidationError", f"'{name}' must be between {low} and {high}, not {value}")


@before("elbv2", "CreateTargetGroup", "ModifyTargetGroup")
def matcher_is_a_success_code(call: Call) -> None:
    """ELBv2 API Matcher, HttpCode: for Application Load Balancers 200 to 499."""
    codes = str((call.get("Matcher") or {}).get("HttpCode", "200"))
    for part in codes.replace("-", ",").split(","):
        if not (part.isdigit() and 200 <= int(part) <= 499):
            raise refused(
                "ValidationError",
                f"Health check matcher HTTP code '{codes}' must be within '200-499' inclusive",
            )


@before("elbv2", "CreateTargetGroup")
def same_group_is_created_once(call: Call) -> dict[str, Any] | None:
    """ELBv2 API CreateTargetGroup: "This operation is idempotent, which means that it completes at most
    one time. If you attempt to create multiple target groups with the same settings, each call succeeds";
    other settings under the name are DuplicateTargetGroupName."""
    groups = call.backend("elbv2").target_groups.values()
    existing = next((group for group in groups if group.name == call.get("Name")), None)
    if existing is not None and getattr(existing, "shoal_request", None) == _settings(call):
        return {"TargetGroups": [existing]}
    return None


def _settings(call: Call) -> dict[str, str]:
    return {name: str(value) for name, value in call.parameters.items() if name != "Tags"}


@after("elbv2", "CreateTargetGroup")
def group_remembers_its_settings(call: Call, result: Any) -> None:
    """ELBv2 API CreateTargetGroup, "idempotent"; see :func:`same_group_is_created_once`."""
    result.result["TargetGroups"][0].shoal_request = _settings(call)


@before("elbv2", "DeleteTargetGroup")
def missing_group_is_deleted(call: Call) -> dict[str, Any] | None:
    """ELBv2 API DeleteTargetGroup names ResourceInUse as its only error: a group that is not there is
    deleted."""
    return {} if call.get("TargetGroupArn") not in call.backend("elbv2").target_groups else None
