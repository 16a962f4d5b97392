"""The exact truth of a rendered video, and its MOTChallenge text form.

One line is ``frame,id,left,top,width,height,1,class,visibility`` with frame, id and class counted from 1 and
pixels from the left top corner of the frame (MOT16, Milan et al. 2016, arXiv 1603.00831, table 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TruthBox:
    """One organism in one frame: the pixels that it covers inside it, and the share that is seen."""

    frame: int
    identity: int
    left: int
    top: int
    width: int
    height: int
    label: int
    visibility: float

    def line(self) -> str:
        """The MOT line; the third last field says that the box counts."""
        box = f"{self.left},{self.top},{self.width},{self.height}"
        return f"{self.frame},{self.identity},{box},1,{self.label + 1},{self.visibility:.4f}"

    @classmethod
    def parse(cls, line: str) -> TruthBox:
        """Read one MOT line; raises ValueError when it has not nine numbers."""
        fields = line.strip().split(",")
        if len(fields) != 9:
            raise ValueError(f"a truth line has nine fields, this one has {len(fields)}: {line.strip()!r}")
        frame, identity, left, top, width, height, _, label = (int(field) for field in fields[:8])
        return cls(frame, identity, left, top, width, height, label - 1, float(fields[8]))


@dataclass(frozen=True)
class Truth:
    """Everything that a rendered video holds."""

    seed: int
    frames: int
    width: int
    height: int
    boxes: tuple[TruthBox, ...]

    def mot_text(self) -> str:
        """The whole truth as MOT text, in order of frame, then identity."""
        ordered = sorted(self.boxes, key=lambda box: (box.frame, box.identity))
        return "".join(f"{box.line()}\n" for box in ordered)

    def write(self, path: Path) -> None:
        """Write the MOT text."""
        path.write_text(self.mot_text(), encoding="utf-8")


def read_boxes(path: Path) -> tuple[TruthBox, ...]:
    """Read a file that ``Truth.write`` wrote; raises ValueError with the line at fault."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(TruthBox.parse(line) for line in lines if line.strip())
