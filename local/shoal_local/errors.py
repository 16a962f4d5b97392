"""What can go wrong in the embedded cloud itself. Every message says what to do."""

from __future__ import annotations


class LocalCloudError(Exception):
    """The root of this package's errors."""

    code = "local-cloud"


class AlreadyRunning(LocalCloudError):
    """Two clouds in one process: moto keeps its state in module globals."""

    code = "already-running"


class StackFailed(LocalCloudError):
    """CloudFormation could not make the stack; the message lists the reasons."""

    code = "stack-failed"


class UnknownAction(LocalCloudError):
    """No rule says which IAM permission this call needs."""

    code = "unknown-action"


class MotoChanged(LocalCloudError):
    """A private name of moto that this package patches is not there any more."""

    code = "moto-changed"
