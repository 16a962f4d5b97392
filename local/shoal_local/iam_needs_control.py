"""Permissions of logging, metrics, identity and tagging calls."""

from __future__ import annotations

from shoal_local.iam_needs import ANY, Need, rule, tags_in, unknown
from shoal_local.names import ACCOUNT, arn
from shoal_local.wire import Call

_STREAM = {"CreateLogStream", "PutLogEvents", "DeleteLogStream", "GetLogEvents"}
_DELIVERY = {
    "CreateLogDelivery",
    "GetLogDelivery",
    "UpdateLogDelivery",
    "DeleteLogDelivery",
    "ListLogDeliveries",
}
_ACCOUNT_LOGS = {"DescribeResourcePolicies", "PutResourcePolicy", "DescribeLogGroups", *_DELIVERY}


@rule("logs")
def logs(call: Call) -> list[Need]:
    p, action = call.parameters, f"logs:{call.operation}"
    if call.operation == "DescribeLogGroups":
        return [Need(action, (arn("logs", "log-group::log-stream:"),))]
    if call.operation in _ACCOUNT_LOGS:
        return [Need(action)]
    if p.get("resourceArn"):
        return [Need(action, (p["resourceArn"],))]
    name = p.get("logGroupName") or str(p.get("logGroupIdentifier", "")).rsplit(":", 1)[-1]
    if not name:
        raise unknown(call)
    if call.operation in _STREAM:
        return [Need(action, (arn("logs", f"log-group:{name}:log-stream:{p.get('logStreamName', '*')}"),))]
    needs = [Need(action, (arn("logs", f"log-group:{name}:*"),))]
    if call.operation == "CreateLogGroup" and tags_in(p):
        needs.append(Need("logs:TagResource", (arn("logs", f"log-group:{name}"),)))
    return needs


@rule("cloudwatch")
def cloudwatch(call: Call) -> list[Need]:
    p, action = call.parameters, f"cloudwatch:{call.operation}"
    if call.operation == "PutMetricData":
        return [Need(action, ANY, {"cloudwatch:namespace": (str(p["Namespace"]),)})]
    if call.operation in {"GetMetricData", "GetMetricStatistics", "ListMetrics", "ListDashboards"}:
        return [Need(action)]
    if "Dashboard" in call.operation:
        names = p.get("DashboardNames") or [p["DashboardName"]]
        return [Need(action, tuple(f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}" for name in names))]
    if call.operation in {"TagResource", "UntagResource", "ListTagsForResource"}:
        return [Need(action, (p["ResourceARN"],))]
    if "Alarm" not in call.operation:
        raise unknown(call)
    names = p.get("AlarmNames") or [p.get("AlarmName") or "*"]
    resources = tuple(arn("cloudwatch", f"alarm:{name}") for name in names)
    tagging = [Need("cloudwatch:TagResource", resources)] if tags_in(p) else []
    return [Need(action, resources), *tagging]


@rule("iam")
def iam(call: Call) -> list[Need]:
    p, action = call.parameters, f"iam:{call.operation}"
    if call.operation == "CreateServiceLinkedRole":
        service = str(p["AWSServiceName"])
        resource = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/*"
        return [Need(action, (resource,), {"iam:awsservicename": (service,)})]
    for key, kind in (
        ("RoleName", "role"),
        ("InstanceProfileName", "instance-profile"),
        ("UserName", "user"),
    ):
        if p.get(key):
            return [Need(action, (f"arn:aws:iam::{ACCOUNT}:{kind}/{p[key]}",))]
    if p.get("PolicyArn"):
        return [Need(action, (p["PolicyArn"],))]
    if call.operation.startswith("List"):
        return [Need(action)]
    raise unknown(call)


@rule("sts")
def sts(call: Call) -> list[Need]:
    """GetCallerIdentity needs nothing: AWS answers it even against an explicit Deny."""
    if call.operation == "GetCallerIdentity":
        return []
    if call.operation == "AssumeRole":
        return [Need("sts:AssumeRole", (call.parameters["RoleArn"],))]
    raise unknown(call)


@rule("resourcegroupstaggingapi")
def tagging(call: Call) -> list[Need]:
    return [Need(f"tag:{call.operation}")]


@rule("xray", "service-quotas", "cloudformation", "apigateway")
def whole_account(call: Call) -> list[Need]:
    """Services that only people and operators call: action level, on everything."""
    prefix = {"service-quotas": "servicequotas"}.get(call.service, call.service)
    return [Need(f"{prefix}:{call.operation}")]
