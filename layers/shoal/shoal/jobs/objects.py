"""Objects of S3 as the intake looks at them: are they there, and which version."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from shoal.aws import client, code_of, domain_errors
from shoal.contracts.names import split_s3_uri

_THREADS = 10
"""As many as a client keeps connections."""
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True)
class Head:
    """``etag`` without quotes, ``size`` in bytes, the sender's own ``metadata``."""

    etag: str
    size: int
    metadata: dict[str, str] = field(default_factory=dict)


def head(bucket: str, key: str) -> Head | None:
    """The object as it is now; None where there is none (HeadObject).

    Raises:
        Denied: the role may not read it.
        Retryable: S3 did not answer.
    """
    from botocore.exceptions import ClientError

    with domain_errors(f"look at s3://{bucket}/{key}"):
        try:
            found = client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) in _ABSENT:
                return None
            raise
    return Head(str(found["ETag"]).strip('"'), int(found["ContentLength"]), found.get("Metadata", {}))


def heads(bucket: str, keys: Iterable[str]) -> list[Head | None]:
    """Many of them at once, in order."""
    client("s3")  # made once, before the threads want it
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(lambda key: head(bucket, key), keys))


def version(uri: str | None) -> str:
    """``uri`` with the ETag that it has now; what is absent has none."""
    if not uri:
        return ""
    found = head(*split_s3_uri(uri))
    return f"{uri}@{found.etag if found else ''}"
