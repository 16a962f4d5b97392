"""The object that lists the videos: how many lines it has, and some of them from a place on."""

from __future__ import annotations

from typing import Any

from shoal.aws import client, code_of, domain_errors
from shoal.contracts.names import split_s3_uri
from shoal.errors import ContentTooLarge, InvalidRequest
from shoal.jobs import objects
from shoal.jobs.objects import Head

FOLDER = "manifests/"
MAXIMUM_LINES = 100_000
MAXIMUM_BYTES = 64 << 20
_CHUNK = 1 << 20
_PAGE_BYTES = 256 * 1024
"""More than the longest line, about a thousand short ones."""
_GONE = frozenset({"PreconditionFailed", "NoSuchKey", "412", "404"})


class Unreadable(Exception):
    """It cannot be read on; ``reason`` says why, and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def look(uri: str, bucket: str) -> tuple[str, Head, int]:
    """The key of a manifest in the data bucket, the object, and how many lines it has.

    Raises:
        InvalidRequest: it lies elsewhere, is not there or is empty.
        ContentTooLarge: more lines or bytes than one manifest may have.
    """
    where, key = split_s3_uri(uri)
    if where != bucket or not key.startswith(FOLDER):
        raise _wrong(f"upload it to s3://{bucket}/{FOLDER}<deployment>/ and name it there")
    found = objects.head(bucket, key)
    if found is None or found.size == 0:
        raise _wrong(f"{uri} {'does not exist' if found is None else 'is empty'}: upload it, then submit it")
    if found.size > MAXIMUM_BYTES:
        raise ContentTooLarge(f"{uri} has {found.size:,} bytes; split it into manifests of {MAXIMUM_BYTES:,}")
    lines = _count_lines(bucket, key)
    if lines > MAXIMUM_LINES:
        raise ContentTooLarge(f"{uri} has {lines:,} lines; split it into manifests of {MAXIMUM_LINES:,}")
    return key, found, lines


def page(bucket: str, key: str, etag: str, offset: int, size: int) -> list[bytes]:
    """The whole lines from byte ``offset`` on, with every byte but the line feeds at their ends.

    Raises:
        Unreadable: the object has changed since it was submitted, or a line has no end.
    """
    end = min(size, offset + _PAGE_BYTES) - 1
    text = _get(bucket, key, IfMatch=f'"{etag}"', Range=f"bytes={offset}-{end}").read()
    lines: list[bytes] = text.split(b"\n")
    rest = lines.pop()
    if end + 1 == size:
        return [*lines, rest] if rest else lines
    if not lines:
        raise Unreadable(f"a line is longer than {_PAGE_BYTES} bytes: one video a line")
    return lines


def _count_lines(bucket: str, key: str) -> int:
    lines, last = 0, b"\n"
    for chunk in _get(bucket, key).iter_chunks(_CHUNK):
        lines += chunk.count(b"\n")
        last = chunk[-1:] or last
    return lines + (last != b"\n")


def _get(bucket: str, key: str, **how: Any) -> Any:
    from botocore.exceptions import ClientError

    with domain_errors(f"read s3://{bucket}/{key}"):
        try:
            return client("s3").get_object(Bucket=bucket, Key=key, **how)["Body"]
        except ClientError as error:
            if code_of(error) in _GONE:
                raise Unreadable("it was replaced while it was read: submit it again") from error
            raise


def _wrong(detail: str) -> InvalidRequest:
    return InvalidRequest(f"manifest: {detail}", [{"field": "manifest", "detail": detail}])
