"""Executions that die from outside: stopped, out of time, or of an error that no Catch sees (States.Runtime).

Level-triggered: EventBridge's event is only a nudge, and a pass over all deployments finds what no event told
of. A dead execution's deployment goes to a new generation, so that a step which still runs is fenced off, and
that generation's execution rolls back or goes on deleting. A deployment that is finished is left alone. One
that is given up has no execution that could mail it: it is mailed here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from shoal.contracts.status import DeploymentStatus
from shoal.deployments import executions, recording, store
from shoal.deployments.executions import ErrorObject, Execution, Machine
from shoal.deployments.model import Deployment
from shoal.deployments.recording import StatusInput
from shoal.errors import AwsError, ShoalError
from shoal.notify import notify
from shoal.telemetry import logger

ACTOR = "recovery"
MOST = 3
"""An execution that dies so often in a row is not begun again: a person must look."""

STARTING = timedelta(minutes=2)
"""Between the claim and its execution lies one request: what is older than this was forgotten."""

_S = DeploymentStatus
_BECOMES = {
    _S.ACCEPTED: _S.ROLLING_BACK,
    _S.DEPLOYING: _S.ROLLING_BACK,
    _S.UPDATING: _S.UPDATE_ROLLING_BACK,
    _S.STARTING: _S.STOPPING,
}
"""What is not here stays what it is and is begun again."""

_GIVEN_UP = {
    _S.ROLLING_BACK: _S.ROLLBACK_FAILED,
    _S.UPDATE_ROLLING_BACK: _S.UPDATE_ROLLBACK_FAILED,
    _S.DELETING: _S.DELETE_INCOMPLETE,
}
_RECOVERED = frozenset({*_BECOMES, *_GIVEN_UP})
_UNDONE = frozenset({_S.ROLLING_BACK, _S.UPDATE_ROLLING_BACK})
_WORDS = {
    "ABORTED": ("ExecutionAborted", "its execution was stopped from outside"),
    "TIMED_OUT": ("ExecutionTimedOut", "its execution ran out of its time"),
    "FAILED": ("ExecutionFailed", "its execution failed where nothing catches it"),
}
"""Names of our own: the Fail state of a machine may not raise one that begins with ``States.``."""

_LONGEST_CAUSE = 1000


class Outcome(StrEnum):
    """What was done about a deployment."""

    FINISHED = "finished"
    SUPERSEDED = "superseded"
    RUNS = "runs"
    STARTED = "started"
    BEGUN_AGAIN = "begun again"
    GIVEN_UP = "given up"


def execution_ended(detail: dict[str, Any]) -> Outcome:
    """The detail of "Step Functions Execution Status Change" for an execution that did not succeed."""
    given = json.loads(detail.get("input") or "{}")
    deployment = store.find(str(given.get("deployment", "")))
    if deployment is None or deployment.generation != given.get("generation"):
        return Outcome.SUPERSEDED
    outcome = _recover(deployment, executions.from_description(detail))
    logger().info("execution ended", deployment=deployment.name, execution=detail["name"], outcome=outcome)
    return outcome


def check_all() -> dict[str, int]:
    """One pass over every deployment; answers how many were seen, begun again, and could not be."""
    seen = recovered = failed = 0
    for deployment in store.every_deployment():
        seen += 1
        try:
            recovered += check(deployment) in {Outcome.STARTED, Outcome.BEGUN_AGAIN, Outcome.GIVEN_UP}
        except ShoalError:
            failed += 1
            logger().exception("not recovered", deployment=deployment.name)
    return {"deployments": seen, "recovered": recovered, "failed": failed}


def check(deployment: Deployment) -> Outcome:
    """Make sure that an execution works on what is not finished, and that a giving up is mailed."""
    if deployment.status not in _RECOVERED:
        return _finished(deployment)
    execution = executions.find(_machine(deployment), deployment)
    if execution:
        return _recover(deployment, execution)
    if not _is_old(deployment):
        return Outcome.RUNS
    _start(deployment, 0)
    return Outcome.STARTED


def _recover(deployment: Deployment, dead: Execution) -> Outcome:
    if deployment.status not in _RECOVERED:
        return _finished(deployment)
    if dead.status == executions.RUNNING:
        return Outcome.RUNS
    becomes, count = _BECOMES.get(deployment.status, deployment.status), dead.recoveries + 1
    reason = _reason(deployment, dead)
    generation = store.take_over(deployment, becomes, ACTOR, reason)
    if generation is None:
        return Outcome.SUPERSEDED
    if becomes is _S.STOPPING:  # the reconciler does the rest
        return Outcome.BEGUN_AGAIN
    if count > MOST:
        told = f"{reason}; given up: {count} executions died, see their history"
        return _give_up(store.get(deployment.name), told)
    _start(store.get(deployment.name), count)
    return Outcome.BEGUN_AGAIN


def _give_up(deployment: Deployment, reason: str) -> Outcome:
    """Recorded with what is left, as a machine records it, and that the mail is still to be sent."""
    payload = StatusInput(
        deployment=deployment.name,
        revision=deployment.revision,
        generation=deployment.generation,
        become=_GIVEN_UP[deployment.status],
        reason=reason,
    )
    recording.record(payload, ACTOR, untold=deployment.generation)
    _tell(store.get(deployment.name))
    return Outcome.GIVEN_UP


def _finished(deployment: Deployment) -> Outcome:
    _tell(deployment)
    return Outcome.FINISHED


def _tell(deployment: Deployment) -> None:
    """Mail a giving up, unless a newer generation has taken over; tried again until SES has answered.

    Raises:
        Retryable, Denied: it was not sent; the next pass sends it.
    """
    if not deployment.untold or deployment.untold != deployment.generation:
        return
    try:
        notify(deployment.name, deployment.revision, deployment.generation, deployment.status)
    except AwsError:  # SES refused it for good: an address that is not verified
        logger().exception("given up, and cannot be mailed", deployment=deployment.name)
    store.record_facts(deployment.name, deployment.generation, untold=None)


def _start(deployment: Deployment, recoveries: int) -> None:
    """The reason is the table's, so that an attempt which broke off here is repeated word by word."""
    machine = _machine(deployment)
    error = _as_error(deployment.reason) if deployment.status in _UNDONE else None
    executions.start(machine, deployment, error, recoveries)
    store.record_execution(deployment.name, deployment.generation, executions.arn_of(machine, deployment))


def _machine(deployment: Deployment) -> Machine:
    return "delete" if deployment.status is _S.DELETING else "deploy"


def _reason(deployment: Deployment, dead: Execution) -> str:
    """Why it is rolled back: an earlier reason stands, the death of its rollback is no better one."""
    if deployment.status in _UNDONE and deployment.reason:
        return deployment.reason
    error, words = _WORDS.get(dead.status, _WORDS["FAILED"])
    told = ": ".join(part for part in (dead.error, dead.cause) if part)
    return f"{error}: {words}" + (f": {told[:_LONGEST_CAUSE]}" if told else "")


def _as_error(reason: str) -> ErrorObject:
    error, _, cause = reason.partition(": ")
    return {"Error": error, "Cause": cause} if cause else {"Error": "ExecutionFailed", "Cause": reason}


def _is_old(deployment: Deployment) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(deployment.updated_at) > STARTING
