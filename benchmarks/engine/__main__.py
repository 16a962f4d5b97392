"""Frames per second end to end, every arm in a process of its own, by turns: ``python -m
benchmarks.engine``."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engine.arms import ARMS
from benchmarks.engine.clip import repeat
from benchmarks.engine.network import write_network

ROOT = Path(__file__).parents[2]
CLIP = ROOT.parent / "shared" / "data" / "deepsea" / "V4361_20211006T162656Z_h265_1sec.mp4"
SIZE = (384, 640)
PEER = "ultralytics track, ByteTrack"


def prepare(folder: Path, clip: Path, times: int) -> tuple[Path, Path]:
    """The network, its bias set on the clip's first frame, and the clip ``times`` over."""
    sys.path[:0] = [str(ROOT / "worker"), str(ROOT / "layers" / "shoal")]
    from shoal_worker.prepare import Decoding
    from shoal_worker.preprocess import Batcher, Letterbox

    first = next(iter(Decoding(clip, lambda frame: Letterbox(frame, SIZE)))).picture
    tensor = Batcher(1, SIZE, np.float32, 1)([first])
    return write_network(folder / "v8n.onnx", SIZE, tensor), repeat(clip, folder / "long.mp4", times)


def environment(folder: Path) -> dict[str, str]:
    """A process's that runs an arm: the tree to import, and a quiet ultralytics that keeps to ``folder``."""
    paths = [*(str(ROOT / part) for part in ("", "worker", "layers/shoal")), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths), "YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "true",
        "YOLO_VERBOSE": "false", "YOLO_AUTOINSTALL": "false",
    }  # fmt: skip


def measure(arm: str, model: Path, warm: Path, clip: Path) -> dict[str, Any]:
    """One run of one arm: wall and processor milliseconds per frame."""
    command = [sys.executable, "-m", "benchmarks.engine.arms", arm, str(model), str(warm), str(clip)]
    done = subprocess.run(command, env=environment(model.parent), capture_output=True, text=True,
                          check=True, cwd=ROOT)  # fmt: skip
    said = json.loads(done.stdout.strip().rpartition("\n")[2])
    return {"boxes": said["boxes"], "fps": said["frames"] / said["wall"],
            "processor": 1000 * said["processor"] / said["frames"]}  # fmt: skip


def main() -> None:
    """Rounds of all arms by turns; prints medians and the medians of the ratios within a round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=6, help="how often the 32-frame clip is repeated")
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="only these")
    given = parser.parse_args()
    arms = given.arm or list(ARMS)
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
          + ", ".join(f"{name} {importlib.metadata.version(name)}" for name in
                      ("onnxruntime", "openvino", "ultralytics", "torch", "av", "numpy")))  # fmt: skip
    runs: dict[str, list[dict[str, Any]]] = {arm: [] for arm in arms}
    with tempfile.TemporaryDirectory() as folder:
        model, clip = prepare(Path(folder), given.clip, given.times)
        for _ in range(given.rounds):
            print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
            for arm in arms:
                runs[arm].append(measure(arm, model, given.clip, clip))
                print(f"{arm}: {runs[arm][-1]}", file=sys.stderr, flush=True)
    print(
        "| arm | fps | to the peer | processor ms a frame | to the peer | boxes |\n|---|---|---|---|---|---|"
    )
    for arm in arms:
        print(f"| {arm} | {_row(runs, arm)} |")


def _row(runs: dict[str, list[dict[str, Any]]], arm: str) -> str:
    mine, peers = runs[arm], runs.get(PEER, runs[arm])
    fps = statistics.median(run["fps"] for run in mine)
    processor = statistics.median(run["processor"] for run in mine)
    faster = statistics.median(run["fps"] / peer["fps"] for run, peer in zip(mine, peers, strict=True))
    less = statistics.median(
        peer["processor"] / run["processor"] for run, peer in zip(mine, peers, strict=True)
    )
    return f"{fps:.1f} | {faster:.2f} | {processor:.1f} | {less:.2f} | {mine[0]['boxes']}"


if __name__ == "__main__":
    main()
