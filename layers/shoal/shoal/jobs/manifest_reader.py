"""Reads on in a manifest: some lines become jobs, and its place moves on with them, all or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shoal import table
from shoal.contracts.job import JobMessage
from shoal.deployments import Deployment
from shoal.errors import Retryable
from shoal.jobs import intake, manifest_source, objects, store
from shoal.jobs.manifest_lines import Line, Wish
from shoal.jobs.manifest_model import Manifest, ManifestStatus, Plan, WrongLine, key_of
from shoal.jobs.store import Request
from shoal.jobs.submission import encoded
from shoal.jobs.submission import key_of as video_key

LEASE_SECONDS = 120
WRONG_LINES = 20
"""Named in a manifest; the others are counted."""
_COUNTED = {"read", "new", "known", "missing", "malformed", "wrong", "updated_at"}
_ATTEMPTS = 6
_PAUSE_SECONDS = 0.05
"""Before the second attempt of a transaction that met another one; twice as long before each further one."""


@dataclass
class Reader:
    """``place`` is the byte up to which it was read; ``ahead`` holds lines that were fetched and not read."""

    deployment: Deployment
    bucket: str
    manifest: Manifest
    plan: Plan
    place: int
    ahead: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, item: table.Item, deployment: Deployment, bucket: str) -> Reader:
        """The reader of a manifest's item."""
        return cls(
            deployment=deployment,
            bucket=bucket,
            manifest=Manifest.model_validate(item),
            plan=Plan.model_validate_json(item["plan"]),
            place=int(item["byte_place"]),
        )

    @property
    def is_over(self) -> bool:
        return self.place >= self.plan.size

    def read_some(self) -> None:
        """As many lines as one transaction records.

        Raises:
            Unreadable: it is not what was submitted any more.
            StaleWriter: somebody else has read on, or it was cancelled.
            Denied, Retryable: AWS did not answer; nothing of these lines was recorded.
        """
        if not self.ahead:
            plan = self.plan
            self.ahead = manifest_source.page(self.bucket, plan.key, plan.etag, self.place, plan.size)
        upcoming = enumerate(self.ahead[: store.TRANSACTION], self.manifest.read + 1)
        lines = [self._line(number, text) for number, text in upcoming]
        messages = [self._message(line.number, line.wish) if line.wish else None for line in lines]
        taken = store.fit(messages)
        raw, self.ahead = self.ahead[:taken], self.ahead[taken:]
        place = min(self.plan.size, self.place + sum(len(line) + 1 for line in raw))
        self._record(lines[:taken], [one for one in messages[:taken] if one], place)
        self.place = place

    def _line(self, number: int, raw: bytes) -> Line:
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
        except UnicodeDecodeError:
            return Line(number, fault="it is not UTF-8")
        line = self.plan.form.read(number, text)
        fault = video_key(line.wish.video, self.bucket)[1] if line.wish else ""
        return Line(number, fault=fault) if fault else line

    def _record(self, lines: list[Line], messages: list[JobMessage], place: int) -> None:
        """Each piece of work once: a video that these lines name twice is known the second time."""
        requests = self._requests(messages)
        once = list({one.work or one.message.job_id: one for one in requests}.values())
        missing = sum(bool(one.fault) for one in requests)
        faults = [WrongLine(line=line.number, detail=line.fault) for line in lines if line.fault]
        before = self.manifest
        after = before.model_copy(
            update={
                "read": before.read + len(lines),
                "missing": before.missing + missing,
                "malformed": before.malformed + len(faults),
                "wrong": [*before.wrong, *faults][:WRONG_LINES],
                "updated_at": table.now(),
            }
        )

        def counted(new: int) -> Manifest:
            known = len(requests) - missing - new
            return after.model_copy(update={"new": before.new + new, "known": before.known + known})

        new = self._write(once, lambda new: self._progress(counted(new), place))
        self.manifest = counted(new)

    def _requests(self, messages: list[JobMessage]) -> list[Request]:
        heads = objects.heads(self.bucket, [one.video for one in messages])
        found = zip(messages, heads, strict=True)
        return [self._request(message, head) for message, head in found]

    def _request(self, message: JobMessage, head: objects.Head | None) -> Request:
        asked = intake.request_of(message, head, tuple(self.plan.basis), self.bucket)
        return Request(asked.message, asked.work, asked.fault, dive=self.manifest.job_name)

    def _message(self, number: int, wish: Wish) -> JobMessage:
        stamp = self.manifest.created_at.translate({ord(mark): None for mark in "-:TZ."})[:14]
        plan = self.plan
        metadata = plan.metadata if wish.metadata is None else wish.metadata
        return JobMessage(
            video=video_key(wish.video, self.bucket)[0],
            clean=plan.clean if wish.clean is None else wish.clean,
            user_name=plan.user_name if wish.user_name is None else wish.user_name,
            metadata_b64=wish.metadata_b64 or encoded(metadata),
            job_name=self.manifest.job_name if wish.job_name is None else wish.job_name,
            args=plan.args if wish.args is None else wish.args,
            job_id=f"{stamp[:8]}t{stamp[8:]}-{number:06d}-{self.manifest.manifest_id[:12]}",
            deployment=self.deployment.name,
        )

    def _write(self, requests: list[Request], progress: Callable[[int], table.Write]) -> int:
        """Record them with the new place; how many are new. Workers end jobs of the dive meanwhile."""
        for attempt in range(_ATTEMPTS - 1):
            try:
                return store.record_batch(requests, self.plan.force, progress)[1]
            except Retryable:
                time.sleep(_PAUSE_SECONDS * 2**attempt)
        return store.record_batch(requests, self.plan.force, progress)[1]

    def _progress(self, after: Manifest, place: int) -> table.Write:
        fields = after.model_dump(mode="json", include=_COUNTED) | {
            "byte_place": place,
            "lease_until": int(time.time()) + LEASE_SECONDS,
        }
        still = "byte_place = :seen AND #status = :reading"
        expected = {":seen": self.place, ":reading": str(ManifestStatus.READING)}
        return table.update(key_of(self.deployment.name, after.manifest_id), fields, still, expected)
