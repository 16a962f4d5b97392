"""The ``track_config`` YAML: StrongSORT's, ByteTrack's and BoT-SORT's keys, mapped key by key to our tracker.

A buffer in frames is read at 30 frames per second, as ByteTrack's own code reads it, so a file means the same
span of time for every camera. Keys that have no meaning here are said in ``notes``, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shoal_worker.errors import TrackConfigError
from shoal_worker.safeyaml import MAXIMUM_CHARACTERS, read_yaml
from shoal_worker.tracker import TrackerParameters

BUFFER_RATE = 30.0
"""The frame rate at which a buffer in frames is read."""


@dataclass(frozen=True, slots=True)
class TrackConfig:
    """A tracker's configuration as its file says it.

    ``one_gate`` is StrongSORT's way: the detector's confidence is the only threshold on scores.
    ``appearance`` is whether the file wants it (None: it does not say), ``model`` the path or S3 URI of the
    embedder that it names. ``idle`` are those of the ``notes`` that hold only while appearance is off.
    ``text`` is the file's, kept for the archive.
    """

    kind: str = "default"
    parameters: TrackerParameters = field(default_factory=TrackerParameters)
    one_gate: bool = False
    notes: tuple[str, ...] = ()
    appearance: bool | None = None
    model: str = ""
    idle: tuple[str, ...] = ()
    text: str = field(default="", compare=False)

    def looking(self) -> TrackConfig:
        """The same with appearance on."""
        notes = tuple(note for note in self.notes if note not in self.idle)
        return replace(self, parameters=replace(self.parameters, appearance=True), notes=notes, idle=())

    def resolved(self, confidence: float | None) -> TrackerParameters:
        """The parameters for a run whose ``--conf-thres`` is ``confidence`` (None: not given).

        With no file, a low ``--conf-thres`` lowers what may rescue a track and a high one raises every gate.
        With a ByteTrack file the file's thresholds stand, and the confidence only drops detections before
        them.
        """
        mine = self.parameters
        if self.one_gate:
            gate = mine.track_high if confidence is None else confidence
            return replace(mine, track_high=gate, track_low=gate, new_track=gate)
        if self.kind != "default" or confidence is None:
            return mine
        high = max(mine.track_high, confidence)
        return replace(mine, track_low=min(mine.track_low, confidence), track_high=high, new_track=high)


def read_track_config(path: Path) -> TrackConfig:
    """The configuration in a file; raises TrackConfigError."""
    try:
        with path.open(encoding="utf-8") as stream:
            return parse_track_config(stream.read(MAXIMUM_CHARACTERS + 1))
    except OSError as error:
        raise TrackConfigError(
            f"the track configuration {path} cannot be read ({error}): check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise TrackConfigError(f"{path.name} is not text in UTF-8: save it again as UTF-8") from error


def parse_track_config(text: str) -> TrackConfig:
    """The configuration that a YAML text holds, in either of its forms: keys at the top, or under a tracker's
    name.

    Raises:
        TrackConfigError: not a mapping, two trackers in one file, or a value that a key cannot have.
    """
    content = read_yaml(text)
    sections = {key.lower(): value for key, value in content.items() if isinstance(value, dict)}
    named = [name for name in sections if name in _KINDS]
    if len(named) > 1:
        raise TrackConfigError(f"the track configuration has {' and '.join(named)}: keep one tracker")
    kind = named[0] if named else str(content.get("tracker_type", "")).lower() or _guess(content)
    if kind not in _KINDS:
        raise TrackConfigError(f"the tracker {kind!r} is not known: use one of {', '.join(_KINDS)}")
    keys = {str(key): value for key, value in (sections[kind] if named else content).items()}
    notes = [f"{name} was skipped: it is not a tracker's section" for name in sections if name != kind]
    return replace(_mapped(kind, keys, notes), text=text)


def _guess(content: dict[str, Any]) -> str:
    if not content:
        return "default"
    return "strongsort" if {"MAX_AGE", "N_INIT", "MAX_IOU_DISTANCE"} & set(content) else "bytetrack"


def _mapped(kind: str, keys: dict[str, Any], notes: list[str]) -> TrackConfig:
    values: dict[str, Any] = {"match_similarity": 0.3, "fuse_score": False} if kind == "strongsort" else {}
    idle: list[str] = []
    for key, value in keys.items():
        name = key.lower()
        if name in _SILENT or isinstance(value, dict):
            continue
        if name in _NOT_HERE:
            notes.append(f"{key} is accepted and does nothing here: {_NOT_HERE[name]}")
        elif name in _KEYS:
            target, read = _KEYS[name]
            values[target] = read(key, value)
        elif name not in SWITCHES:
            notes.append(f"{key} is not known and was skipped")
        if name in LOOKS or (name in SWITCHES and value is not False):
            idle.append(f"{key} counts only with an appearance model: name an ONNX file, as `appearance`")
            notes.append(idle[-1])
    if kind == "strongsort":
        values.setdefault("minimum_hits", 3)
    parameters = replace(TrackerParameters(), **values)
    appearance, model = _appearance(kind, {key.lower(): value for key, value in keys.items()})
    return TrackConfig(kind, parameters, kind == "strongsort", tuple(notes), appearance, model, tuple(idle))


def _appearance(kind: str, keys: dict[str, Any]) -> tuple[bool | None, str]:
    """Whether appearance is wanted, and the embedder's path or S3 URI, or nothing.

    StrongSORT always looks where a model is named; BoT-SORT only where ``with_reid`` says so too.
    """
    named, model = keys.get("appearance"), keys.get("model")
    if isinstance(named, str) and named:
        return True, named
    switches = [_yes_or_no(key, keys[key]) for key in ("with_reid", "reid", "appearance") if key in keys]
    here = isinstance(model, str) and model.lower() not in {"", "auto", "none"}
    wanted = all(switches) if switches else (True if here and kind == "strongsort" else None)
    return wanted, str(model) if here and wanted else ""


def _number(low: float, high: float) -> Callable[[str, Any], float]:
    def read(key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise TrackConfigError(f"{key} is {value!r}: use a number from {low:g} to {high:g}")
        return float(value)

    return read


def _whole(key: str, value: Any) -> int:
    return int(_number(1, 1000)(key, value))


def _complement(key: str, value: Any) -> float:
    return 1.0 - _number(0, 1)(key, value)


def _half_distance(key: str, value: Any) -> float:
    """The smallest cosine. BoT-SORT's authors write the largest half of one minus the cosine (0.25),
    ultralytics one minus that (0.8): each makes sense on its own side of a half."""
    return abs(1.0 - 2.0 * _number(0, 1)(key, value))


def _buffer(key: str, value: Any) -> float:
    return _number(0, 100_000)(key, value) / BUFFER_RATE


def _yes_or_no(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TrackConfigError(f"{key} is {value!r}: use true or false")
    return value


def _motion_method(_: str, value: Any) -> bool:
    return str(value).lower() not in {"none", "false", ""}


_score = _number(0, 1)
_KINDS = ("default", "bytetrack", "botsort", "strongsort", "shoal")
_SILENT = {"tracker_type"}
_KEYS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "track_high": ("track_high", _score),
    "track_high_thresh": ("track_high", _score),
    "track_thresh": ("track_high", _score),
    "track_low": ("track_low", _score),
    "track_low_thresh": ("track_low", _score),
    "min_conf": ("track_low", _score),
    "new_track": ("new_track", _score),
    "new_track_thresh": ("new_track", _score),
    "match": ("match_similarity", _complement),
    "match_thresh": ("match_similarity", _complement),
    "max_iou_distance": ("match_similarity", _complement),
    "fuse_score": ("fuse_score", _yes_or_no),
    "track_buffer": ("lost_seconds", _buffer),
    "max_age": ("lost_seconds", _buffer),
    "lost_seconds": ("lost_seconds", _number(0, 3600)),
    "link_seconds": ("link_seconds", _number(0, 3600)),
    "fill_seconds": ("fill_seconds", _number(0, 3600)),
    "minimum_seconds": ("minimum_seconds", _number(0, 3600)),
    "n_init": ("minimum_hits", _whole),
    "min_hits": ("minimum_hits", _whole),
    "minimum_hits": ("minimum_hits", _whole),
    "min_track_frames": ("minimum_frames", _whole),
    "minimum_frames": ("minimum_frames", _whole),
    "ecc": ("camera_motion", _yes_or_no),
    "gmc_method": ("camera_motion", _motion_method),
    "camera_motion": ("camera_motion", _yes_or_no),
    "smooth_boxes": ("smooth_boxes", _yes_or_no),
    "ema_alpha": ("appearance_memory", _score),
    "max_dist": ("appearance_similarity", _complement),
    "max_cos_dist": ("appearance_similarity", _complement),
    "appearance_thresh": ("appearance_similarity", _half_distance),
    "proximity_thresh": ("appearance_overlap", _score),
    "appearance_similarity": ("appearance_similarity", _score),
    "appearance_overlap": ("appearance_overlap", _score),
    "appearance_memory": ("appearance_memory", _score),
}
LOOKS = {key for key, (target, _) in _KEYS.items() if target.startswith("appearance_")}
"""The keys that have a meaning only with appearance."""
SWITCHES = {"appearance", "with_reid", "reid", "model"}
_NOT_HERE = {
    "mc_lambda": "looks and places are weighed as BoT-SORT does, by the better of the two",
    "nn_budget": "a track remembers one average of its looks",
    "frame_rate": "the video's own frame rate is used",
    "mot20": "it is a switch of one benchmark",
    "min_box_area": "boxes of every size are kept",
    "aspect_ratio_thresh": "boxes of every shape are kept",
}
