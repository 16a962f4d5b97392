"""Renders videos of drifting organisms together with their exact truth.

``python -m shoal_detector.render --seed 7 --frames 300 out.mp4`` writes ``out.mp4`` and ``out.gt.txt``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
from rich.console import Console
from rich.progress import Progress

from shoal_detector.canvas import Image
from shoal_detector.scene import Scene
from shoal_detector.truth import Truth, TruthBox

WIDTH, HEIGHT, FPS = 640, 384, 30


def render_frames(
    seed: int,
    frames: int,
    width: int = WIDTH,
    height: int = HEIGHT,
    stride: int = 1,
    animals: int | None = None,
) -> Iterator[tuple[Image, tuple[TruthBox, ...]]]:
    """Yield ``frames`` pictures (height, width, 3) RGB with their truth, ``stride`` steps apart.

    ``animals`` are kept in view (None: five to eight, as the seed has it).
    The same arguments give the same pictures, to the byte.
    """
    scene = Scene(seed, width, height, FPS, animals)
    for index in range(frames):
        if index:
            for _ in range(stride):
                scene.advance()
        yield scene.render()


def truth_path(video: Path) -> Path:
    """Where the truth of a rendered video is written: beside it."""
    return video.with_name(f"{video.stem}.gt.txt")


def render_video(
    path: Path,
    seed: int,
    frames: int,
    width: int = WIDTH,
    height: int = HEIGHT,
    on_frame: Callable[[], None] | None = None,
) -> Truth:
    """Write an MP4 and, beside it, ``<stem>.gt.txt``; ``on_frame`` is called after each frame.

    Raises ValueError when a side is odd (the codec's chroma needs even sides) or there is no frame to write.
    """
    if width % 2 or height % 2 or frames < 1:
        raise ValueError(f"give even sides and at least one frame, not {width}x{height} and {frames} frames")
    boxes: list[TruthBox] = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder(), rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        stream.options = {"crf": "20", "preset": "veryfast"} if encoder() == "libx264" else {"qscale": "4"}
        for picture, seen in render_frames(seed, frames, width, height):
            boxes.extend(seen)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            if on_frame is not None:
                on_frame()
        container.mux(stream.encode(None))
    truth = Truth(seed, frames, width, height, tuple(boxes))
    truth.write(truth_path(path))
    return truth


def encoder() -> str:
    """H.264 where PyAV's wheel brings an encoder for it, else MPEG-4 part 2, which every build has."""
    return "libx264" if "libx264" in av.codecs_available else "mpeg4"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m shoal_detector.render", description=__doc__)
    parser.add_argument(
        "video", type=Path, help="the MP4 to write; the truth goes to <stem>.gt.txt beside it"
    )
    parser.add_argument("--seed", type=int, default=7, help="another seed is another scene (default: 7)")
    parser.add_argument(
        "--frames", type=int, default=300, help="length, at 30 frames a second (default: 300)"
    )
    parser.add_argument("--width", type=int, default=WIDTH, help="pixels (default: 640)")
    parser.add_argument("--height", type=int, default=HEIGHT, help="pixels (default: 384)")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    with Progress(console=console) as progress:
        task = progress.add_task("rendering", total=options.frames)
        truth = render_video(
            options.video,
            options.seed,
            options.frames,
            options.width,
            options.height,
            lambda: progress.advance(task),
        )
    identities = {box.identity for box in truth.boxes}
    console.print(
        f"{options.video}: {truth.frames} frames, {len(identities)} organisms, {len(truth.boxes)} boxes",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
