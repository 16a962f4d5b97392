"""From frame after frame of tracked detections to one table, and from the table to a summary of every
track."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shoal_worker.frames import Detections, Integers, Tracked, TrackSummary, TrackTable


class TableBuilder:
    """Collects what a tracker answers. The worker sees whole videos, so a track that is confirmed in its
    second frame is written from its first: rows are kept by serial until the end."""

    def __init__(self) -> None:
        self._frames: list[tuple[int, Tracked]] = []
        self._id_of: dict[int, int] = {}

    def add(self, frame: int, tracked: Tracked) -> None:
        """The answer for the frame numbered ``frame``; an empty one may be given too."""
        if not len(tracked):
            return
        self._frames.append((frame, tracked))
        confirmed = tracked.confirmed
        self._id_of.update(zip(confirmed.serials.tolist(), confirmed.ids.tolist(), strict=True))

    @property
    def tracks(self) -> int:
        """How many tracks are confirmed so far."""
        return len(self._id_of)

    def table(self, minimum_frames: int = 1) -> TrackTable:
        """Every row of a confirmed track with at least ``minimum_frames`` rows."""
        if not self._frames:
            return TrackTable.empty()
        parts = [tracked.detections for _, tracked in self._frames]
        found = Detections.joined(parts)
        frames = np.repeat([frame for frame, _ in self._frames], [len(part) for part in parts])
        ids = self._ids(np.concatenate([tracked.serials for _, tracked in self._frames]))
        kept = (ids > 0) & (np.bincount(ids)[ids] >= minimum_frames)
        rows = np.flatnonzero(kept)
        rows = rows[np.lexsort((ids[rows], frames[rows]))]
        return TrackTable.detected(frames.astype(np.int64), ids, found).keep(rows)

    def _ids(self, serials: Integers) -> Integers:
        lookup = np.zeros(int(serials.max()) + 1, np.int64)
        for serial, identity in self._id_of.items():
            lookup[serial] = identity
        return lookup[serials]


def summarise(table: TrackTable, label: Callable[[int], str]) -> list[TrackSummary]:
    """One summary per track, by id. A track's label is the class with the greatest sum of scores; only its
    detected boxes vote and count."""
    if not len(table):
        return []
    found, seen = table.detections, ~table.interpolated
    ids, row_of = np.unique(table.ids, return_inverse=True)
    votes = np.zeros((len(ids), int(found.classes.max()) + 1))
    np.add.at(votes, (row_of, found.classes), found.scores * seen)
    counts = np.bincount(row_of, weights=seen).astype(np.int64)
    filled = np.bincount(row_of) - counts
    scores = np.bincount(row_of, weights=found.scores * seen) / np.maximum(counts, 1)
    first, last = np.full(len(ids), np.iinfo(np.int64).max), np.zeros(len(ids), np.int64)
    np.minimum.at(first, row_of, table.frames)
    np.maximum.at(last, row_of, table.frames)
    columns = (ids, votes.argmax(axis=1), first, last, counts, scores, filled)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        TrackSummary(identity, label(vote), start, end, count, score, unseen)
        for identity, vote, start, end, count, score, unseen in rows
    ]
