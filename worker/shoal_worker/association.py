"""Who is who: overlapping pairs of boxes, and the one-to-one assignment of greatest similarity among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from shoal_worker.frames import Booleans, Floats, Integers


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs (k,) of indices into two lists of boxes and their similarity (k,) in 0..1."""

    first: Integers
    second: Integers
    similarity: Floats

    def above(self, threshold: float) -> Pairs:
        """Only the pairs that are more alike than ``threshold``."""
        return self.keep(self.similarity > threshold)

    def keep(self, chosen: Booleans | Integers) -> Pairs:
        """The pairs that a mask (k,) or a list of indices chooses."""
        return Pairs(self.first[chosen], self.second[chosen], self.similarity[chosen])

    def scaled(self, scores: Floats) -> Pairs:
        """Similarity times the score of the second box, as ByteTrack fuses them."""
        return Pairs(self.first, self.second, self.similarity * scores[self.second])


def overlapping(first: Floats, second: Floats) -> Pairs:
    """All pairs of boxes (a, 4) and (b, 4), left top right bottom, that overlap, with intersection over
    union.

    The test for overlap is on booleans; areas are computed for the few pairs that pass.
    """
    one, other = np.ascontiguousarray(first.T), np.ascontiguousarray(second.T)
    rows, columns = _near(one, other)
    areas = _area(one).take(rows) + _area(other).take(columns)
    shared = _shared(one.take(rows, axis=1), other.take(columns, axis=1))
    pairs = Pairs(rows, columns, _ratio(shared, areas))
    return pairs if shared.all() else pairs.keep(shared > 0)


def intersection_over_union(one: Floats, other: Floats) -> Floats:
    """Of each box (k, 4) with its counterpart (k, 4)."""
    return _ratio(_shared(one.T, other.T), _area(one.T) + _area(other.T))


def assign(pairs: Pairs) -> Pairs:
    """One-to-one pairs of greatest total similarity.

    A pair whose two boxes are in no other pair is taken as it is; only the rest goes through the linear sum
    assignment (Crouse 2016), which is then small.
    """
    if not len(pairs.first):
        return pairs
    alone = (np.bincount(pairs.first)[pairs.first] == 1) & (np.bincount(pairs.second)[pairs.second] == 1)
    if alone.all():
        return pairs
    certain, contested = pairs.keep(alone), _assigned(pairs.keep(~alone))
    return Pairs(
        np.concatenate([certain.first, contested.first]),
        np.concatenate([certain.second, contested.second]),
        np.concatenate([certain.similarity, contested.similarity]),
    )


def _assigned(pairs: Pairs) -> Pairs:
    (rows, row_of), (columns, column_of) = _ranked(pairs.first), _ranked(pairs.second)
    gain = np.zeros((len(rows), len(columns)))
    gain[row_of, column_of] = pairs.similarity
    first, second = linear_sum_assignment(gain, maximize=True)
    found = gain[first, second]
    return Pairs(rows[first], columns[second], found).keep(found > 0)


def _ranked(indices: Integers) -> tuple[Integers, Integers]:
    """The different values in order and every index's place among them: ``np.unique`` without its sort."""
    there = np.bincount(indices) > 0
    return there.nonzero()[0], (there.cumsum() - 1)[indices]


def _near(one: Floats, other: Floats) -> tuple[Integers, Integers]:
    """The pairs of sides (4, a) and (4, b) that overlap, and perhaps some that only touch.

    In half the width, which keeps the order of any two sides but may make them equal.
    """
    one, other = one.astype(np.float32)[:, :, None], other.astype(np.float32)
    near = one[0] <= other[2]
    for low, high in ((one[1], other[3]), (other[0], one[2]), (other[1], one[3])):
        near &= low <= high
    rows, columns = np.divmod(near.ravel().nonzero()[0], max(1, near.shape[1]))
    return rows, columns


def _shared(one: Floats, other: Floats) -> Floats:
    """The area (k,) that sides (4, k) have in common with their counterparts (4, k)."""
    sides = np.minimum(one[2:], other[2:])
    sides -= np.maximum(one[:2], other[:2])
    np.maximum(sides, 0, out=sides)
    return np.asarray(sides[0] * sides[1])


def _ratio(shared: Floats, areas: Floats) -> Floats:
    return np.asarray(shared / np.maximum(areas - shared, 1e-9))


def _area(sides: Floats) -> Floats:
    return np.asarray((sides[2] - sides[0]) * (sides[3] - sides[1]))
