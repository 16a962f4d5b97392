"""Every path through the two state machines, run by the interpreter with functions that answer as told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from state_machines import Answer, Failure, Machines, Run, machines

INPUT = {
    "deployment": "reef", "revision": 2, "generation": 5, "plan": {"endpoint": True, "compute": "ec2-gpu"},
}  # fmt: skip
IDENTITY = {"deployment": "reef", "revision": 2, "generation": 5}
EMPTY = {"empty": True, "waiting": [], "failed": []}
BUSY = {"empty": False, "waiting": ["service: its tasks are stopping"], "failed": []}
STUCK = {"empty": False, "waiting": [], "failed": ["listener: Denied"]}
STEPS = ("LoadBalancer", "TaskCluster", "AutoScalingGroup", "EcsService")


def fails(error: str, cause: str = "it broke", times: int = 1_000_000) -> Answer:
    """Fail the first ``times`` calls, then answer as a step does."""
    calls = iter(range(times))

    def answer(payload: dict[str, Any]) -> Any:
        if next(calls, None) is not None:
            raise Failure(error, cause)
        return {"step": "x", "resources": {}}

    return answer


def in_turn(*answers: Any) -> Answer:
    """One answer after the other; the last one for ever."""
    left = list(answers)
    return lambda payload: left.pop(0) if len(left) > 1 else left[0]


def refuses(status: str) -> Answer:
    """A table that cannot be written with this status."""

    def answer(payload: dict[str, Any]) -> Any:
        if payload["become"] == status:
            raise Failure("Denied", "no permission")
        return {"status": payload["become"]}

    return answer


def functions(**changed: Answer) -> dict[str, Answer]:
    """A world in which everything works at once, but for what is changed."""
    made: dict[str, Answer] = {step: lambda payload: {"step": "x", "resources": {}} for step in STEPS}
    made |= {
        "ServiceStatus": lambda payload: {"ready": True, "reason": ""},
        "DeploymentStatus": lambda payload: {"status": payload["become"]},
        "Notification": lambda payload: {"message_id": "m", "recipients": 1},
        "Rollback": lambda payload: EMPTY,
        "Deletion": lambda payload: EMPTY,
    }
    return made | changed


@pytest.fixture(scope="module")
def both() -> Iterator[Machines]:
    with machines() as made:
        yield made


@pytest.fixture
def deploy(both: Machines) -> Callable[..., Run]:
    def run(plan: dict[str, Any] | None = None, bound: int | None = None, **changed: Answer) -> Run:
        given = INPUT | ({"plan": plan} if plan else {})
        return both.execute("deploy", given, functions(**changed), bound)

    return run


@pytest.fixture
def delete(both: Machines) -> Callable[..., Run]:
    def run(bound: int | None = None, **changed: Answer) -> Run:
        return both.execute("delete", INPUT, functions(**changed), bound)

    return run


def statuses(run: Run) -> list[str]:
    return [payload["become"] for payload in run.asked.get("DeploymentStatus", [])]


def mails(run: Run) -> list[str]:
    return [payload["outcome"] for payload in run.asked.get("Notification", [])]


@pytest.mark.parametrize(
    ("plan", "steps"),
    [
        ({"endpoint": True, "compute": "ec2-gpu"}, STEPS),
        ({"endpoint": False, "compute": "ec2-gpu"}, STEPS[1:]),
        ({"endpoint": True, "compute": "fargate-cpu"}, (STEPS[0], STEPS[1], STEPS[3])),
        ({"endpoint": False, "compute": "fargate-cpu"}, (STEPS[1], STEPS[3])),
    ],
)
def test_the_plan_decides_which_steps_run(
    deploy: Callable[..., Run], plan: dict[str, Any], steps: tuple[str, ...]
) -> None:
    run = deploy(plan)
    assert run.status == "SUCCEEDED"
    assert tuple(name for name in run.asked if name in STEPS) == steps
    assert (statuses(run), mails(run)) == (["DEPLOYING", "READY"], ["READY"])


def test_every_function_gets_the_identity_and_what_the_contract_adds(deploy: Callable[..., Run]) -> None:
    # When
    run = deploy(EcsService=fails("AwsError"))
    # Then
    added = {name: {frozenset(p) - frozenset(IDENTITY) for p in asked} for name, asked in run.asked.items()}
    assert all({k: p[k] for k in IDENTITY} == IDENTITY for asked in run.asked.values() for p in asked)
    assert added["EcsService"] == added["Rollback"] == {frozenset()}
    assert added["DeploymentStatus"] == {frozenset({"become"}), frozenset({"become", "error"})}
    assert added["Notification"] == {frozenset({"outcome"})}


def test_waits_until_the_service_is_ready(deploy: Callable[..., Run]) -> None:
    # Given a service that needs three looks
    waiting = {"ready": False, "reason": "no g5.xlarge capacity"}
    # When
    run = deploy(ServiceStatus=in_turn(waiting, waiting, {"ready": True, "reason": ""}))
    # Then
    assert (run.status, len(run.asked["ServiceStatus"]), run.waited) == ("SUCCEEDED", 3, 45)


def test_a_service_that_never_becomes_ready_fails_with_its_last_reason(deploy: Callable[..., Run]) -> None:
    # When
    run = deploy(bound=10, ServiceStatus=lambda payload: {"ready": False, "reason": "no g5.xlarge capacity"})
    # Then
    assert (run.status, run.error) == ("FAILED", "ServiceNotStable")
    assert "no g5.xlarge capacity" in run.cause
    assert (len(run.asked["ServiceStatus"]), run.waited) == (10, 150)
    assert (statuses(run), mails(run)) == (["DEPLOYING", "ROLLING_BACK", "FAILED"], ["FAILED"])
    assert "no g5.xlarge capacity" in run.asked["DeploymentStatus"][-1]["error"]["Cause"]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        *((step, "AwsError") for step in STEPS),
        ("ServiceStatus", "ServiceNotStable"),
        ("EcsService", "KeyError"),
    ],
)
def test_a_step_that_fails_is_rolled_back_and_the_execution_fails(
    deploy: Callable[..., Run], step: str, error: str
) -> None:
    # When
    run = deploy(**{step: fails(error, "the reason")})
    # Then
    assert (run.status, run.error) == ("FAILED", error)
    assert "the reason" in run.cause
    assert (len(run.asked[step]), len(run.asked["Rollback"])) == (1, 1)
    assert (statuses(run), mails(run)) == (["DEPLOYING", "ROLLING_BACK", "FAILED"], ["FAILED"])


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        ("Retryable", 7),
        ("RecentlyDeleted", 10),
        ("Lambda.TooManyRequestsException", 7),
        ("Sandbox.Timedout", 3),
        ("AwsError", 1),
    ],
)
def test_only_what_may_pass_is_tried_again(deploy: Callable[..., Run], error: str, tries: int) -> None:
    # When the last try that it may have succeeds, or one more would be needed
    just, never = (deploy(TaskCluster=fails(error, times=times)) for times in (tries - 1, tries))
    # Then
    assert (just.status, len(just.asked["TaskCluster"])) == ("SUCCEEDED", tries)
    assert (never.status, len(never.asked["TaskCluster"])) == ("FAILED", tries)


@pytest.mark.parametrize("step", [*STEPS, "ServiceStatus", "DeploymentStatus"])
def test_a_stale_writer_ends_without_a_rollback(deploy: Callable[..., Run], step: str) -> None:
    run = deploy(**{step: fails("StaleWriter", "generation 6 owns it")})
    assert (run.status, run.error) == ("FAILED", "StaleWriter")
    assert "generation 6 owns it" in run.cause
    assert "Rollback" not in run.asked
    assert mails(run) == []


def test_work_taken_over_begins_at_the_rollback(both: Machines) -> None:
    # Given
    error = {"Error": "ExecutionTimedOut", "Cause": "its execution ran out of its time"}
    # When
    run = both.execute("deploy", INPUT | {"error": error, "recoveries": 1}, functions())
    # Then
    assert (run.status, run.error) == ("FAILED", "ExecutionTimedOut")
    assert (statuses(run), mails(run)) == (["ROLLING_BACK", "FAILED"], ["FAILED"])
    assert [payload["error"] for payload in run.asked["DeploymentStatus"]] == [error, error]
    assert set(run.asked) == {"DeploymentStatus", "Rollback", "Notification"}


def test_rollback_goes_on_until_nothing_is_left(deploy: Callable[..., Run]) -> None:
    run = deploy(EcsService=fails("AwsError"), Rollback=in_turn(BUSY, STUCK, BUSY, EMPTY))
    assert (len(run.asked["Rollback"]), statuses(run)[-1]) == (4, "FAILED")


@pytest.mark.parametrize(("answer", "passes"), [(BUSY, 9), (STUCK, 6)])
def test_rollback_gives_up_in_the_end(
    deploy: Callable[..., Run], answer: dict[str, Any], passes: int
) -> None:
    run = deploy(bound=9, EcsService=fails("AwsError"), Rollback=lambda payload: answer)
    assert (run.status, run.error, len(run.asked["Rollback"])) == ("FAILED", "AwsError", passes)
    assert (statuses(run)[-1], mails(run)) == ("ROLLBACK_FAILED", ["ROLLBACK_FAILED"])


def test_a_rollback_pass_that_breaks_off_is_followed_by_another(deploy: Callable[..., Run]) -> None:
    def once(payload: dict[str, Any], calls: list[int] = []) -> Any:  # noqa: B006 - counts this test's calls
        calls.append(1)
        if len(calls) == 1:
            raise Failure("Denied", "not yet")
        return EMPTY

    run = deploy(EcsService=fails("AwsError"), Rollback=once)
    assert (run.error, len(run.asked["Rollback"]), statuses(run)[-1]) == ("AwsError", 2, "FAILED")


def test_a_rollback_that_only_breaks_is_bounded(deploy: Callable[..., Run]) -> None:
    run = deploy(bound=9, EcsService=fails("AwsError"), Rollback=fails("KeyError"))
    assert (run.status, run.error, statuses(run)[-1]) == ("FAILED", "AwsError", "ROLLBACK_FAILED")


@pytest.mark.parametrize("status", ["ROLLING_BACK", "FAILED"])
def test_a_status_that_cannot_be_written_stops_no_rollback(deploy: Callable[..., Run], status: str) -> None:
    run = deploy(EcsService=fails("AwsError"), DeploymentStatus=refuses(status))
    assert (run.status, run.error, len(run.asked["Rollback"])) == ("FAILED", "AwsError", 1)
    assert mails(run) == ["FAILED"]


@pytest.mark.parametrize("status", ["DEPLOYING", "READY"])
def test_a_deployment_that_cannot_be_recorded_is_rolled_back(deploy: Callable[..., Run], status: str) -> None:
    run = deploy(DeploymentStatus=refuses(status))
    assert (run.status, run.error, len(run.asked["Rollback"])) == ("FAILED", "Denied", 1)


@pytest.mark.parametrize("error", ["AwsError", "StaleWriter", "Lambda.ServiceException"])
def test_a_mail_that_fails_changes_no_outcome(
    deploy: Callable[..., Run], delete: Callable[..., Run], error: str
) -> None:
    assert deploy(Notification=fails(error)).status == "SUCCEEDED"
    failed = deploy(EcsService=fails("Denied"), Notification=fails(error))
    assert (failed.status, failed.error) == ("FAILED", "Denied")
    assert delete(Notification=fails(error)).status == "SUCCEEDED"


def test_deletion_goes_on_until_nothing_is_left(delete: Callable[..., Run]) -> None:
    run = delete(Deletion=in_turn(BUSY, BUSY, EMPTY))
    assert (run.status, len(run.asked["Deletion"])) == ("SUCCEEDED", 3)
    assert (statuses(run), mails(run)) == (["DELETED"], ["DELETED"])


@pytest.mark.parametrize(
    ("answer", "passes", "left"), [(BUSY, 9, "its tasks"), (STUCK, 6, "listener: Denied")]
)
def test_a_deletion_that_leaves_something_says_what(
    delete: Callable[..., Run], answer: dict[str, Any], passes: int, left: str
) -> None:
    run = delete(bound=9, Deletion=lambda payload: answer)
    assert (run.status, run.error, len(run.asked["Deletion"])) == ("FAILED", "TeardownIncomplete", passes)
    assert left in run.cause
    assert (statuses(run), mails(run)) == (["DELETE_INCOMPLETE"], ["DELETE_INCOMPLETE"])
    assert left in run.asked["DeploymentStatus"][0]["reason"]


@pytest.mark.parametrize("function", ["Deletion", "DeploymentStatus"])
def test_a_newer_generation_takes_a_deletion_over(delete: Callable[..., Run], function: str) -> None:
    run = delete(**{function: fails("StaleWriter", "generation 6 owns it")})
    assert (run.status, run.error, mails(run)) == ("FAILED", "StaleWriter", [])


def test_a_deletion_that_cannot_be_recorded_fails(delete: Callable[..., Run]) -> None:
    run = delete(DeploymentStatus=refuses("DELETED"))
    assert (run.status, run.error, mails(run)) == ("FAILED", "Denied", [])
