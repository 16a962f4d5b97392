"""Permissions of S3, DynamoDB and Systems Manager calls."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from shoal_local.iam_needs import ANY, Need, rule, unknown
from shoal_local.names import REGION, arn, backend
from shoal_local.wire import Call

# Operations whose permission has another name (S3 user guide, "Required permissions for API operations").
_S3_ACTION = {
    "HeadObject": "GetObject", "GetObjectAttributes": "GetObject", "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject", "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
    "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket",
    "ListBuckets": "ListAllMyBuckets", "ListObjectVersions": "ListBucketVersions",
    "DeleteObjects": "DeleteObject",
    "ListMultipartUploads": "ListBucketMultipartUploads", "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
}  # fmt: skip


def _s3(bucket: str, key: str | None = None) -> str:
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


@rule("s3")
def s3(call: Call) -> list[Need]:
    p, operation = call.parameters, call.operation
    action = f"s3:{_S3_ACTION.get(operation, operation)}"
    if operation == "ListBuckets":
        return [Need(action)]
    bucket = str(p["Bucket"])
    if operation == "DeleteObjects":
        keys = [each["Key"] for each in (p.get("Delete") or {}).get("Objects") or []]
        return [Need(action, tuple(_s3(bucket, key) for key in keys))]
    if operation in {"CopyObject", "UploadPartCopy"}:
        source = p["CopySource"]
        path = source if isinstance(source, str) else f"{source['Bucket']}/{source['Key']}"
        origin = f"arn:aws:s3:::{unquote(path).lstrip('/').split('?')[0]}"
        return [Need("s3:GetObject", (origin,)), Need("s3:PutObject", (_s3(bucket, p.get("Key")),))]
    if p.get("VersionId") and action in {"s3:GetObject", "s3:DeleteObject"}:
        action += "Version"
    context = {"s3:prefix": (str(p.get("Prefix") or ""),)} if action == "s3:ListBucket" else {}
    return [Need(action, (_s3(bucket, p.get("Key")),), context)]


_TRANSACTION = {
    "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}  # fmt: skip


def _table(name: str, index: str | None = None) -> str:
    table = name if name.startswith("arn:") else arn("dynamodb", f"table/{name}")
    return f"{table}/index/{index}" if index else table


@rule("dynamodb")
def dynamodb(call: Call) -> list[Need]:
    p, operation = call.parameters, call.operation
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        return [
            Need(f"dynamodb:{_TRANSACTION[kind]}", (_table(body["TableName"]),), _leading_keys(body))
            for item in p["TransactItems"]
            for kind, body in item.items()
        ]
    if operation in {"BatchWriteItem", "BatchGetItem"}:
        return [Need(f"dynamodb:{operation}", tuple(_table(name) for name in p["RequestItems"]))]
    if operation in {"ListTables", "DescribeLimits", "DescribeEndpoints"}:
        return [Need(f"dynamodb:{operation}")]
    if not p.get("TableName"):
        raise unknown(call)
    return [Need(f"dynamodb:{operation}", (_table(p["TableName"], p.get("IndexName")),), _leading_keys(p))]


def _leading_keys(parameters: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """``dynamodb:LeadingKeys``: the partition key of the item at hand."""
    item = parameters.get("Key") or parameters.get("Item")
    table = backend("dynamodb").tables.get(str(parameters.get("TableName")).rsplit("/", 1)[-1])
    if not item or table is None or table.hash_key_attr not in item:
        return {}
    return {"dynamodb:leadingkeys": (str(next(iter(item[table.hash_key_attr].values()))),)}


@rule("ssm")
def parameters(call: Call) -> list[Need]:
    p, action = call.parameters, f"ssm:{call.operation}"
    if call.operation == "DescribeParameters":
        return [Need(action, ANY)]
    names = p.get("Names") or [p.get("Name") or p.get("Path")]
    if names == [None]:
        raise unknown(call)
    return [Need(action, tuple(_parameter(str(name)) for name in names))]


def _parameter(name: str) -> str:
    """AWS's own parameters belong to no account, so their ARNs have none."""
    if name.startswith("arn:"):
        return name
    account = "" if name.startswith("/aws/service/") else arn("ssm", "").split(":")[4]
    return f"arn:aws:ssm:{REGION}:{account}:parameter/{name.lstrip('/')}"
