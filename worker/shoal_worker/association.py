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

    def keep(self, chosen: Booleans) -> Pairs:
        """The pairs that a mask (k,) chooses."""
        return Pairs(self.first[chosen], self.second[chosen], self.similarity[chosen])

    def scaled(self, scores: Floats) -> Pairs:
        """Similarity times the score of the second box, as ByteTrack fuses them."""
        return Pairs(self.first, self.second, self.similarity * scores[self.second])


def overlapping(first: Floats, second: Floats) -> Pairs:
    """All pairs of boxes (a, 4) and (b, 4), left top right bottom, that overlap, with intersection over
    union.

    The test for overlap is on booleans; areas are computed for the few pairs that pass.
    """
    apart = (first[:, None, 0] >= second[None, :, 2]) | (second[None, :, 0] >= first[:, None, 2])
    apart |= (first[:, None, 1] >= second[None, :, 3]) | (second[None, :, 1] >= first[:, None, 3])
    rows, columns = np.nonzero(~apart)
    return Pairs(rows, columns, intersection_over_union(first[rows], second[columns]))


def intersection_over_union(one: Floats, other: Floats) -> Floats:
    """Of each box (k, 4) with its counterpart (k, 4)."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    sides = np.maximum(sides, 0)
    shared = sides[:, 0] * sides[:, 1]
    return np.asarray(shared / np.maximum(_area(one) + _area(other) - shared, 1e-9))


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
    rows, row_of = np.unique(pairs.first, return_inverse=True)
    columns, column_of = np.unique(pairs.second, return_inverse=True)
    gain = np.zeros((len(rows), len(columns)))
    gain[row_of, column_of] = pairs.similarity
    first, second = linear_sum_assignment(gain, maximize=True)
    real = gain[first, second] > 0
    first, second = first[real], second[real]
    return Pairs(rows[first], columns[second], gain[first, second])


def _area(boxes: Floats) -> Floats:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
