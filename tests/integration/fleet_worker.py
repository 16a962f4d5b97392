"""A worker small enough for tests: /health, /env, /echo, and the ways a worker can go wrong."""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/env":
            return self.answer(200, json.dumps(dict(os.environ)).encode())
        if self.path == "/headers":
            return self.answer(200, json.dumps(dict(self.headers)).encode())
        return self.answer(int(os.environ.get("FAKE_HEALTH", "200")), b"fine")

    def do_POST(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, body[::-1])


def leave(*_):
    print("told to stop", flush=True)
    if os.environ.get("FAKE_STUBBORN"):
        return
    os._exit(0)


signal.signal(signal.SIGTERM, leave)
print("hello from", os.environ.get("SHOAL_DEPLOYMENT", "a task"), flush=True)
if "FAKE_EXIT" in os.environ:
    print("cannot go on", file=sys.stderr, flush=True)
    raise SystemExit(int(os.environ["FAKE_EXIT"]))
if "FAKE_CHILD" in os.environ:
    os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "300")
if "FAKE_SILENT" in os.environ:
    while True:
        time.sleep(1)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["SHOAL_PORT"])), Handler).serve_forever()
