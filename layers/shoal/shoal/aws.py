"""Lazy clients, and the one place where botocore errors become domain errors."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shoal.errors import AwsError, Denied, NoCapacity, RecentlyDeleted, Retryable

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "403"})
_RETRYABLE = frozenset(
    {
        "InternalError", "InternalFailure", "InternalServerError", "InternalServiceError", "ServerException",
        "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout", "RequestLimitExceeded",
        "SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException",
        "ProvisionedThroughputExceededException", "TransactionConflictException", "UpdateInProgressException",
        "ResourceContention", "ServiceLinkedRoleFailure", "500", "502", "503", "504",
    }
)  # fmt: skip
_NAME_IS_KEPT = frozenset({"AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"})
_LIMITS = frozenset(
    {
        "LimitExceeded", "LimitExceededException", "TooManyListeners", "TooManyRules", "TooManyTargetGroups",
        "TooManyTags", "LimitExceededFault",
        "TooManyUniqueTargetGroupsPerLoadBalancer", "TargetGroupAssociationLimit", "InstanceLimitExceeded",
        "VcpuLimitExceeded",
    }
)  # fmt: skip


@functools.cache
def client(service: str, attempts: int = 3) -> Any:
    """A boto3 client, made on first use: an eager one costs 20 to 100 ms of cold start each.

    ``attempts=1`` is for a call that is not idempotent: the SDK would repeat one whose answer was lost. The
    step is repeated instead, and looks first for what the lost call left.
    """
    import boto3
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client(service, config=Config(connect_timeout=3, read_timeout=20, retries=retries))


def code_of(error: Exception) -> str:
    """The AWS error code of a botocore ``ClientError``, or an empty string."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def domain_errors(doing: str, absent: frozenset[str] = frozenset()) -> Iterator[None]:
    """Turn botocore's errors into ours; codes in ``absent`` mean "already gone" and are let pass.

    Raises:
        Denied: the role lacks the permission.
        NoCapacity: a limit of the account.
        RecentlyDeleted: the name is not free yet.
        Retryable: a throttle, a 5xx, or no answer at all.
        AwsError: everything else, with AWS's code and words.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in absent:
            return
        message = f"{doing}: {code}: {error.response.get('Error', {}).get('Message', '')}"
        if code in _DENIED:
            raise Denied(message) from error
        if code in _LIMITS:
            raise NoCapacity(f"{message}; ask AWS for a higher quota, or delete a deployment") from error
        if code in _NAME_IS_KEPT:
            raise RecentlyDeleted(message) from error
        if code in _RETRYABLE:
            raise Retryable(message) from error
        raise AwsError(message) from error
    except BotoCoreError as error:
        raise Retryable(f"{doing}: {error}") from error
