"""Tracklets joined over gaps that a tracker cannot bridge: where the one was going and where the other came
from must agree, in the mosaic, so that a panning camera does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoal_worker.association import Pairs, assign
from shoal_worker.frames import Booleans, Floats, Integers
from shoal_worker.fusion import numbered


@dataclass(frozen=True, slots=True)
class Ends:
    """One end of each of k tracklets: the frame (k,), centre (k, 2), size (k, 2) and velocity (k, 2) per
    frame, all in the mosaic."""

    frames: Integers
    centres: Floats
    sizes: Floats
    velocities: Floats

    def keep(self, chosen: Integers) -> Ends:
        """The ends at ``chosen``, which may repeat."""
        return Ends(self.frames[chosen], self.centres[chosen], self.sizes[chosen], self.velocities[chosen])


@dataclass(frozen=True, slots=True)
class Seen:
    """Tracked detections (n,) in the mosaic: frame, label from 1, centre (n, 2) and size (n, 2); by frame."""

    frames: Integers
    labels: Integers
    centres: Floats
    sizes: Floats


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """What a link may bridge: ``longest`` frames and an ``error`` of so many sizes; velocities count for at
    most ``trusted`` frames and come from the last ``window`` frames; sides differ by at most the factor
    ``resize``. The longest gap costs ``hurry`` of a perfect link's similarity, so that near ones go first."""

    longest: int
    trusted: int
    window: int
    error: float = 0.5
    resize: float = 1.5
    hurry: float = 0.3


def link(seen: Seen, limits: LinkLimits) -> Integers:
    """New labels (n,), counted from 1 in order of appearance; linked tracklets share one."""
    if not len(seen.labels):
        return seen.labels
    starts, stops = ends_of(seen, limits.window)
    first, second = _candidates(stops.frames, starts.frames, limits.longest)
    errors = disagreement(stops.keep(first), starts.keep(second), limits.trusted)
    gaps = starts.frames[second] - stops.frames[first]
    alike = _alike(stops.sizes[first], starts.sizes[second], limits.resize)
    similarity = 1 - errors / limits.error - limits.hurry * gaps / limits.longest
    pairs = Pairs(first, second, np.where(alike, similarity, 0.0)).above(0.0)
    return _joined(seen.labels, assign(pairs))


def ends_of(seen: Seen, window: int) -> tuple[Ends, Ends]:
    """The first and the last end of every tracklet, by label; sizes and velocities over ``window`` frames."""
    count = int(seen.labels.max())
    track = seen.labels - 1
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(first, track, seen.frames)
    np.maximum.at(last, track, seen.frames)
    return _end(seen, track, first, window), _end(seen, track, last, window)


def disagreement(stops: Ends, starts: Ends, trusted: int) -> Floats:
    """How far (k,) each stop, carried on, misses its start, and each start, carried back, its stop: the mean
    of both, in widths and heights."""
    gaps = np.minimum(starts.frames - stops.frames, trusted)[:, None]
    ahead = stops.centres + stops.velocities * gaps - starts.centres
    back = starts.centres - starts.velocities * gaps - stops.centres
    sizes = np.maximum(np.sqrt(stops.sizes * starts.sizes), 1e-6)
    ahead, back = ahead / sizes, back / sizes
    return np.asarray((np.hypot(ahead[:, 0], ahead[:, 1]) + np.hypot(back[:, 0], back[:, 1])) / 2)


def _end(seen: Seen, track: Integers, at: Integers, window: int) -> Ends:
    """A straight line through the centres of the window, by least squares; its value at the end's frame."""
    chosen = np.abs(seen.frames - at.astype(seen.frames.dtype)[track]) < window
    who = track[chosen]
    count = len(at)
    time = (seen.frames[chosen] - at[who]).astype(np.float64)
    number = np.bincount(who, minlength=count)
    mean_time = np.bincount(who, time, count) / number
    centres, sizes = (_means(who, chosen, values, number) for values in (seen.centres, seen.sizes))
    time -= mean_time[who]
    variance = np.bincount(who, time**2, count)
    slope = np.column_stack([
        np.bincount(who, time * seen.centres[chosen, axis], count) for axis in (0, 1)
    ]) / np.maximum(variance, 1.0)[:, None]  # fmt: skip
    return Ends(at, centres - slope * mean_time[:, None], sizes, slope)


def _means(who: Integers, chosen: Booleans, values: Floats, number: Integers) -> Floats:
    sums = [np.bincount(who, values[chosen, axis], len(number)) for axis in (0, 1)]
    return np.asarray(np.column_stack(sums) / number[:, None])


def _candidates(stops: Integers, starts: Integers, longest: int) -> tuple[Integers, Integers]:
    """All pairs of a stop and a later start within ``longest`` frames."""
    order = np.argsort(starts, kind="stable")
    low = np.searchsorted(starts[order], stops, side="right")
    high = np.searchsorted(starts[order], stops + longest, side="right")
    counts = high - low
    first = np.repeat(np.arange(len(stops)), counts)
    within = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    return first, order[low[first] + within]


def _alike(one: Floats, other: Floats, factor: float) -> Booleans:
    ratios = np.maximum(one, 1e-6) / np.maximum(other, 1e-6)
    return np.asarray((np.maximum(ratios, 1 / ratios) <= factor).all(axis=1), np.bool_)


def _joined(labels: Integers, links: Pairs) -> Integers:
    """Chains of links collapse to their first tracklet; a link always leads to a later start."""
    parent = np.arange(int(labels.max()) + 1)
    parent[links.second + 1] = links.first + 1
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    return numbered(parent[labels])
