"""One listener: an HTTP server on 127.0.0.1 that answers as an Application Load Balancer does."""

from __future__ import annotations

import http.client
import itertools
import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from shoal_local.balancer.routing import Asked, Table, Target, action_for, group_of, target_of
from shoal_local.names import HOST

_LOG = logging.getLogger("shoal_local.balancer")
_CHUNK = 64 * 1024
_IDLE_SECONDS = 60
"""The idle timeout of an ALB; real seconds, for a real worker works behind it."""
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
     "transfer-encoding", "upgrade", "proxy-connection", "content-length", "expect"}
)  # fmt: skip
_OURS = frozenset({"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-amzn-trace-id"})
_TITLES = {
    400: "400 Bad Request", 404: "404 Not Found", 502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out",
}  # fmt: skip


@dataclass(frozen=True)
class Door:
    """Where a listener answers: on ``local`` of this machine, in place of ``port`` of the load balancer.

    ``scheme`` is what its clients believe to speak. There is no TLS here: a redirect leads to plain HTTP, and
    by ``stand_ins`` to where the other port really answers.
    """

    local: int
    port: int
    scheme: str = "http"
    stand_ins: Mapping[int, int] = field(default_factory=dict)


class Listener:
    """Listens at ``door`` until :meth:`close`; ``table`` gives the rules and targets of this moment.

    Raises:
        OSError: the port cannot be bound on this machine.
    """

    def __init__(self, door: Door, table: Callable[[], Table]) -> None:
        handler = type(
            "BoundHandler",
            (_Handler,),
            {"door": door, "table": staticmethod(table), "turns": itertools.count()},
        )
        self._server = _Server((HOST, door.local), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"shoal-listener-{door.port}",
            daemon=True,
        )
        self._thread.start()

    def close(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the base class's signature
        _LOG.debug("a client of the load balancer went away", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    door: Door
    table: Callable[[], Table]
    turns: Iterator[int]

    def version_string(self) -> str:
        return "awselb/2.0"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        _LOG.debug(format, *args)

    def handle_one_request(self) -> None:
        """Every method is answered alike, so there is no do_GET and its like."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            self._answer()
            self.wfile.flush()

    def _answer(self) -> None:
        table, url = self.table(), urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers.get("host", "").rsplit(":", 1)[0]
        action = action_for(table, Asked(self.command, host, url.path, url.query, headers))
        kind = (action or {}).get("Type")
        if action is None or kind not in ("forward", "fixed-response", "redirect"):
            return self._say(503)
        if kind == "fixed-response":
            return self._fixed(action["FixedResponseConfig"])
        if kind == "redirect":
            return self._redirect(action["RedirectConfig"], host, url.path, url.query)
        turn = next(self.turns)
        target = target_of(table, group_of(action, turn), turn)
        return self._say(503) if target is None else self._forward(target)

    def _forward(self, target: Target) -> None:
        connection = http.client.HTTPConnection(HOST, target.local_port, timeout=_IDLE_SECONDS)
        try:
            connection.connect()
            self._send_on(connection)
            response = connection.getresponse()
        except TimeoutError:
            connection.close()
            return self._say(504)
        except (OSError, http.client.HTTPException) as error:
            _LOG.info("target %s:%s did not answer: %s", target.identity, target.port, error)
            connection.close()
            return self._say(502)
        with connection.sock or _Nothing(), response:
            self._send_back(response)
        return None

    def _send_on(self, connection: http.client.HTTPConnection) -> None:
        """The request with the body as it arrives; ALBs add X-Forwarded-* and a trace id (ELB guide)."""
        length, chunked = (
            self.headers.get("Content-Length"),
            "chunked" in self.headers.get("Transfer-Encoding", ""),
        )
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP | _OURS:
                connection.putheader(name, value)
        client = self.client_address[0]
        earlier = self.headers.get("X-Forwarded-For")
        connection.putheader("X-Forwarded-For", f"{earlier}, {client}" if earlier else client)
        connection.putheader("X-Forwarded-Proto", self.door.scheme)
        connection.putheader("X-Forwarded-Port", str(self.door.port))
        connection.putheader("X-Amzn-Trace-Id", f"Root=1-{uuid.uuid4().hex[:8]}-{uuid.uuid4().hex[:24]}")
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif length is not None:
            connection.putheader("Content-Length", length)
        connection.endheaders()
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        for block in self._chunks() if chunked else self._blocks(int(length or 0)):
            connection.send(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
        if chunked:
            connection.send(b"0\r\n\r\n")

    def _blocks(self, left: int) -> Iterator[bytes]:
        while left > 0:
            block = self.rfile.read(min(left, _CHUNK))
            if not block:
                raise http.client.IncompleteRead(b"", left)
            left -= len(block)
            yield block

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(1024).split(b";")[0].strip() or b"0", 16):
            yield from self._blocks(size)
            self.rfile.readline(8)
        while self.rfile.readline(65537).strip():
            continue

    def _send_back(self, response: http.client.HTTPResponse) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        bodyless = self.command == "HEAD" or response.status in (204, 304)
        length = response.getheader("Content-Length")
        if length is not None:
            self.send_header("Content-Length", length)
        elif not bodyless:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if bodyless:
            return
        while block := response.read1(_CHUNK):
            self.wfile.write(block if length is not None else b"%x\r\n%s\r\n" % (len(block), block))
        if length is None:
            self.wfile.write(b"0\r\n\r\n")

    def _fixed(self, config: dict[str, Any]) -> None:
        body = str(config.get("MessageBody") or "")
        self._reply(int(config["StatusCode"]), body, str(config.get("ContentType") or "text/plain"))

    def _redirect(self, config: dict[str, Any], host: str, path: str, query: str) -> None:
        """ELBv2 API RedirectActionConfig: #{host} and the like stand for the request's own."""
        given = {
            "protocol": self.door.scheme,
            "host": host,
            "port": str(self.door.port),
            "path": path.lstrip("/"),
            "query": query,
        }
        parts = {name: str(config.get(name.title()) or f"#{{{name}}}") for name in given}
        for name, value in given.items():
            parts = {key: text.replace(f"#{{{name}}}", value) for key, text in parts.items()}
        port = self.door.stand_ins.get(int(parts["port"]), parts["port"])
        where = f"http://{parts['host']}:{port}/{parts['path'].lstrip('/')}"
        where += f"?{parts['query']}" if parts["query"] else ""
        self._reply(
            301 if config.get("StatusCode") == "HTTP_301" else 302, "", "text/html", {"Location": where}
        )

    def _say(self, status: int) -> None:
        title = _TITLES[status]
        lines = (
            "<html>", f"<head><title>{title}</title></head>", "<body>",
            f"<center><h1>{title}</h1></center>", "</body>", "</html>", "",
        )  # fmt: skip
        body = "\r\n".join(lines)
        self._reply(status, body, "text/html")

    def _reply(self, status: int, body: str, kind: str, extra: dict[str, str] | None = None) -> None:
        """An answer of the balancer's own. It closes the connection: the request's body may not have been
        read."""
        data = body.encode()
        self.send_response(status)
        for name, value in {**(extra or {}), "Content-Type": kind, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        self.close_connection = True


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...
