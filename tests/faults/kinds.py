"""The kinds of fault a call to AWS or a function can meet, with each service's own error codes."""

from __future__ import annotations

from shoal_local.refusals import denied_code, refusal

Answer = tuple[int, dict[str, str], bytes]
"""HTTP status, headers, body."""

SERVICES = {
    "auto-scaling": "autoscaling",
    "cloudwatch-logs": "logs",
    "elastic-load-balancing-v2": "elbv2",
    "eventbridge": "events",
    "resource-groups-tagging-api": "resourcegroupstaggingapi",
    "sfn": "stepfunctions",
}
"""botocore's name of a service in its events to the name of its client, where they differ."""

REFUSALS = ("throttle", "denied", "5xx", "connect")
"""The call has no effect."""
AFTER = ("lost", "5xx-after")
"""The call has its effect, the caller is not told so."""
CRASHES = ("crash-before", "crash-after")
"""The function dies before the call reaches AWS, or before its answer reaches the function."""
VIEWS = ("stale", "slow")
"""A read shows what the same read showed before: once, or for some virtual seconds."""

ONCE, CALL, LASTING = "", "*", "**"
"""One attempt of the SDK; every attempt for this call; every such call until the fault is lifted."""

# no SDK repeats a denied call: for one call "denied" is already every attempt
AWS_KINDS = (
    *(
        kind + mark
        for kind in (*REFUSALS, *AFTER)
        for mark in (ONCE, CALL, LASTING)
        if kind + mark != "denied*"
    ),
    *(kind + mark for kind in CRASHES for mark in (ONCE, LASTING)),
    *VIEWS,
)
FUNCTION_KINDS = ("timeout", "timeout**", "twice", "service", "service**", "dies")
"""Of a function: it does its work and times out; it runs twice; Lambda itself fails before it; and the
execution of the state machine dies at it (``States.Runtime``, which nothing catches)."""

READS = ("Describe", "List", "Get", "Query", "Scan", "Head", "BatchGet")
SLOW_SECONDS = 8
"""How long a slow view stays behind: less than the pause between two passes of a teardown."""

_THROTTLES = {
    "autoscaling": ("Throttling", 400), "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "ec2": ("RequestLimitExceeded", 503), "ecs": ("ThrottlingException", 400), "elbv2": ("Throttling", 400),
    "logs": ("ThrottlingException", 400), "s3": ("SlowDown", 503), "sesv2": ("TooManyRequestsException", 429),
    "sqs": ("ThrottlingException", 400),
    "ssm": ("ThrottlingException", 400), "stepfunctions": ("ThrottlingException", 400),
}  # fmt: skip
_BROKEN = {
    "autoscaling": ("InternalFailure", 500), "dynamodb": ("InternalServerError", 500),
    "ec2": ("InternalError", 500), "ecs": ("ServerException", 500), "elbv2": ("InternalFailure", 500),
    "logs": ("ServiceUnavailableException", 503), "s3": ("InternalError", 500),
    "sesv2": ("InternalServiceErrorException", 500), "sqs": ("InternalError", 500),
    "ssm": ("InternalServerError", 500), "stepfunctions": ("ServiceUnavailable", 503),
}  # fmt: skip


class FunctionDied(BaseException):
    """A function's process is gone: nothing in it may catch this."""


def throttled(service: str) -> Answer:
    code, status = _THROTTLES.get(service, ("ThrottlingException", 400))
    return _answer(service, code, "Rate exceeded", status)


def broken(service: str) -> Answer:
    code, status = _BROKEN.get(service, ("InternalFailure", 500))
    return _answer(service, code, "An internal error occurred", status)


def denied(service: str) -> Answer:
    return _answer(service, denied_code(service), "not authorized to perform this", None)


def is_read(operation: str) -> bool:
    return operation.startswith(READS)


def split(kind: str) -> tuple[str, str]:
    """A kind's name and how long it lasts."""
    name = kind.rstrip("*")
    return name, kind[len(name) :]


def _answer(service: str, code: str, message: str, status: int | None) -> Answer:
    made = refusal(service, code, message, status)
    return made.status_code, dict(made.headers), made.get_data()
