"""What a deployment and a job can be, and which change may follow which."""

from __future__ import annotations

from enum import StrEnum


class DeploymentStatus(StrEnum):
    """The life of a deployment."""

    ACCEPTED = "ACCEPTED"
    DEPLOYING = "DEPLOYING"
    READY = "READY"
    ROLLING_BACK = "ROLLING_BACK"
    FAILED = "FAILED"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    DELETING = "DELETING"
    DELETED = "DELETED"
    DELETE_INCOMPLETE = "DELETE_INCOMPLETE"

    def is_finished(self) -> bool:
        """No execution is working on it."""
        return self not in _WORKING

    def can_become(self, later: DeploymentStatus) -> bool:
        """Whether the transition table allows ``self -> later``."""
        return later in _TRANSITIONS[self]


_S = DeploymentStatus
_WORKING = frozenset({_S.ACCEPTED, _S.DEPLOYING, _S.ROLLING_BACK, _S.DELETING})
_TRANSITIONS: dict[DeploymentStatus, frozenset[DeploymentStatus]] = {
    _S.ACCEPTED: frozenset({_S.DEPLOYING, _S.ROLLING_BACK, _S.DELETING}),
    _S.DEPLOYING: frozenset({_S.READY, _S.ROLLING_BACK, _S.DELETING}),
    _S.READY: frozenset({_S.ACCEPTED, _S.DELETING}),
    _S.ROLLING_BACK: frozenset({_S.FAILED, _S.ROLLBACK_FAILED, _S.DELETING}),
    _S.FAILED: frozenset({_S.ACCEPTED, _S.DELETING}),
    _S.ROLLBACK_FAILED: frozenset({_S.DELETING, _S.ROLLING_BACK}),
    _S.DELETING: frozenset({_S.DELETED, _S.DELETE_INCOMPLETE}),
    _S.DELETED: frozenset({_S.ACCEPTED}),
    _S.DELETE_INCOMPLETE: frozenset({_S.DELETING}),
}


class JobStatus(StrEnum):
    """The life of one video; the seeds' vocabulary (QUEUED, RUNNING, SUCCESS, FAILED) with one clean word."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    def is_finished(self) -> bool:
        return self in {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED}


class LedgerState(StrEnum):
    """PENDING is written before the AWS call, CREATED after it."""

    PENDING = "PENDING"
    CREATED = "CREATED"


class Absence(StrEnum):
    """What a resource kind answers when asked to unmake itself."""

    GONE = "GONE"
    WAITING = "WAITING"
    FAILED = "FAILED"
