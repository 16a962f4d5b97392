"""A bucket's events for EventBridge, as a template asks for them: moto's CloudFormation leaves them out."""

from __future__ import annotations

from typing import Any

from shoal_local.cfn_resource import client
from shoal_local.patches import contract

_CREATE = contract(
    "moto.s3.models",
    "FakeBucket.create_from_cloudformation_json",
    "cls resource_name cloudformation_json account_id region_name kwargs",
)


def install() -> None:
    """``NotificationConfiguration.EventBridgeConfiguration`` is put in force when the bucket is made."""
    original = _CREATE.original.__func__

    def create(
        cls: Any,
        /,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        **more: Any,
    ) -> Any:
        bucket = original(cls, resource_name, cloudformation_json, account_id, region_name, **more)
        wanted = cloudformation_json.get("Properties", {}).get("NotificationConfiguration") or {}
        given = wanted.get("EventBridgeConfiguration") or {}
        if str(given.get("EventBridgeEnabled")).lower() == "true":
            client("s3").put_bucket_notification_configuration(
                Bucket=bucket.name, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )
        return bucket

    _CREATE.replace(classmethod(create))
