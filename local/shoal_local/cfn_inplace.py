"""Changes that moto's own resources take in place, so that an update never loses data.

A type that is not named here is replaced: deleted, then made again under the same name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from shoal_local.cfn_resource import Properties
from shoal_local.names import ACCOUNT, REGION

InPlace = Callable[[Any, Properties, Properties], bool]
_FIXED_TABLE = ("TableName", "KeySchema", "LocalSecondaryIndexes")


def _changed(old: Properties, new: Properties, *names: str) -> bool:
    return any(old.get(name) != new.get(name) for name in names)


def _table(resource: Any, old: Properties, new: Properties) -> bool:
    if _changed(old, new, *_FIXED_TABLE, "GlobalSecondaryIndexes"):
        raise ValueError(
            "changing a table's keys or indexes would lose its items here: delete the stack first"
        )
    del resource
    return True


def _through_moto(resource: Any, old: Properties, new: Properties) -> bool:
    """moto's own update keeps the content."""
    body = {"Type": resource.cf_resource_type, "Properties": json.loads(json.dumps(new))}
    del old
    type(resource).update_from_cloudformation_json(
        original_resource=resource,
        new_resource_name=resource.physical_resource_id,
        cloudformation_json=body,
        account_id=ACCOUNT,
        region_name=REGION,
    )
    return True


def _topic(resource: Any, old: Properties, new: Properties) -> bool:
    del resource
    return not _changed(old, new, "TopicName")


IN_PLACE: dict[str, InPlace] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::S3::Bucket": _through_moto,
    "AWS::SQS::Queue": _through_moto,
    "AWS::SNS::Topic": _topic,
    "AWS::CloudWatch::Dashboard": _through_moto,
    "AWS::ElasticLoadBalancingV2::Listener": _through_moto,
}
