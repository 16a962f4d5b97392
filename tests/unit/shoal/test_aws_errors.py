"""What each answer of AWS becomes: the one place where botocore's errors turn into ours."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from shoal import errors
from shoal.aws import domain_errors


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "the words of AWS"}}, "CreateQueue")


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ("AccessDeniedException", errors.Denied),
        ("UnauthorizedOperation", errors.Denied),
        ("TooManyListeners", errors.NoCapacity),
        ("VcpuLimitExceeded", errors.NoCapacity),
        ("ThrottlingException", errors.Retryable),
        ("503", errors.Retryable),
        ("QueueDeletedRecently", errors.RecentlyDeleted),
        ("AWS.SimpleQueueService.QueueDeletedRecently", errors.RecentlyDeleted),
        ("ValidationError", errors.AwsError),
    ],
)
def test_a_code_becomes_one_kind_of_error(code: str, becomes: type[errors.ShoalError]) -> None:
    with pytest.raises(errors.ShoalError) as caught, domain_errors("make the queue"):
        raise refusal(code)
    assert type(caught.value) is becomes
    assert caught.value.detail.startswith(f"make the queue: {code}: the words of AWS")


def test_no_answer_at_all_is_worth_another_try() -> None:
    with pytest.raises(errors.Retryable, match="make the queue"), domain_errors("make the queue"):
        raise EndpointConnectionError(endpoint_url="http://sqs")


def test_what_is_gone_already_is_no_error() -> None:
    with domain_errors("remove the queue", absent=frozenset({"QueueDoesNotExist"})):
        raise refusal("QueueDoesNotExist")


def test_a_name_that_is_kept_is_retried_where_any_retryable_is() -> None:
    """Whoever waits for a Retryable waits for it too: a rollback, a deletion, the API's 503."""
    assert issubclass(errors.RecentlyDeleted, errors.Retryable)
    assert errors.RecentlyDeleted("later").status == 503
