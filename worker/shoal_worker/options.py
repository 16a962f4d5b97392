"""The seeds' ``--args`` string (track.py's flags) read into a typed value. It never reaches a shell."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoal_worker.errors import OptionsError
from shoal_worker.frames import Booleans, Integers

MAXIMUM_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """How to detect and what to write.

    ``confidence`` None means the detector's default (0.1) and leaves the tracker's own thresholds alone.
    ``image_size`` is (height, width) for a model that takes any size. ``classes`` keeps only these indices.
    ``half`` asks for 16-bit arithmetic. ``online`` leaves the offline pass out. ``notes`` says, in sentences,
    what was asked for and is not done.
    """

    confidence: float | None = None
    iou: float = 0.5
    maximum_detections: int = 300
    agnostic_nms: bool = False
    image_size: tuple[int, int] | None = None
    classes: tuple[int, ...] | None = None
    save_video: bool = False
    online: bool = False
    device: str | None = None
    half: bool = False
    notes: tuple[str, ...] = ()
    text: str = ""

    @property
    def threshold(self) -> float:
        """The score below which a detection is dropped."""
        return 0.1 if self.confidence is None else self.confidence

    def chosen(self, classes: Integers) -> Booleans:
        """Which of some classes (n,) are wanted."""
        if self.classes is None:
            return np.ones(len(classes), np.bool_)
        return np.isin(classes, np.asarray(self.classes))


def parse_options(text: str | None) -> TrackOptions:
    """Read an ``--args`` string; flags that are not known are reported in ``notes`` and skipped.

    Raises:
        OptionsError: the string is too long or its quotes are open, or a known flag has a value it cannot
        have.
    """
    given = (text or "").strip()
    if len(given) > MAXIMUM_LENGTH:
        raise OptionsError(f"the arguments are {len(given)} characters long: use at most {MAXIMUM_LENGTH}")
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise OptionsError(f"the arguments {given!r} cannot be split ({error}): close the quotes") from error
    options = TrackOptions(text=given)
    while words:
        options, words = _take(options, words)
    return options


def _take(options: TrackOptions, words: list[str]) -> tuple[TrackOptions, list[str]]:
    flag, equals, attached = words[0].partition("=")
    rest = words[1:]
    count = next((index for index, word in enumerate(rest) if _is_flag(word)), len(rest))
    values, rest = rest[:count], rest[count:]
    if equals:
        values.insert(0, attached)
    flag = flag.replace("_", "-")
    if flag in _WITHOUT_MEANING:
        return _note(options, f"{flag} is accepted and does nothing here: {_WITHOUT_MEANING[flag]}"), rest
    if flag not in _FLAGS:
        return _note(options, f"{' '.join([flag, *values])} is not known and was skipped"), rest
    field, read = _FLAGS[flag]
    return replace(options, **{field: read(flag, values)}), rest


def _is_flag(word: str) -> bool:
    return word.startswith("-") and not word[1:2].isdigit()


def _note(options: TrackOptions, sentence: str) -> TrackOptions:
    return replace(options, notes=(*options.notes, sentence))


def _share(flag: str, values: list[str]) -> float:
    number = _one(flag, values, float, "a number from 0 to 1")
    if not 0 <= number <= 1:
        raise OptionsError(f"{flag} is {values[0]}: use a number from 0 to 1")
    return float(number)


def _count(flag: str, values: list[str]) -> int:
    number = _one(flag, values, int, "a whole number from 1 to 10000")
    if not 1 <= number <= 10_000:
        raise OptionsError(f"{flag} is {values[0]}: use a whole number from 1 to 10000")
    return int(number)


def _size(flag: str, values: list[str]) -> tuple[int, int]:
    sides = [_one(flag, [value], int, "one or two whole numbers") for value in values]
    if len(sides) not in (1, 2) or not all(32 <= side <= 4096 for side in sides):
        raise OptionsError(
            f"{flag} is {' '.join(values)!r}: use one or two sizes from 32 to 4096, such as 640"
        )
    return int(sides[0]), int(sides[-1])


def _indices(flag: str, values: list[str]) -> tuple[int, ...]:
    numbers = tuple(int(_one(flag, [value], int, "class indices")) for value in values)
    if not numbers or min(numbers) < 0:
        raise OptionsError(f"{flag} is {' '.join(values)!r}: use class indices from 0, such as {flag} 0 2")
    return numbers


def _device(flag: str, values: list[str]) -> str:
    word = str(_one(flag, values, str, "cpu, openvino, cuda, tensorrt or a GPU's number"))
    return f"cuda:{word}" if word.isdigit() else word


def _yes(flag: str, values: list[str]) -> bool:
    if values:
        raise OptionsError(f"{flag} takes no value, it was given {' '.join(values)!r}: write {flag} alone")
    return True


def _one(flag: str, values: list[str], kind: Callable[[str], Any], what: str) -> Any:
    if len(values) != 1:
        raise OptionsError(f"{flag} takes one value, it was given {' '.join(values)!r}: use {what}")
    try:
        return kind(values[0])
    except ValueError as error:
        raise OptionsError(f"{flag} is {values[0]!r}: use {what}") from error


_FLAGS: dict[str, tuple[str, Callable[[str, list[str]], Any]]] = {
    "--conf-thres": ("confidence", _share),
    "--iou-thres": ("iou", _share),
    "--max-det": ("maximum_detections", _count),
    "--agnostic-nms": ("agnostic_nms", _yes),
    "--imgsz": ("image_size", _size),
    "--img": ("image_size", _size),
    "--img-size": ("image_size", _size),
    "--classes": ("classes", _indices),
    "--save-vid": ("save_video", _yes),
    "--online": ("online", _yes),
    "--device": ("device", _device),
    "--half": ("half", _yes),
}

_WITHOUT_MEANING = {
    "--save-conf": "the confidence is always written",
    "--save-txt": "the MOT text is always written",
    "--save-crop": "crops are not written",
    "--augment": "there is no test-time augmentation",
    "--dnn": "ONNX Runtime is always used",
    "--line-thickness": "the line follows the size of the picture",
    "--hide-labels": "labels are always drawn",
    "--hide-conf": "confidences are not drawn",
    "--hide-class": "labels are always drawn",
    "--exist-ok": "results are always replaced",
    "--nosave": "the annotated video is written only with --save-vid",
}
