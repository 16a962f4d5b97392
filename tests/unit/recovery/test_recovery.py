"""An execution that dies from outside is followed by one that rolls back or deletes on; never twice."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rest_world import CONTEXT, World, load_app, move
from shoal import deployments
from shoal.aws import client
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Deployment, executions, ledger, recovery, store
from shoal.errors import Retryable, ShoalError
from shoal.resources.kind import Entry

S = DeploymentStatus
REEF = {"name": "reef", "model_location": "s3://shoal-data/models/reef.onnx"}
DELETE_MACHINE = frozenset({S.DELETING})


@pytest.fixture
def reef(world: World) -> World:
    """A deployment that is ACCEPTED, its execution running."""
    world.put("shoal-data", "models/reef.onnx")
    assert world.call("POST", "/deploy", REEF).status == 202
    return world


def walk(*statuses: S) -> Deployment:
    """On to the last of these statuses; DELETING begins as the API begins it."""
    for status in statuses:
        if status is S.DELETING:
            store.begin_deletion("reef", "tests")
            executions.start("delete", store.get("reef"))
        else:
            move("reef", store.get("reef").generation, status)
    return store.get("reef")


def ended(deployment: Deployment, status: str = "ABORTED", **more: Any) -> dict[str, Any]:
    """EventBridge's event for this generation's execution, which is stopped."""
    machine: executions.Machine = "delete" if deployment.status in DELETE_MACHINE else "deploy"
    arn = executions.arn_of(machine, deployment)
    states = client("stepfunctions")
    states.stop_execution(executionArn=arn)
    described = states.describe_execution(executionArn=arn)
    detail = {key: described.get(key) for key in ("executionArn", "stateMachineArn", "name", "input")}
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": detail | {"status": status, "error": None, "cause": None} | more,
    }


def tell(event: dict[str, Any]) -> Any:
    return load_app("recovery").lambda_handler(event, CONTEXT)


def inputs(world: World, machine: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: json.loads(one["input"]) for one in world.executions(machine)}


@pytest.mark.parametrize("path", [[], [S.DEPLOYING], [S.DEPLOYING, S.ROLLING_BACK]])
@pytest.mark.parametrize(
    ("status", "more", "error"),
    [
        ("ABORTED", {}, {"Error": "ExecutionAborted", "Cause": "its execution was stopped from outside"}),
        ("TIMED_OUT", {}, {"Error": "ExecutionTimedOut", "Cause": "its execution ran out of its time"}),
        (
            "FAILED",
            {"error": "States.Runtime", "cause": "an intrinsic: failed"},
            {
                "Error": "ExecutionFailed",
                "Cause": "its execution failed where nothing catches it: "
                "States.Runtime: an intrinsic: failed",
            },
        ),
    ],
)
def test_a_dead_deployment_is_rolled_back_by_a_new_generation(
    reef: World, path: list[S], status: str, more: dict[str, str], error: dict[str, str]
) -> None:
    # Given
    dead = walk(*path)
    # When
    answer = tell(ended(dead, status, **more))
    # Then
    found = store.get("reef")
    given = inputs(reef, "deploy")["reef-r1-g2"]
    assert answer == {"outcome": "begun again"}
    assert (found.status, found.generation) == (S.ROLLING_BACK, 2)
    assert found.execution_arn == executions.arn_of("deploy", found)
    assert (given["generation"], given["recoveries"]) == (2, 1)
    assert given["error"] == error
    assert found.reason == f"{error['Error']}: {error['Cause']}"
    assert deployments.events("reef")[0].actor == "recovery"


def test_the_reason_of_a_rollback_outlives_its_death(reef: World) -> None:
    # Given
    walk(S.DEPLOYING)
    store.transition("reef", 1, S.ROLLING_BACK, "tests", "NoCapacity: no port: ask AWS")
    # When
    tell(ended(store.get("reef")))
    # Then
    assert store.get("reef").reason == "NoCapacity: no port: ask AWS"
    assert inputs(reef, "deploy")["reef-r1-g2"]["error"] == {
        "Error": "NoCapacity",
        "Cause": "no port: ask AWS",
    }


def test_a_dead_deletion_goes_on(reef: World) -> None:
    # When
    answer = tell(ended(walk(S.DEPLOYING, S.DELETING)))
    # Then
    assert answer == {"outcome": "begun again"}
    assert (store.get("reef").status, store.get("reef").generation) == (S.DELETING, 3)
    given = inputs(reef, "delete")["reef-r1-g3"]
    assert "error" not in given
    assert given["recoveries"] == 1


@pytest.mark.parametrize(
    "path",
    [
        [S.DEPLOYING, S.READY],
        [S.DEPLOYING, S.ROLLING_BACK, S.FAILED],
        [S.DEPLOYING, S.ROLLING_BACK, S.ROLLBACK_FAILED],
    ],
)
def test_what_is_finished_is_left_alone(reef: World, path: list[S]) -> None:
    # Given
    before = walk(*path)
    # When
    answer = tell(ended(before, "FAILED"))
    # Then
    assert answer == {"outcome": "finished"}
    assert store.get("reef") == before


def test_the_same_event_twice_is_one_recovery(reef: World) -> None:
    # Given
    event = ended(walk(S.DEPLOYING))
    # When
    outcomes = [tell(event)["outcome"] for _ in range(3)]
    # Then
    assert outcomes == ["begun again", "superseded", "superseded"]
    assert sorted(inputs(reef, "deploy")) == ["reef-r1-g1", "reef-r1-g2"]


@pytest.mark.parametrize(
    "given",
    ["{}", '{"deployment": "nobody", "generation": 1}', '{"deployment": "reef", "generation": 9}', None],
)
def test_what_is_none_of_ours_is_left_alone(reef: World, given: str | None) -> None:
    # Given
    before = walk(S.DEPLOYING)
    event = ended(before, input=given)
    # When / Then
    assert tell(event) == {"outcome": "superseded"}
    assert store.get("reef") == before


@pytest.mark.parametrize(
    ("path", "final"), [([S.DEPLOYING], S.ROLLBACK_FAILED), ([S.DELETING], S.DELETE_INCOMPLETE)]
)
def test_what_dies_again_and_again_is_given_up(reef: World, path: list[S], final: S) -> None:
    # Given
    walk(*path)
    # When
    outcomes = [tell(ended(store.get("reef"), "FAILED"))["outcome"] for _ in range(recovery.MOST + 1)]
    # Then
    assert outcomes == ["begun again"] * recovery.MOST + ["given up"]
    assert store.get("reef").status is final
    assert "given up: 4 executions died" in store.get("reef").reason


class Mails:
    """SES as a sender sees it: refuses as often as it is told to, and keeps what it took."""

    def __init__(self, *refusals: str) -> None:
        self.refusals = list(refusals)
        self.sent: list[dict[str, Any]] = []

    def send_email(self, **arguments: Any) -> dict[str, str]:
        if self.refusals:
            raise ClientError({"Error": {"Code": self.refusals.pop(0), "Message": ""}}, "SendEmail")
        self.sent.append(arguments)
        return {"MessageId": "m"}


def mailed(monkeypatch: pytest.MonkeyPatch, *refusals: str) -> Mails:
    fake = Mails(*refusals)
    monkeypatch.setattr("shoal.notify.send.client", lambda _: fake)
    return fake


def given_up() -> dict[str, Any]:
    """The end of the last execution that is begun again."""
    detail = ended(store.get("reef"), "FAILED")
    detail["detail"]["input"] = json.dumps(
        json.loads(detail["detail"]["input"]) | {"recoveries": recovery.MOST}
    )
    return detail


@pytest.mark.parametrize(
    ("path", "final", "words"),
    [
        ([S.DEPLOYING], S.ROLLBACK_FAILED, ["left: cluster shoal-dev-reef", "shoal delete reef"]),
        ([S.DELETING], S.DELETE_INCOMPLETE, ["left: cluster shoal-dev-reef", "shoal delete reef"]),
        ([S.DEPLOYING, S.READY, S.UPDATING], S.UPDATE_ROLLBACK_FAILED, ["shoal rollback reef"]),
    ],
)
def test_what_is_given_up_is_mailed_once_with_what_is_left(
    reef: World, monkeypatch: pytest.MonkeyPatch, path: list[S], final: S, words: list[str]
) -> None:
    # Given
    mails = mailed(monkeypatch)
    ledger.intend("reef", 1, Entry(kind="cluster", order=70, name="shoal-dev-reef", revision=1))
    walk(*path)
    # When
    event = given_up()
    outcomes = [tell(event)["outcome"], tell(event)["outcome"], tell({})["recovered"]]
    # Then
    assert outcomes == ["given up", "superseded", 0]
    (mail,) = mails.sent
    assert mail["Destination"] == {"ToAddresses": ["operator@example.org"]}
    assert mail["Content"]["Simple"]["Subject"]["Data"] == f"[shoal dev] reef is {final}"
    text = mail["Content"]["Simple"]["Body"]["Text"]["Data"]
    assert [word for word in [*words, "given up: 4 executions died"] if word not in text] == []


@pytest.mark.parametrize(
    ("refusals", "sent"),
    [
        (["TooManyRequestsException"], 1),  # the next pass sends it
        (["TooManyRequestsException"] * 2, 1),
        (["AccessDeniedException"] * 2, 1),
        (["MessageRejected"], 0),  # an address that is not verified: no pass changes that
    ],
)
def test_a_mail_of_a_giving_up_is_tried_until_ses_has_answered(
    reef: World, monkeypatch: pytest.MonkeyPatch, refusals: list[str], sent: int
) -> None:
    # Given
    mails = mailed(monkeypatch, *refusals)
    walk(S.DEPLOYING)
    # When
    with contextlib.suppress(ShoalError):
        tell(given_up())
    assert mails.sent == []
    passes = [tell({})["failed"] for _ in range(3)]
    # Then
    assert len(mails.sent) == sent
    assert passes == ([1, 0, 0] if len(refusals) == 2 else [0, 0, 0])
    assert store.get("reef").untold == 0


def test_who_deletes_what_was_given_up_needs_no_mail_of_it(
    reef: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    mails = mailed(monkeypatch, "TooManyRequestsException")
    walk(S.DEPLOYING)
    with pytest.raises(Retryable):
        tell(given_up())
    # When
    walk(S.DELETING, S.DELETE_INCOMPLETE)
    tell({})
    # Then: the deletion's own execution has mailed
    assert mails.sent == []


def test_the_schedule_finds_what_no_event_told_of(reef: World) -> None:
    # Given
    ended(walk(S.DEPLOYING))
    # When
    passes = [tell({"detail-type": "Scheduled Event"})["recovered"] for _ in range(2)]
    # Then
    assert passes == [1, 0]
    assert store.get("reef").status is S.ROLLING_BACK


@pytest.mark.parametrize("path", [[], [S.DEPLOYING, S.READY]])
def test_the_schedule_leaves_alone_what_runs_and_what_is_finished(reef: World, path: list[S]) -> None:
    # Given
    before = walk(*path)
    # When / Then
    assert tell({})["recovered"] == 0
    assert store.get("reef") == before


def test_a_recovery_that_broke_off_is_finished_by_the_schedule(
    reef: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: the new generation is written, its execution was not started
    event = ended(walk(S.DEPLOYING))
    real = executions.start

    def lost(*_: Any) -> bool:
        raise Retryable("no answer")

    monkeypatch.setattr(executions, "start", lost)
    with pytest.raises(Retryable):
        tell(event)
    monkeypatch.setattr(executions, "start", real)
    monkeypatch.setattr(recovery, "STARTING", timedelta(0))
    # When
    assert tell({})["recovered"] == 1
    # Then
    assert inputs(reef, "deploy")["reef-r1-g2"]["error"]["Error"] == "ExecutionAborted"


def test_a_claim_whose_request_died_is_deployed_after_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    world.put("shoal-data", "models/reef.onnx")

    def refuse(*_: Any, **__: Any) -> Any:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "StartExecution")

    with monkeypatch.context() as broken:
        broken.setattr(client("stepfunctions"), "start_execution", refuse)
        assert world.call("POST", "/deploy", REEF).status == 503
    # When / Then
    assert tell({})["recovered"] == 0  # the request may still be under way
    monkeypatch.setattr(recovery, "STARTING", timedelta(0))
    assert tell({})["recovered"] == 1
    assert "error" not in inputs(world, "deploy")["reef-r1-g1"]
    assert store.get("reef").execution_arn is not None


def test_one_that_cannot_be_recovered_keeps_no_other_waiting(
    reef: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    reef.call("POST", "/deploy", REEF | {"name": "abyss"})
    ended(walk(S.DEPLOYING))
    real = executions.find

    def find(machine: executions.Machine, deployment: Deployment) -> Any:
        if deployment.name == "abyss":
            raise Retryable("no answer")
        return real(machine, deployment)

    monkeypatch.setattr(executions, "find", find)
    # When / Then
    assert tell({}) == {"deployments": 2, "recovered": 1, "failed": 1}


def test_a_dead_update_goes_on_with_its_rollback(reef: World) -> None:
    # Given
    walk(S.DEPLOYING, S.READY)
    assert reef.call("PUT", "/deploy/reef", REEF | {"args": "--conf-thres=0.3"}).status == 202
    # When
    answer = tell(ended(store.get("reef"), "TIMED_OUT"))
    # Then: by another execution, which begins at the rollback; the history goes on with it
    found = store.get("reef")
    assert (answer["outcome"], found.status, found.generation) == ("begun again", S.UPDATE_ROLLING_BACK, 3)
    given = inputs(reef, "deploy")["reef-r2-g3"]
    assert given["error"]["Error"] == "ExecutionTimedOut"
    newest, dead, _ = deployments.changes_of("reef")
    assert (newest.action, newest.outcome, dead.outcome) == ("update", "", "ABORTED")


def test_a_dead_start_is_a_stop_again(reef: World) -> None:
    # Given
    walk(S.DEPLOYING, S.READY)
    reef.call("POST", "/deploy/reef/stop")
    walk(S.STOPPED)
    reef.call("POST", "/deploy/reef/start")
    # When
    answer = tell(ended(store.get("reef")))
    # Then: the reconciler does the rest
    assert (answer["outcome"], store.get("reef").status) == ("begun again", S.STOPPING)
    assert "reef-r1-g4" not in inputs(reef, "deploy")


@pytest.mark.parametrize("path", [[S.READY, S.STOPPING], [S.READY, S.STOPPING, S.STOPPED]])
def test_a_stop_needs_no_execution(reef: World, path: list[S]) -> None:
    deployment = walk(S.DEPLOYING, *path)
    assert recovery.check(deployment) == "finished"
