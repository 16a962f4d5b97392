"""A request as botocore would send it, caught before it leaves."""

from __future__ import annotations

import functools
import io
from typing import Any
from urllib.parse import urlsplit

from boto3.session import Session
from botocore.config import Config
from shoal_local.wire import Call, caller_of, read_call

KEY = "AKIAIOSFODNN7EXAMPLE"


class _Caught(Exception):
    def __init__(self, request: Any) -> None:
        super().__init__("caught")
        self.request = request


def environ_of(service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The WSGI environment of one call."""
    try:
        getattr(_client(service), operation)(**parameters)
    except _Caught as caught:
        return _environ(caught.request)
    raise AssertionError("the request was not sent")


@functools.cache
def _client(service: str) -> Any:
    session = Session(KEY, "secret", region_name="us-west-2")
    config = Config(parameter_validation=False)
    client = session.client(service, endpoint_url="http://127.0.0.1:1", config=config)

    def catch(request: Any, **_: Any) -> None:
        raise _Caught(request)

    client.meta.events.register("before-send", catch)
    return client


def _environ(request: Any) -> dict[str, Any]:
    url = urlsplit(request.url)
    body = request.body.read() if hasattr(request.body, "read") else request.body or b""
    body = body.encode() if isinstance(body, str) else body
    headers = {
        key: value.decode() if isinstance(value, bytes) else value for key, value in request.headers.items()
    }
    environ = {f"HTTP_{key.upper().replace('-', '_')}": value for key, value in headers.items()}
    return {
        **environ,
        "REQUEST_METHOD": request.method,
        "PATH_INFO": url.path,
        "RAW_URI": url.path + (f"?{url.query}" if url.query else ""),
        "QUERY_STRING": url.query,
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": url.netloc,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }


def call_of(service: str, operation: str, parameters: dict[str, Any]) -> Call:
    """The call that the embedded cloud reads from it."""
    environ = environ_of(service, operation, parameters)
    caller = caller_of(environ)
    assert caller is not None
    return read_call(environ, caller)
