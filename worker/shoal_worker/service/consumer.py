"""Takes videos from the queue, one at a time, until it is told to stop."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from shoal_worker.service.errors import (
    AlreadyFailed,
    AlreadySucceeded,
    BadMessage,
    Busy,
    Cancelled,
    JobRejected,
    LeaseLost,
    Stopped,
    Transient,
)
from shoal_worker.service.heartbeat import Heartbeat
from shoal_worker.service.logs import logger
from shoal_worker.service.messages import VideoJob, is_test_event, read_job
from shoal_worker.service.progress import Activity, Attempt
from shoal_worker.service.protection import TaskProtection
from shoal_worker.service.records import Finished, JobRecords, Lease
from shoal_worker.service.video_queue import Delivery, NoLongerOurs, VideoQueue
from shoal_worker.service.video_work import VideoWork

BACKOFF_SECONDS = (30, 60, 120, 240, 300)
"""Wait before another attempt, by the number of receives so far."""

EXIT_HUNG = 75


def backoff(receives: int) -> int:
    """Seconds to wait before the attempt after the ``receives``-th."""
    return BACKOFF_SECONDS[min(max(receives, 1), len(BACKOFF_SECONDS)) - 1]


def _worn_out(lease: Lease) -> JobRejected:
    """Of a video that had its attempts by an earlier message: no further worker dies of it."""
    return JobRejected(
        f"{lease.attempt - 1} attempts ended without a result: out of memory, or a video that breaks the "
        "decoder; look at the worker's log, raise memory_mib or encode the video again, then redrive"
    )


def _leave() -> None:
    os._exit(EXIT_HUNG)


@dataclass
class Consumer:
    """The loop around :class:`VideoWork`. Every delivery ends deleted, released, or left to the queue."""

    deployment: str
    queue: VideoQueue
    records: JobRecords
    work: VideoWork
    protection: TaskProtection
    activity: Activity
    stop: threading.Event
    timeout_seconds: float
    leave: Callable[[], None] = _leave
    maximum_receives: int = 0
    idle_seconds: float = 5.0
    _current: Delivery | None = None
    _lease: Lease | None = None

    def run(self) -> None:
        """Until ``stop`` is set. No fault of one message, or of AWS, ends the loop."""
        while not self.stop.is_set():
            try:
                self.step()
            except Transient as error:
                logger().error("the queue loop goes on after: %s", error.reason)
                self.stop.wait(self.idle_seconds)
            except Exception:  # noqa: BLE001 - the supervisor: one video must not stop the others
                logger().exception("a defect of the worker; the message comes back when its visibility ends")
                self.stop.wait(self.idle_seconds)

    def step(self) -> None:
        """One poll, and the message it brought."""
        delivery = self.queue.receive()
        if delivery is None:
            self.protection.idle()
        elif self.stop.is_set():
            self._give_back(delivery, 0)
        elif is_test_event(delivery.body):
            logger().info("an s3:TestEvent was deleted")
            self.queue.delete(delivery)
        else:
            self._current = delivery
            self.protection.busy()
            self.handle(delivery)
            self._current = None

    def release_current(self) -> None:
        """Give the video in hand back at once; for a stop that cannot wait for the end of a native call."""
        delivery, lease = self._current, self._lease
        if delivery is not None and lease is not None:
            self._release(delivery, lease, Stopped("the worker was stopped; another one takes the video"))
        elif delivery is not None:
            self._give_back(delivery, 0)

    def handle(self, delivery: Delivery) -> None:
        """Work on one delivery and end it."""
        try:
            job = read_job(delivery, self.deployment)
        except BadMessage as bad:
            self._refuse(delivery, bad)
            return
        try:
            lease = self.records.start(job.job_id, job.message, delivery.message_id)
        except AlreadySucceeded:
            logger().info("a duplicate of a finished video", extra={"job": job.job_id})
            self._finish(delivery, job)
        except (Cancelled, AlreadyFailed) as over:
            logger().info("not tracked: %s", over.reason, extra={"job": job.job_id})
            self.queue.delete(delivery)
        except Busy as busy:
            self._leave_to_other(delivery, job, busy)
        else:
            if 0 < self.maximum_receives < lease.attempt - lease.released:
                self._fail(delivery, job, lease, _worn_out(lease))
            else:
                self._attempt(delivery, job, lease)

    def _attempt(self, delivery: Delivery, job: VideoJob, lease: Lease) -> None:
        holds = functools.partial(self.records.holds, lease)
        attempt = Attempt(self.activity, self.stop, self.timeout_seconds, holds=holds)
        self.activity.show({"job": job.job_id, "video": job.message.video, "attempt": lease.attempt})
        self._lease = lease
        logger().info("video %s, attempt %d", job.message.video, lease.attempt, extra={"job": job.job_id})
        try:
            with self._heartbeat(delivery, job, lease, attempt):
                finished = self.work.run(job, attempt)
                self._succeed(lease, finished)
        except LeaseLost as lost:
            # the message is the other one's: whatever is done to it here is done to him
            logger().warning("abandoned: %s", lost.reason, extra={"job": job.job_id})
            self.activity.count("released")
        except JobRejected as permanent:
            self._fail(delivery, job, lease, permanent)
        except Stopped as stopped:
            self._release(delivery, lease, stopped)
        except Transient as error:
            self._retry(delivery, lease, error)
        except Exception as defect:  # noqa: BLE001 - the supervisor: the video comes again, then its queue's DLQ
            logger().exception("a defect of the worker", extra={"job": job.job_id})
            self._retry(delivery, lease, Transient(f"{type(defect).__name__}: {defect}"))
        else:
            logger().info(
                "succeeded: %d frames, %d tracks", finished.frames, finished.tracks, extra={"job": job.job_id}
            )
            self.activity.count("succeeded")
            self._finish(delivery, job)
        finally:
            self._lease = None
            self.activity.show(None)

    def _leave_to_other(self, delivery: Delivery, job: VideoJob, busy: Busy) -> None:
        """A message of its own may go, the other has his; the same one must stay, should the other die."""
        logger().info("a second delivery of a video under way", extra={"job": job.job_id})
        if busy.message_id != delivery.message_id:
            self.queue.delete(delivery)
        else:
            self._give_back(delivery, BACKOFF_SECONDS[-1])

    def _heartbeat(self, delivery: Delivery, job: VideoJob, lease: Lease, attempt: Attempt) -> Heartbeat:
        return Heartbeat(
            self.queue, delivery, attempt.deadline, lambda: self._hung(delivery, job, lease),
            holds=functools.partial(self.records.holds, lease), on_lost=attempt.abandon,
        )  # fmt: skip

    def _succeed(self, lease: Lease, finished: Finished) -> None:
        if not self.records.succeed(lease, finished):
            raise LeaseLost("the result is another attempt's to record")

    def _finish(self, delivery: Delivery, job: VideoJob) -> None:
        """The result is stored and recorded: only now may the source go, then the message."""
        if job.message.clean:
            try:
                self.work.remove_source(job)
            except Transient as error:
                # the next delivery finds the job finished, and tries again
                logger().warning("the source stays for now: %s", error.reason, extra={"job": job.job_id})
                self._give_back(delivery, backoff(delivery.receives))
                return
        self.queue.delete(delivery)

    def _fail(self, delivery: Delivery, job: VideoJob, lease: Lease, error: JobRejected) -> None:
        logger().error("failed: %s", error.reason, extra={"job": job.job_id, "code": error.code})
        if not self.records.fail(lease, error.reason, for_good=True):
            return  # another attempt has it, and the message
        self.activity.count("failed")
        self.queue.delete(delivery)

    def _release(self, delivery: Delivery, lease: Lease, stopped: Stopped) -> None:
        logger().warning("given back: %s", stopped.reason, extra={"job": lease.job_id})
        self.activity.count("released")
        try:
            # First: who gets the message while the record still says RUNNING takes it for another's.
            self.records.requeue(lease, f"attempt {lease.attempt}: {stopped.reason}", released=True)
        finally:
            self._give_back(delivery, 0)

    def _retry(self, delivery: Delivery, lease: Lease, error: Transient) -> None:
        """Another attempt later; after the queue's last one the job is FAILED and SQS keeps the message."""
        extra = {"job": lease.job_id, "code": error.code}
        if 0 < self.maximum_receives <= delivery.receives:
            reason = (
                f"given up after {delivery.receives} receives: {error.reason}; then redrive the queue's DLQ"
            )
            logger().error("failed: %s", reason, extra=extra)
            self.activity.count("failed")
            self.records.fail(lease, reason)
            self._give_back(delivery, 0)
            return
        logger().warning("given back: %s", error.reason, extra=extra)
        self.activity.count("retried")
        self._give_back(delivery, backoff(delivery.receives))
        self.records.requeue(lease, f"attempt {lease.attempt}: {error.reason}")

    def _refuse(self, delivery: Delivery, bad: BadMessage) -> None:
        """A bad message ends FAILED where its job is known, else in the dead-letter queue."""
        logger().error("bad message %s: %s", delivery.message_id, bad.reason, extra={"job": bad.job_id})
        self.activity.count("failed")
        if bad.job_id and self.records.refuse(bad.job_id, bad.reason):
            self.queue.delete(delivery)
        else:
            self._give_back(delivery, BACKOFF_SECONDS[0])

    def _give_back(self, delivery: Delivery, seconds: int) -> None:
        try:
            self.queue.extend(delivery, seconds)
        except NoLongerOurs:
            logger().warning("message %s was given back already", delivery.message_id)
        except Transient as error:
            logger().warning("the message comes back when its visibility ends: %s", error.reason)

    def _hung(self, delivery: Delivery, job: VideoJob, lease: Lease) -> None:
        """The heartbeat calls it for a video past its deadline that does not come back: fail it, leave."""
        reason = "it hung past TIMEOUT_HOURS in one frame: the file may be damaged; encode it again"
        try:
            self._fail(delivery, job, lease, JobRejected(reason))
        finally:
            self.leave()
