"""The worker's HTTP face under a crowd: throughput and waiting time of 64 clients against one.

The worker is a process of its own with the packaged detector; the clients are threads of this one, on the
same cores. Each sends the same JPEG on a connection it keeps; one that is told to come back waits as long as
Retry-After says. The peer is the same worker with one client.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import http.client
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import shoal_detector

ROOT = Path(__file__).parents[2]


def jpeg() -> bytes:
    """A picture of 1920x1080 with some structure, about 300 kB."""
    random = np.random.default_rng(5)
    small = random.integers(0, 255, (68, 120, 3)).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.resize(small, (1920, 1080), interpolation=cv2.INTER_CUBIC))[1])


@contextlib.contextmanager
def worker(folder: Path) -> Iterator[int]:
    """The port of a worker that is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    paths = os.pathsep.join(str(ROOT / part) for part in ("worker", "layers/shoal"))
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": paths, "SHOAL_DEPLOYMENT": "bench",
        "SHOAL_SERVES": "endpoint", "SHOAL_MODEL": str(shoal_detector.model_path()),
        "SHOAL_PORT": str(port), "SHOAL_WORK_DIR": str(folder),
        "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none",
    }  # fmt: skip
    command = [sys.executable, "-m", "shoal_worker"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        while not ready(port):
            time.sleep(0.1)
            if process.poll() is not None:
                sys.exit((folder / "log").read_text())
        yield port
    finally:
        process.terminate()
        process.wait(20)


def ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Crowd:
    """Clients that ask until the time is over."""

    def __init__(self, port: int, clients: int, seconds: float, body: bytes) -> None:
        self._port, self._body = port, body
        self._until = time.monotonic() + seconds
        self.statuses: collections.Counter[int] = collections.Counter()
        self.waits: list[float] = []
        threads = [threading.Thread(target=self._client) for _ in range(clients)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.rate = len(self.waits) / (time.monotonic() - began)

    def _client(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while time.monotonic() < self._until:
            began = time.perf_counter()
            connection.request("POST", "/predict", self._body, {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            answer.read()
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.waits.append(time.perf_counter() - began)
            elif answer.status == 503:
                time.sleep(float(answer.headers["Retry-After"]))
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15, help="for each crowd (default 15)")
    given = parser.parse_args()
    body = jpeg()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"one JPEG of 1920x1080, {len(body) // 1000} kB, drifters.onnx, {given.seconds:g} s a row")
    print("| clients | answers/s | median ms | p99 ms | answers by status |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, worker(Path(folder)) as port:
        Crowd(port, 1, 1, body)
        for clients in (1, 4, 16, given.clients):
            crowd = Crowd(port, clients, given.seconds, body)
            waits = sorted(crowd.waits)
            p99 = waits[int(0.99 * (len(waits) - 1))]
            row = (
                clients,
                f"{crowd.rate:.1f}",
                f"{1000 * statistics.median(waits):.0f}",
                f"{1000 * p99:.0f}",
            )
            print(f"| {' | '.join(map(str, row))} | {dict(sorted(crowd.statuses.items()))} |", flush=True)


if __name__ == "__main__":
    main()
