"""Two associations of the same detections, forward and backward in time, made into one.

Going forward, a track begins where a detection is clear enough to start it; going backward, it ends only
where the last faint one is gone. So the forward tracks stand as they are, and the backward ones lead them
back to before their birth. Fusing the two as equals was tried on MOT15 and MOT17 and lost identities: each
direction has its own mistakes after a gap, and the union has both.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shoal_worker.frames import Integers


def fuse(frames: Integers, forward: Integers, backward: Integers) -> Integers:
    """One labelling of n detections from two.

    Args:
        frames: the frame of each detection (n,), never falling.
        forward: each detection's track (n,) when the video runs forward; 0 is none.
        backward: the same when it runs backward.

    Returns:
        The fused tracks (n,), numbered from 1 in order of their first detection; 0 is none. Every track has
        a detection that a forward track has.
    """
    sure, led_back = _steps(forward), _steps(backward)
    led_back = led_back[forward[led_back[:, 0]] == 0]
    steps = _without_contradiction(sure, led_back, frames)
    chains = _chains(len(frames), steps)
    known = np.bincount(chains, forward > 0) > 0
    return numbered(np.where(known[chains], chains + 1, 0))


def _steps(labels: Integers) -> Integers:
    """Each detection and the next of the same track, as rows (k, 2)."""
    rows = np.flatnonzero(labels)
    rows = rows[np.argsort(labels[rows], kind="stable")]
    same = labels[rows[1:]] == labels[rows[:-1]]
    return np.column_stack([rows[:-1][same], rows[1:][same]])


def _without_contradiction(sure: Integers, others: Integers, frames: Integers) -> Integers:
    """The sure steps and, shortest first, those of the others whose two ends are still free.

    In every round the steps are taken that are the best at both of their ends, so it ends after few rounds.
    """
    leaving, arriving = np.zeros(len(frames), np.bool_), np.zeros(len(frames), np.bool_)
    leaving[sure[:, 0]], arriving[sure[:, 1]] = True, True
    taken = [sure]
    left = others[np.argsort(frames[others[:, 1]] - frames[others[:, 0]], kind="stable")]
    while len(left := left[~leaving[left[:, 0]] & ~arriving[left[:, 1]]]):
        first, last = (np.unique(left[:, end], return_index=True)[1] for end in (0, 1))
        best = left[np.intersect1d(first, last)]
        leaving[best[:, 0]], arriving[best[:, 1]] = True, True
        taken.append(best)
    return np.vstack(taken)


def _chains(count: int, steps: Integers) -> Integers:
    ones = np.ones(len(steps), np.bool_)
    graph = coo_array((ones, (steps[:, 0], steps[:, 1])), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    return np.asarray(component, np.int64)


def numbered(labels: Integers) -> Integers:
    """The same labels counted from 1 in order of their first appearance; 0 stays 0."""
    names, first, which = np.unique(labels, return_index=True, return_inverse=True)
    first = np.where(names == 0, -1, first)
    ranks = np.empty(len(names), np.int64)
    ranks[np.argsort(first)] = np.arange(len(names)) + (0 if (names == 0).any() else 1)
    return np.asarray(ranks[which], np.int64)
