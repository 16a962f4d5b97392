"""Association by what objects look like as well as by where they are, after BoT-SORT (Aharon et al. 2022,
arXiv 2206.14651, section 3.3), written from the paper.

A pair of boxes is as alike as it overlaps, or as it looks, whichever is more; looks count only for boxes that
are near and look alike at all. Every track remembers one vector, an exponential moving average. Pairs that do
not overlap are never compared, and a frame is arithmetic on arrays.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shoal_worker.association import Pairs
from shoal_worker.frames import Booleans, Detections, Floats, Integers, Tracked
from shoal_worker.tracker import Tracker, TrackerParameters

PLACE = 0.05
"""What no overlap at all costs of a perfect likeness: animals of one species look alike."""
SHORTEST = 1e-6
"""A vector shorter than this has no direction: it stands for what was not looked at."""


def tracker_for(parameters: TrackerParameters, fps: float) -> Tracker:
    """The tracker for one video; without appearance it is the one that does nothing about it."""
    return AppearanceTracker(parameters, fps) if parameters.appearance else Tracker(parameters, fps)


class AppearanceTracker(Tracker):
    """A tracker whose detections carry ``features`` (n, d); those without count by their place alone."""

    def __init__(self, parameters: TrackerParameters, fps: float) -> None:
        super().__init__(parameters, fps)
        self._looks: Floats = np.zeros((0, 0), np.float32)

    def update(self, found: Detections, motion: Floats | None = None) -> Tracked:
        """See Tracker."""
        features = np.zeros((len(found), 0)) if found.features is None else found.features
        if features.shape[1] and not self._looks.shape[1]:
            self._looks = np.zeros((len(self._looks), features.shape[1]), np.float32)
        elif features.shape[1] != self._looks.shape[1]:
            features = np.zeros((len(found), self._looks.shape[1]))
        return super().update(replace(found, features=features.astype(np.float32)), motion)

    def _fused(self, pairs: Pairs, found: Detections) -> Pairs:
        mine, fused = self.parameters, super()._fused(pairs, found)
        near = (pairs.similarity >= mine.appearance_overlap).nonzero()[0]
        cosine = cosines(self._looks, pairs.first[near], _features(found), pairs.second[near])
        alike: Booleans = np.greater_equal(cosine, max(mine.appearance_similarity, SHORTEST))
        similarity = fused.similarity.copy()
        # The paper's distance is half of one minus the cosine; among those that look the same, place decides.
        looks = (1 + cosine[alike]) / 2 - PLACE * (1 - pairs.similarity[near[alike]])
        similarity[near[alike]] = np.maximum(similarity[near[alike]], looks)
        return Pairs(pairs.first, pairs.second, similarity)

    def _correct(self, found: Detections, owner: Integers) -> None:
        super()._correct(found, owner)
        columns = (owner >= 0).nonzero()[0]
        rows, seen = owner[columns], _features(found)[columns]
        weight = self.parameters.appearance_memory
        before = self._looks[rows]
        mixed = unit(weight * before + (1 - weight) * seen)
        # A track that has no look yet takes its first one whole; one that was not looked at keeps its own.
        known, looked = (vectors.any(axis=1, keepdims=True) for vectors in (before, seen))
        self._looks[rows] = np.where(looked, np.where(known, mixed, seen), before)

    def _begin(self, found: Detections, owner: Integers) -> None:
        old = len(self._looks)
        super()._begin(found, owner)
        self._looks = np.concatenate([self._looks, _features(found)[owner >= old]])

    def _answer(self, found: Detections, owner: Integers) -> Tracked:
        return super()._answer(replace(found, features=None), owner)

    def _keep(self, rows: Integers) -> None:
        super()._keep(rows)
        self._looks = self._looks.take(rows, axis=0)


def cosines(one: Floats, first: Integers, other: Floats, second: Integers) -> Floats:
    """The cosine (k,) of the unit vectors ``one[first]`` and ``other[second]``."""
    return np.asarray(np.einsum("ij,ij->i", one.take(first, axis=0), other.take(second, axis=0)))


def unit(vectors: Floats) -> Floats:
    """Rows (n, d) of length one; a row without a direction stays zeros."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.where(length > SHORTEST, vectors / np.maximum(length, SHORTEST), 0.0), np.float32)


def _features(found: Detections) -> Floats:
    return np.zeros((len(found), 0), np.float32) if found.features is None else found.features
