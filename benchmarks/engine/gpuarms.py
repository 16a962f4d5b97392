"""One row of the GPU's table in a process of its own: ``python -m benchmarks.engine.gpuarms ROW FOLDER
ARGUMENTS``; prints a JSON line.

``FOLDER`` holds what ``benchmarks.engine.gpu`` put there: ``clip.mp4`` (short), ``long.mp4``, the networks.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engine.__main__ import SIZE
from benchmarks.engine.arms import seeds_loop, ultralytics

REPEATS = 3
TURNS = 50
Row = dict[str, Any]


def decode(folder: Path, kind: str, sessions: str) -> Row:
    """Frames per second of several processes that each decode the whole long clip to planes in memory."""
    context = multiprocessing.get_context("spawn")
    count = int(sessions)
    ready, spans = context.Barrier(count), context.SimpleQueue()
    arguments = (folder / "long.mp4", None if kind == "cpu" else kind, ready, spans)
    workers = [context.Process(target=_decode, args=arguments) for _ in range(count)]
    for worker in workers:
        worker.start()
    seen = [spans.get() for _ in workers]
    for worker in workers:
        worker.join()
    seconds = max(span[2] for span in seen) - min(span[1] for span in seen)
    return {"fps": sum(span[0] for span in seen) / seconds, "decoder": seen[0][3]}


def _decode(clip: Path, hardware: str | None, ready: Any, spans: Any) -> None:
    from shoal_worker.planes import packed
    from shoal_worker.video import VideoReader

    frames, began = 0, 0.0
    with VideoReader(clip, hardware=hardware) as reader:
        for frame in reader.decoded():
            packed(frame)
            if not frames:
                # The context and the first picture are no part of the speed.
                ready.wait(60)
                began = time.time()
            frames += 1
        spans.put((frames - 1, began, time.time(), reader.decoder))


def split(folder: Path, kind: str, decoders: str) -> Row:
    """Frames per second of one file that several decoders share, as the worker reads it."""
    from shoal_worker.prepare import Decoding
    from shoal_worker.preprocess import Letterbox

    hardware = None if kind == "cpu" else kind
    decoding: Any = None

    def run() -> int:
        nonlocal decoding
        decoding = Decoding(folder / "long.mp4", lambda size: Letterbox(size, SIZE),
                            hardware=hardware, decoders=int(decoders),
                            unscaled=True, camera=True)  # fmt: skip
        return sum(1 for _ in decoding)

    return {"fps": _fps(run), "decoder": decoding.decoder}


def graphs(folder: Path, name: str, device: str) -> Row:
    """Microseconds a frame of the three graphs on the device, each run alone on a batch that is there."""
    from shoal_worker import Detector, TrackOptions
    from shoal_worker import devicegraphs as parts
    from shoal_worker.deviceinference import DeviceInference
    from shoal_worker.planes import colours, packed
    from shoal_worker.video import VideoReader

    model = Detector(folder / name, device=device).model
    card = model.backend.card
    if card is None:
        raise SystemExit(f"{model.provider} is no device with memory of its own")
    with VideoReader(folder / "clip.mp4") as reader:
        frames = [frame for frame, _ in zip(reader.decoded(), range(model.batch), strict=False)]
    letterbox = Detector(model).letterbox((frames[0].height, frames[0].width), TrackOptions())
    inference = DeviceInference(card, model, letterbox, TrackOptions())
    before, behind = inference._before(True), inference._behind()
    up = {parts.FRAMES: np.stack([packed(frame) for frame in frames]), parts.COLOURS: colours(frames[0])}
    held = _held(up, card.device)
    (tensor,) = inference._through(before, held, (parts.TENSOR,))
    (raw,) = inference._through(card.session, {card.source: tensor}, card.outputs)
    limits = {parts.OUTPUT: raw, **_held(inference._limits(), card.device)}
    works: dict[str, Callable[[], Any]] = {
        "frames up": lambda: _held(up, card.device),
        "scale": lambda: inference._through(before, held, (parts.TENSOR,)),
        "network": lambda: inference._through(card.session, {card.source: tensor}, card.outputs),
        "suppress": lambda: inference._through(behind, limits, (parts.FOUND,))[0].numpy(),
    }
    spent = {what: 1e6 * _median(work) / model.batch for what, work in works.items()}
    return spent | {"batch": model.batch, "provider": model.provider, "precision": model.backend.precision}


def _held(arrays: dict[str, Any], device: str) -> dict[str, Any]:
    import onnxruntime

    return {
        name: onnxruntime.OrtValue.ortvalue_from_numpy(value, device, 0) for name, value in arrays.items()
    }


def ours(folder: Path, name: str, decoding: str, decoders: str, device: str) -> Row:
    """``track_video`` as the worker calls it, archive and all; ``decoding`` names what may decode."""
    from shoal_worker import Detector, run, track_video

    run.installed = lambda: _installed(decoding)
    detector, target = Detector(folder / name, device=device), Path(tempfile.mkdtemp())
    seen: list[Any] = []

    def work(clip: str = "long.mp4") -> int:
        seen.append(track_video(folder / clip, detector, target, decoders=int(decoders),
                                contained=decoding == "contained", receipt=True))  # fmt: skip
        return int(seen[-1].frames)

    work("clip.mp4")
    fps = _fps(work)
    return {
        "fps": fps,
        "boxes": seen[-1].detections,
        "backend": seen[-1].backend,
        "fps by stage": _stages(seen[-1]),
    }


def peer(folder: Path, name: str, tracker: str, device: str) -> Row:
    """ultralytics' ``track`` on the same network with a batch of one, its device's memory bound."""
    run = ultralytics(folder / name, f"{tracker}.yaml", device, _size(name))
    run(folder / "clip.mp4")
    boxes = 0

    def work() -> int:
        nonlocal boxes
        frames, boxes = run(folder / "long.mp4")
        return frames

    return {"fps": _fps(work), "boxes": boxes}


def loop(folder: Path, name: str, provider: str) -> Row:
    """The seeds' loop: a frame after the other, ECC on every one."""
    run = seeds_loop(folder / name, provider)
    run(folder / "clip.mp4")
    return {"fps": _fps(lambda: run(folder / "long.mp4")[0], 1)}


