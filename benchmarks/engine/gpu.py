"""The GPU's table: decoding, the graphs, and whole videos against ultralytics on the same card: ``python -m
benchmarks.engine.gpu``.

Rows are processes of their own, in the order given; one that fails says why and the next one runs. On a
machine without a card ``--device cpu`` runs what a processor can.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx

from benchmarks.engine.__main__ import CLIP, ROOT, SIZE, environment
from benchmarks.engine.clip import repeat
from benchmarks.engine.network import write_network

PATIENCE = 100
LARGE = (736, 1280)
NETWORKS = {
    "n-384x640-f32-one": ("n", SIZE, False, 1), "n-384x640-f16-one": ("n", SIZE, True, 1),
    "n-384x640-f32-any": ("n", SIZE, False, "batch"), "n-384x640-f16-any": ("n", SIZE, True, "batch"),
    "x-736x1280-f16-one": ("x", LARGE, True, 1), "x-736x1280-f16-any": ("x", LARGE, True, "batch"),
}  # fmt: skip
"""Scale, input, half precision and batch of each network; its name says the same."""
PACKAGES = (
    "onnxruntime-gpu", "onnxruntime", "PyNvVideoCodec", "av", "torch", "torchvision", "ultralytics", "numpy",
)  # fmt: skip


def rows(device: str) -> list[tuple[str, ...]]:
    """Every row, the shortest and the most telling first."""
    card = "nvcodec" if device != "cpu" else "cpu"
    provider = "CUDAExecutionProvider" if device != "cpu" else "CPUExecutionProvider"
    peer = "0" if device != "cpu" else "cpu"
    small = "n-384x640-f16"
    found: list[tuple[str, ...]] = []
    found += [("same", "n-384x640-f32-any", device, kind) for kind in ("cpu", "ffmpeg", "nvcodec")]
    found += [("graphs", name, device) for name in NETWORKS if name.endswith("any")]
    found += [("ours", f"{small}-any", kind, "1", device) for kind in (card, "ffmpeg", "cpu", "contained")]
    found += [("ours", f"{small}-any", kind, "4", device) for kind in ("ffmpeg", "cpu")]
    found += [("peer", f"{small}-one", tracker, peer) for tracker in ("bytetrack", "botsort")]
    found += [("ours", "n-384x640-f32-any", card, "1", device)]
    found += [("peer", "n-384x640-f32-one", "bytetrack", peer), ("loop", "n-384x640-f32-one", provider)]
    found += [("ours", "x-736x1280-f16-any", card, "1", device)]
    found += [("peer", "x-736x1280-f16-one", "bytetrack", peer)]
    kinds = ("pynvvideocodec", "cuda", "cpu") if device != "cpu" else ("cpu",)
    found += [("decode", kind, count) for kind in kinds for count in ("1", "2", "4", "7")]
    return found + [("split", kind, count) for kind in kinds[1:] or kinds for count in ("1", "4", "7")]


def prepare(folder: Path, clip: Path, times: int, names: set[str]) -> None:
    """The clips and those networks that are asked for."""
    from shoal_worker.prepare import Decoding
    from shoal_worker.preprocess import Batcher, Letterbox

    (folder / "clip.mp4").write_bytes(clip.read_bytes())
    repeat(clip, folder / "long.mp4", times)
    for name in NETWORKS.keys() & names:
        scale, size, half, batch = NETWORKS[name]
        first = next(iter(Decoding(clip, lambda frame, size=size: Letterbox(frame, size)))).picture
        tensor = Batcher(1, size, np.float32, 1)([first])
        path = write_network(folder / f"{name}.onnx", size, tensor, scale=scale, batch=batch)
        if half:
            halve(path)


def halve(path: Path) -> None:
    """Weights, input and output in 16 bits, in place."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=False), path)


def run(row: tuple[str, ...], folder: Path) -> str:
    """The row's answer, or why there is none."""
    names = [f"{part}.onnx" if part in NETWORKS else part for part in row[1:]]
    command = [sys.executable, "-m", "benchmarks.engine.gpuarms", row[0], str(folder), *names]
    try:
        done = subprocess.run(
            command, env=environment(folder), capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"not done in {PATIENCE} s"
    if done.returncode:
        return "failed: " + " / ".join(done.stderr.strip().splitlines()[-6:])[-900:]
    answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    return ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                     for key, value in answer.items())  # fmt: skip


def machine() -> str:
    """The card, its driver, the processor's cores and the packages."""
    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        card = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        card = "no card"
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    here = f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    return ", ".join([card, here, *found])


def main() -> None:
    """Print every row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:<index>, tensorrt or cpu")
    parser.add_argument("--times", type=int, default=15, help="how often the 32-frame clip is repeated (15)")
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--only", nargs="*", default=[], help="rows whose text has one of these")
    given = parser.parse_args()
    sys.path[:0] = [str(ROOT / "worker"), str(ROOT / "layers" / "shoal")]
    wanted = [row for row in rows(given.device)
              if not given.only or any(word in " ".join(row) for word in given.only)]  # fmt: skip
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        prepare(Path(folder), given.clip, given.times, {part for row in wanted for part in row})
        print(f"prepared in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        for row in wanted:
            began = time.perf_counter()
            answer = run(row, Path(folder))
            print(f"{' '.join(row)}: {answer} [{time.perf_counter() - began:.0f} s]", flush=True)


if __name__ == "__main__":
    main()
