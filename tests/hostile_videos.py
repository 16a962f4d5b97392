"""Mutated videos through the contained decoder, and what is told of them: a batch of them in one process."""

from __future__ import annotations

import os
import random
import resource
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from media_mutations import mutate, whole_videos
from shoal_worker.containment.limits import Limits
from shoal_worker.containment.process import DecoderStopped
from shoal_worker.containment.reader import ContainedReader
from shoal_worker.errors import VideoError

MOST_FRAMES = 2_000
SECONDS = 30.0
BOUNDS = replace(Limits(), between_frames=SECONDS, cpu_seconds=60)
OUTCOMES = ("decoded", "long", "unreadable", "died", "silent")
"""Frames to the end; more than ``MOST_FRAMES``; a VideoError; a dead decoder; one that was ended."""


@dataclass(frozen=True, slots=True)
class Batch:
    """``videos`` of the sample that ``seed`` and ``number`` draw."""

    seed: int
    number: int
    videos: int


@dataclass
class Report:
    """Outcomes in all, by mutation and by format (a video with two mutations counts in both); seconds of the
    slowest video; ``escapes`` say what happened outside a decoder; kilobytes of the largest; the processor's
    seconds of the batch, its decoders included; the process that worked."""

    outcomes: Counter[str] = field(default_factory=Counter)
    mutations: dict[str, Counter[str]] = field(default_factory=dict)
    formats: dict[str, Counter[str]] = field(default_factory=dict)
    longest: float = 0.0
    escapes: list[str] = field(default_factory=list)
    peak: int = 0
    processor: float = 0.0
    process: int = 0

    def note(self, outcome: str, kinds: Sequence[str], form: str, seconds: float) -> None:
        self.outcomes[outcome] += 1
        for kind in kinds:
            self.mutations.setdefault(kind, Counter())[outcome] += 1
        self.formats.setdefault(form, Counter())[outcome] += 1
        self.longest = max(self.longest, seconds)


def run(batch: Batch) -> Report:
    """Decode every video of the batch."""
    chance, report, before = random.Random(f"{batch.seed}/{batch.number}"), Report(), _processor()
    with tempfile.TemporaryDirectory(prefix="hostile-") as made, _watched(Path(made), report) as folder:
        whole = whole_videos(folder / "whole")
        for number in range(batch.videos):
            source = chance.choice(whole)
            video = folder / f"mutated{source.suffix}"
            content, kinds = mutate(source.read_bytes(), chance)
            video.write_bytes(content)
            began = time.monotonic()
            report.note(outcome(video), kinds, source.name, time.monotonic() - began)
            video.unlink()
            left = sorted(path.name for path in folder.iterdir())
            if left != ["secret", "whole"]:
                report.escapes.append(f"video {number} of batch {batch.number}, SEED={batch.seed}: {left}")
    report.processor, report.process = _processor() - before, os.getpid()
    report.peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return report


def outcome(video: Path) -> str:
    """How the worker sees it: frames, or an error that says what is wrong; anything else comes out."""
    try:
        with ContainedReader(video, limits=BOUNDS) as reader:
            if not reader.session.confinement["complete"]:
                raise AssertionError(reader.session.confinement)
            for frame in reader:
                if frame.number >= MOST_FRAMES:
                    return "long"
    except DecoderStopped as stopped:
        return "silent" if stopped.silent else "died"
    except VideoError:
        return "unreadable"
    return "decoded"


@contextmanager
def _watched(folder: Path, report: Report) -> Iterator[Path]:
    """The folder of the videos, with a secret in it; a port that waits for whoever gets out."""
    (folder / "whole").mkdir()
    (folder / "secret").write_text("canary")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield folder
        with suppress(BlockingIOError):
            report.escapes.append(f"a connection from {server.accept()[1]}")
    if (folder / "secret").read_text() != "canary":
        report.escapes.append("the secret was changed")


def _processor() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def merged(reports: Sequence[Report]) -> Report:
    """All batches as one."""
    whole = Report()
    for one in reports:
        whole.outcomes += one.outcomes
        for mine, other in ((whole.mutations, one.mutations), (whole.formats, one.formats)):
            for name, counts in other.items():
                mine[name] = mine.get(name, Counter()) + counts
        whole.longest, whole.peak = max(whole.longest, one.longest), max(whole.peak, one.peak)
        whole.escapes += one.escapes
        whole.processor += one.processor
    return whole


def table(report: Report) -> list[str]:
    """Markdown: a row for each mutation and each format, then all."""
    head = ["videos with", "in all", *OUTCOMES]
    rows = [("| {:<24} |" + " {:>10} |" * 6).format(*head), "|---|" + "---:|" * 6]
    groups = [*sorted(report.mutations.items()), *sorted(report.formats.items()), ("all", report.outcomes)]
    for name, counts in groups:
        cells = [name, counts.total(), *(counts[outcome] for outcome in OUTCOMES)]
        rows.append(("| {:<24} |" + " {:>10} |" * 6).format(*cells))
    return rows
