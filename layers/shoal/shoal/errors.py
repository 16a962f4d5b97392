"""A small tree of errors. Each has a stable code, an HTTP status, and a message that says what to do.

A class name is also an error name in the state machine (`ErrorEquals`), so renaming one is a breaking change.
"""

from __future__ import annotations


class ShoalError(Exception):
    """The root. ``detail`` is for a person; ``errors`` lists the fields at fault."""

    code = "internal"
    status = 500
    title = "Something broke inside Shoal"
    retry_after: int | None = None
    """Seconds after which the same request may be answered otherwise (HTTP ``Retry-After``); None: never."""

    def __init__(self, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []


class InvalidRequest(ShoalError):
    """The request can be mended by whoever sent it."""

    code, status, title = "invalid-request", 422, "The request is not valid"


class MalformedRequest(ShoalError):
    """Not JSON, too deep, too long."""

    code, status, title = "malformed-request", 400, "The request could not be read"


class ContentTooLarge(ShoalError):
    """The body, or a list that it names, is beyond the limit."""

    code, status, title = "content-too-large", 413, "What was sent is too large"


class NotFound(ShoalError):
    """No such deployment, job, model or version."""

    code, status, title = "not-found", 404, "There is no such thing"


class Conflict(ShoalError):
    """The state does not allow it now."""

    code, status, title = "conflict", 409, "The current state does not allow this"


class Busy(Conflict):
    """Something works on it now: when that has ended, the same request is answered otherwise."""

    retry_after = 30


class StaleWriter(Conflict):
    """A newer generation owns the deployment: this writer's result is dropped."""

    code = "stale-writer"


class Retryable(ShoalError):
    """A throttle, a 5xx or a lost answer: the state machine tries again."""

    code, status, title = "retryable", 503, "AWS did not answer; try again"
    retry_after = 5


class RecentlyDeleted(Retryable):
    """SQS keeps a deleted queue's name for 60 seconds (SQS API, DeleteQueue)."""

    code = "recently-deleted"


class NoCapacity(ShoalError):
    """A limit or a quota of the account stands in the way."""

    code, status, title = "no-capacity", 409, "A limit of the account stands in the way"


class Denied(ShoalError):
    """A role lacks a permission; the message names the action."""

    code, status, title = "denied", 500, "AWS denied a call"


class AwsError(ShoalError):
    """Any other answer of AWS; the message keeps its code."""

    code, status, title = "aws-error", 502, "AWS refused a call"


class ServiceNotStable(ShoalError):
    """The service did not become steady within its deadline, or its rollout failed."""

    code, status, title = "service-not-stable", 500, "The service did not become steady"


class TeardownIncomplete(ShoalError):
    """Something could not be removed; it is listed in ``errors``."""

    code, status, title = "teardown-incomplete", 500, "Something is left"
