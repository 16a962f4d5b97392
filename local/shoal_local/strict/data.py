"""Step Functions, DynamoDB and Application Auto Scaling: sizes, tokens, error names."""

from __future__ import annotations

import time
from typing import Any

from shoal_local.strict.engine import Call, after, before, refused

MAXIMUM_INPUT_BYTES = 262_144
TOKEN_SECONDS = 600
MAXIMUM_TRANSACTION_BYTES = 4 * 1024 * 1024


@before("stepfunctions", "StartExecution")
def execution_input_is_small(call: Call) -> None:
    """Step Functions API StartExecution, input: at most 262144 bytes in UTF-8."""
    if len(str(call.get("input", "")).encode()) > MAXIMUM_INPUT_BYTES:
        message = (
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAXIMUM_INPUT_BYTES}"
        )
        raise refused("ValidationException", message)


@before("dynamodb", "TransactWriteItems")
def transaction_is_small(call: Call) -> None:
    """DynamoDB API TransactWriteItems: "The aggregate size of the items in the transaction cannot exceed
    4 MB"; what is deleted counts, too (moto takes any size)."""
    backend = call.backend("dynamodb")
    operations = [next(iter(one.values())) for one in call.get("TransactItems", [])]
    if sum(_size(backend, one) for one in operations) > MAXIMUM_TRANSACTION_BYTES:
        raise refused("ValidationException", "Transaction size cannot exceed 4 MB")


def _size(backend: Any, operation: dict[str, Any]) -> int:
    """Of the item that is put, or of the one that is there."""
    from moto.dynamodb.models.dynamo_type import DynamoType

    if "Item" in operation:
        return int(DynamoType({"M": operation["Item"]}).size())
    if operation.get("TableName") not in backend.tables:
        return 0
    there = backend.get_item(operation["TableName"], operation["Key"])
    return there.size() if there else 0


@before("dynamodb", "TransactWriteItems")
def transaction_token_is_honoured(call: Call) -> dict[str, Any] | None:
    """DynamoDB API TransactWriteItems, ClientRequestToken: for 10 minutes the same request is done once;
    another under the token is IdempotentParameterMismatchException (moto ignores it)."""
    token = call.get("ClientRequestToken")
    known = getattr(call.backend("dynamodb"), "shoal_tokens", {}).get(token)
    if not token or known is None or time.monotonic() - known[1] > TOKEN_SECONDS:
        return None
    if known[0] != repr(call.get("TransactItems")):
        message = "The request uses the same client token as a previous, but non-identical request."
        raise refused("IdempotentParameterMismatchException", message)
    return {}


@before("dynamodb", "TransactWriteItems")
def transaction_is_kept(call: Call) -> None:
    """DynamoDB API TransactWriteItems, ClientRequestToken: the request as it came, before moto changes it."""
    call.response.shoal_request = repr(call.get("TransactItems"))


@after("dynamodb", "TransactWriteItems")
def transaction_token_is_remembered(call: Call, _: Any) -> None:
    """DynamoDB API TransactWriteItems, ClientRequestToken; see :func:`transaction_token_is_honoured`."""
    token, backend = call.get("ClientRequestToken"), call.backend("dynamodb")
    if token:
        known = (call.response.shoal_request, time.monotonic())
        backend.shoal_tokens = {**getattr(backend, "shoal_tokens", {}), token: known}


@before("application-autoscaling", "DeregisterScalableTarget")
def deregistered_target_exists(call: Call) -> None:
    """Application Auto Scaling API DeregisterScalableTarget: ObjectNotFoundException (moto:
    ValidationException)."""
    targets = call.backend("applicationautoscaling").targets
    by_resource = targets.get(call.get("ScalableDimension"), {})
    if call.get("ResourceId") not in by_resource:
        message = (
            f"No scalable target found for service namespace: {call.get('ServiceNamespace')}, resource ID: "
            f"{call.get('ResourceId')}, scalable dimension: {call.get('ScalableDimension')}"
        )
        raise refused("ObjectNotFoundException", message)
