"""``Idempotency-Key``: a request is done once under its key and answered alike, for 24 hours.

After the IETF draft "The Idempotency-Key HTTP Header Field". DynamoDB deletes an expired item up to days
late, so the write itself asks whether the key is free.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable

from shoal import table
from shoal.api.gate import Answer, Request
from shoal.api.model import Accepted
from shoal.errors import Busy, Conflict, InvalidRequest, Retryable, ShoalError

KEPT_SECONDS = 24 * 3600
LONGEST_ATTEMPT_SECONDS = 30
"""A function behind the API ends after 29 s: a key without an answer is free for the same request then."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_IS_FREE = (
    "attribute_not_exists(pk) OR expires_at <= :now "
    "OR (attribute_not_exists(answer) AND fingerprint = :fingerprint AND attempt_until <= :now)"
)


def once(request: Request, work: Callable[[], Answer]) -> Answer:
    """What ``work`` answers, or what it answered before under this key.

    A request that was refused leaves its key free.

    Raises:
        InvalidRequest: the key is no key.
        Conflict: the key belongs to another request, or this one is being worked on.
    """
    if request.key is None:
        return work()
    if not _KEY.fullmatch(request.key):
        raise InvalidRequest("Idempotency-Key: send 1 to 255 printable ASCII characters without spaces")
    before = _take(request)
    if before is not None:
        return before
    try:
        answer = work()
    except ShoalError:
        _put(request, expires_at=0)
        raise
    kept = {"status": answer.status, "content": answer.content.model_dump(mode="json")}
    _put(request, answer=json.dumps(kept | {"location": answer.location}))
    return answer


def _take(request: Request) -> Answer | None:
    """None where the key is ours now; else the answer that it has."""
    now = int(time.time())
    condition = {
        "ConditionExpression": _IS_FREE,
        "ExpressionAttributeValues": {":now": now, ":fingerprint": _fingerprint(request)},
    }
    try:
        _put(request, condition, attempt_until=now + LONGEST_ATTEMPT_SECONDS)
    except table.ConditionFailed:
        return _answered(request, table.read(_key(request)))
    return None


def _answered(request: Request, item: table.Item | None) -> Answer:
    if item is None:
        raise Retryable("another request gave the key up just now: try again")
    if item["fingerprint"] != _fingerprint(request):
        raise Conflict("Idempotency-Key: it belongs to another request: use another key for this one")
    if "answer" not in item:
        raise Busy("Idempotency-Key: this very request is being worked on: try again in a moment")
    kept = json.loads(item["answer"])
    return Answer(kept["status"], Accepted.model_validate(kept["content"]), kept["location"])


def _put(request: Request, condition: table.Item | None = None, **fields: str | int) -> None:
    own = {"fingerprint": _fingerprint(request), "expires_at": int(time.time()) + KEPT_SECONDS}
    table.write({"Put": {"Item": _key(request) | own | fields} | (condition or {})})


def _fingerprint(request: Request) -> str:
    return _digest(json.dumps([request.method, request.path, request.body], sort_keys=True))


def _key(request: Request) -> table.Item:
    """A key belongs to whoever sends it: two people may choose the same."""
    return {"pk": f"IDEMPOTENCY#{_digest(json.dumps([request.actor, request.key]))}", "sk": "REQUEST"}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