def same(folder: Path, name: str, device: str, decoding: str) -> Row:
    """The same short clip on the device and on the processor: boxes of each, and the farthest pair apart."""
    from shoal_worker import Detector, TrackOptions, run, track_video

    run.installed = lambda: _installed(decoding)
    target, tables = Path(tempfile.mkdtemp()), []
    for where in (device, "cpu"):
        result = track_video(folder / "clip.mp4", Detector(folder / name, device=where), target / where,
                             options=TrackOptions(online=True))  # fmt: skip
        tables.append(_rows(result.archive))
    left, right = tables
    apart = [float(_nearest(boxes, right[frame]).max()) for frame, boxes in left.items()]
    return {"frames": len(left), "boxes": sum(map(len, left.values())), "farthest apart, pixels": max(apart)}


def _nearest(boxes: Any, others: Any) -> Any:
    """How far each of ``boxes`` (n, 4) is from the nearest of ``others`` (m, 4), by its worst side."""
    return np.abs(boxes[:, None] - others[None]).max(axis=2).min(axis=1)


def _installed(decoding: str) -> Any:
    """What is said to be installed, so that one kind decodes: ``nvcodec``, ``ffmpeg``, or the processor."""
    from shoal_worker.hardware import Installed

    return Installed(decoding == "nvcodec", frozenset({"cuda"} if decoding == "ffmpeg" else ()))


def _stages(result: Any) -> str:
    """What each stage would do alone, by the receipt."""
    with tarfile.open(result.archive) as archive:
        (name,) = [name for name in archive.getnames() if name.endswith("receipt.json")]
        source = archive.extractfile(name)
        stages = json.load(source)["stages"] if source else {}
    return " ".join(f"{stage}={told['fps']:.0f}" for stage, told in stages.items())


def _rows(archive: Path) -> dict[str, Any]:
    """Of an archive: every frame's boxes (n, 4) of left, top, width and height."""
    from shoal_worker.archivereader import read_archive

    frames: dict[str, list[list[float]]] = {}
    for line in read_archive(archive).mot.splitlines():
        frame, _, *box = line.replace(",", " ").split()[:6]
        frames.setdefault(frame, []).append([float(value) for value in box])
    return {frame: np.array(boxes) for frame, boxes in frames.items()}


def _size(name: str) -> tuple[int, int]:
    height, width = name.split("-")[1].split("x")
    return int(height), int(width)


def _fps(work: Callable[[], int], repeats: int = REPEATS) -> float:
    speeds = []
    for _ in range(repeats):
        began = time.perf_counter()
        frames = work()
        speeds.append(frames / (time.perf_counter() - began))
    return statistics.median(speeds)


def _median(work: Callable[[], Any]) -> float:
    spent = []
    for _ in range(TURNS):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


ROWS: dict[str, Callable[..., Row]] = {
    "decode": decode, "split": split, "graphs": graphs, "ours": ours, "peer": peer, "loop": loop,
    "same": same,
}  # fmt: skip


if __name__ == "__main__":
    row, folder, *arguments = sys.argv[1:]
    print(json.dumps(ROWS[row](Path(folder), *arguments)))
