"""Cold import of every Lambda function, against `import boto3` alone, in fresh processes.

Usage: python benchmarks/cold_import.py [--rounds 9]

Pairs: each round starts one process for each function and one for the peer, in turn; the figure is the median
of the ratios. What dominates is read from `-X importtime`: the own time of each top-level package, summed.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEER = "import boto3"
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|(\s+)([\w.]+)")


def environment(folder: Path) -> dict[str, str]:
    """The import path a Lambda has: the function's folder, then the layer."""
    path = os.pathsep.join([str(folder), str(ROOT / "layers" / "shoal")])
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return keep | {"PYTHONPATH": path, "AWS_DEFAULT_REGION": "us-west-2", "POWERTOOLS_TRACE_DISABLED": "true"}


def seconds(code: str, folder: Path) -> float:
    """Wall time of a fresh interpreter that runs ``code``."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment(folder), check=True)
    return time.perf_counter() - started


def dominant(code: str, folder: Path) -> str:
    """The two top-level packages with the largest time of their own, in milliseconds."""
    command = [sys.executable, "-X", "importtime", "-c", code]
    log = subprocess.run(command, env=environment(folder), check=True, capture_output=True, text=True).stderr
    own: dict[str, int] = {}
    for match in _LINE.finditer(log):
        package = match[4].split(".")[0]
        own[package] = own.get(package, 0) + int(match[1])
    largest = sorted(own.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {micro / 1000:.0f} ms" for name, micro in largest)


def measure(functions: list[Path], rounds: int) -> dict[str, tuple[float, float]]:
    """Per function: median milliseconds above an empty interpreter, and the median ratio to the peer."""
    times: dict[str, list[tuple[float, float]]] = {folder.name: [] for folder in functions}
    for _ in range(rounds):
        for folder in functions:
            empty = seconds("pass", folder)
            peer = seconds(PEER, folder) - empty
            times[folder.name].append((seconds("import app", folder) - empty, peer))
    return {
        name: (
            statistics.median(own for own, _ in pairs) * 1000,
            statistics.median(own / peer for own, peer in pairs),
        )
        for name, pairs in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="processes per function (default 9)")
    rounds = parser.parse_args().rounds
    functions = sorted(path.parent for path in (ROOT / "functions").glob("*/app.py"))
    print(
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, {rounds} pairs"
    )
    print("| function | ms | ratio to `import boto3` | own time of the largest packages |\n|---|---|---|---|")
    results = measure(functions, rounds)
    for folder in functions:
        milliseconds, ratio = results[folder.name]
        print(f"| {folder.name} | {milliseconds:.0f} | {ratio:.2f} | {dominant('import app', folder)} |")


if __name__ == "__main__":
    main()
