"""Check a SigV4 signature: recompute it with botocore and compare (IAM guide, "Signed AWS API requests")."""

from __future__ import annotations

import datetime
import hmac
import re

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from shoal_local.wire import Environ

_HEADER = re.compile(r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})")
_CLOCK_SKEW = datetime.timedelta(minutes=15)


class BadSignature(Exception):
    """The signature is missing, old, or not what the secret gives."""


def verify(environ: Environ, body: bytes, access_key: str, secret: str, service: str, region: str) -> None:
    """Check the ``Authorization`` header of a request.

    Raises:
        BadSignature: with what to do about it.
    """
    match = _HEADER.search(environ.get("HTTP_AUTHORIZATION", ""))
    stamp = str(environ.get("HTTP_X_AMZ_DATE", ""))
    if not match or not stamp:
        raise BadSignature(
            "the Authorization header is not SigV4: sign the request with an AWS SDK or `shoal`"
        )
    _check_age(stamp)
    signed, given = match.groups()
    request = _request(environ, body, signed.split(";"))
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(access_key, secret), service, region)
    canonical = signer.canonical_request(request)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)
    if not hmac.compare_digest(expected, given):
        raise BadSignature(
            "the signature does not match: check the secret key, the region and the signed headers"
        )


def _check_age(stamp: str) -> None:
    try:
        made = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError as error:
        raise BadSignature(f"X-Amz-Date is not a timestamp: {stamp}") from error
    if abs(datetime.datetime.now(datetime.UTC) - made) > _CLOCK_SKEW:
        raise BadSignature(
            "the signature is more than 15 minutes old: check this machine's clock and sign again"
        )


def _request(environ: Environ, body: bytes, signed: list[str]) -> AWSRequest:
    """The request as its sender saw it, with the signed headers only."""
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ.get("PATH_INFO", "/"))
    headers = {name: _header(environ, name) for name in signed}
    url = f"http://{environ['HTTP_HOST']}{raw}"
    return AWSRequest(method=environ["REQUEST_METHOD"], url=url, data=body, headers=headers)


def _header(environ: Environ, name: str) -> str:
    key = name.upper().replace("-", "_")
    return str(environ.get(key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}", ""))
