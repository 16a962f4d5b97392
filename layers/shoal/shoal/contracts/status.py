"""What a deployment and a job can be, and which change may follow which."""

from __future__ import annotations

from enum import StrEnum


class DeploymentStatus(StrEnum):
    """The life of a deployment."""

    ACCEPTED = "ACCEPTED"
    DEPLOYING = "DEPLOYING"
    READY = "READY"
    UPDATING = "UPDATING"
    UPDATE_ROLLING_BACK = "UPDATE_ROLLING_BACK"
    UPDATE_ROLLBACK_FAILED = "UPDATE_ROLLBACK_FAILED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    STARTING = "STARTING"
    ROLLING_BACK = "ROLLING_BACK"
    FAILED = "FAILED"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    DELETING = "DELETING"
    DELETED = "DELETED"
    DELETE_INCOMPLETE = "DELETE_INCOMPLETE"

    def is_finished(self) -> bool:
        """No execution is working on it."""
        return self not in _WORKING

    def is_live(self) -> bool:
        """Its workers may run: the fleet follows the queue."""
        return self in _LIVE

    def is_halted(self) -> bool:
        """Its fleet goes to nothing, or is there; jobs wait in the queue."""
        return self in _HALTED

    def is_kept(self) -> bool:
        """It was READY once and nobody asked for its deletion: no rollback may take its resources away."""
        return self in _LIVE | _HALTED | {_S.STARTING}

    def can_become(self, later: DeploymentStatus) -> bool:
        """Whether the transition table allows ``self -> later``."""
        return later in _TRANSITIONS[self]


_S = DeploymentStatus
_LIVE = frozenset({_S.READY, _S.UPDATING, _S.UPDATE_ROLLING_BACK, _S.UPDATE_ROLLBACK_FAILED})
_HALTED = frozenset({_S.STOPPING, _S.STOPPED})
_WORKING = frozenset(
    {
        _S.ACCEPTED,
        _S.DEPLOYING,
        _S.UPDATING,
        _S.UPDATE_ROLLING_BACK,
        _S.STOPPING,
        _S.STARTING,
        _S.ROLLING_BACK,
        _S.DELETING,
    }
)
_TRANSITIONS: dict[DeploymentStatus, frozenset[DeploymentStatus]] = {
    _S.ACCEPTED: frozenset({_S.DEPLOYING, _S.ROLLING_BACK, _S.DELETING}),
    _S.DEPLOYING: frozenset({_S.READY, _S.ROLLING_BACK, _S.DELETING}),
    _S.READY: frozenset({_S.UPDATING, _S.STOPPING, _S.DELETING}),
    _S.UPDATING: frozenset({_S.READY, _S.UPDATE_ROLLING_BACK, _S.UPDATE_ROLLBACK_FAILED, _S.DELETING}),
    _S.UPDATE_ROLLING_BACK: frozenset({_S.READY, _S.UPDATE_ROLLBACK_FAILED, _S.DELETING}),
    _S.UPDATE_ROLLBACK_FAILED: frozenset({_S.UPDATING, _S.UPDATE_ROLLING_BACK, _S.DELETING}),
    _S.STOPPING: frozenset({_S.STOPPED, _S.STARTING, _S.DELETING}),
    _S.STOPPED: frozenset({_S.STARTING, _S.DELETING}),
    _S.STARTING: frozenset({_S.READY, _S.STOPPING, _S.DELETING}),
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
