"""What can go wrong around the engine. Each error has a stable code and says what to do."""

from __future__ import annotations


class ServiceError(Exception):
    """The root; ``reason`` is written to the job's record and to the log."""

    code = "worker-internal"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ConfigurationError(ServiceError):
    """The environment, the machine or the model does not allow the worker to start."""

    code = "configuration"


class ModelUnavailable(ConfigurationError):
    """The model or the tracker's configuration cannot be fetched or used."""

    code = "model-unavailable"


class JobRejected(ServiceError):
    """A permanent error: the same video would fail again. The job ends FAILED and its message is deleted."""

    code = "job-rejected"


class BadMessage(JobRejected):
    """The queue's message is not a video message."""

    code = "bad-message"

    def __init__(self, reason: str, job_id: str | None = None) -> None:
        super().__init__(reason)
        self.job_id = job_id


class VideoMissing(JobRejected):
    """The bucket has no such object."""

    code = "video-missing"


class VideoUnreadable(JobRejected):
    """The object is there, but no frame of it can be decoded."""

    code = "video-unreadable"


class VideoTimedOut(JobRejected):
    """The video took longer than TIMEOUT_HOURS."""

    code = "video-timed-out"


class Transient(ServiceError):
    """Worth another attempt: the message goes back to the queue."""

    code = "transient"


class Denied(Transient):
    """The role lacks a permission; S3 says so too for an absent object of a bucket that may not be listed."""

    code = "denied"


class Stopped(ServiceError):
    """The worker was told to stop; the message is released at once."""

    code = "stopped"


class AlreadySucceeded(ServiceError):
    """A duplicate delivery of a video whose result exists."""

    code = "already-succeeded"


class Cancelled(ServiceError):
    """A delivery of a video that somebody cancelled."""

    code = "cancelled"


class AlreadyFailed(ServiceError):
    """A second delivery of a video that cannot be tracked."""

    code = "already-failed"


class Busy(ServiceError):
    """A second delivery of a video that another attempt works on; ``message_id`` is the other's message."""

    code = "busy"

    def __init__(self, reason: str, message_id: str) -> None:
        super().__init__(reason)
        self.message_id = message_id


class LeaseLost(ServiceError):
    """Another attempt has the job now, or it was cancelled: this one may write nothing any more."""

    code = "lease-lost"


class Overtaken(ServiceError):
    """The object is not the one that was to be replaced: somebody wrote it meanwhile."""

    code = "overtaken"
