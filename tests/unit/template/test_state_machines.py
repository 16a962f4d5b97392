"""The state machines as text and as graphs: nothing unhandled, nothing unbounded, nothing unreachable."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from state_machines import FUNCTION, ROOT, State, machine, reachable, source, substituted, successors

NAMES = ("deploy", "delete")
LAMBDA_TIMEOUT_SECONDS = 60
LAMBDA_ERRORS = {
    "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
}  # fmt: skip
LOOPS = {
    "deploy": {"Wait": 100, "Wait before Next Pass": 90},
    "delete": {"Wait before Next Pass": 180},
}
ENDS = {
    "deploy": {"Ready": "Succeed", "Failed": "Fail", "Superseded": "Fail"},
    "delete": {
        "Deleted": "Succeed",
        "Delete Incomplete": "Fail",
        "Record Not Written": "Fail",
        "Superseded": "Fail",
    },
}
ASL_VALIDATOR = ROOT / "node_modules" / ".bin" / "asl-validator"


def states(name: str) -> dict[str, State]:
    found: dict[str, State] = machine(name)["States"]
    return found


def of_type(name: str, kind: str) -> list[tuple[str, State]]:
    return [(title, state) for title, state in states(name).items() if state["Type"] == kind]


TASKS = [(name, title) for name in NAMES for title, _ in of_type(name, "Task")]


@pytest.mark.parametrize("name", NAMES)
def test_every_target_exists_and_every_state_is_reached(name: str) -> None:
    graph = states(name)
    assert {target for state in graph.values() for target in successors(state)} - set(graph) == set()
    assert reachable(graph, machine(name)["StartAt"]) == set(graph)


@pytest.mark.parametrize("name", NAMES)
def test_every_choice_has_a_default(name: str) -> None:
    choices = of_type(name, "Choice")
    assert choices
    assert [title for title, state in choices if "Default" not in state] == []


@pytest.mark.parametrize(("name", "title"), TASKS)
def test_every_task_has_a_limit_retries_and_a_catch(name: str, title: str) -> None:
    # Given
    state = states(name)[title]
    retried = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
    # Then
    assert state["TimeoutSeconds"] > LAMBDA_TIMEOUT_SECONDS
    assert LAMBDA_ERRORS | {"Retryable"} <= retried
    assert "States.ALL" not in retried
    backing_off = [retrier for retrier in state["Retry"] if retrier["ErrorEquals"] != ["RecentlyDeleted"]]
    assert {(r["BackoffRate"], r["MaxDelaySeconds"], r["JitterStrategy"]) for r in backing_off} == {
        (2.0, 60, "FULL")
    }
    assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    assert all(catcher["ResultPath"].startswith("$.") for catcher in state["Catch"])


def test_a_queue_name_that_sqs_still_keeps_is_waited_for() -> None:
    """SQS gives it free after 60 seconds: jitter could end the tries before."""
    retriers = states("deploy")["Task and Cluster"]["Retry"]
    (retrier,) = [one for one in retriers if "RecentlyDeleted" in one["ErrorEquals"]]
    assert "JitterStrategy" not in retrier
    assert retrier["BackoffRate"] == 1
    assert retrier["IntervalSeconds"] * retrier["MaxAttempts"] > 60


@pytest.mark.parametrize(("name", "title"), TASKS)
def test_a_stale_writer_is_never_followed_by_a_rollback(name: str, title: str) -> None:
    # Given
    catchers = states(name)[title]["Catch"]
    first = catchers[0]
    # Then: only a mail may go on after it
    if title.startswith("Notify"):
        assert len(catchers) == 1
    else:
        assert (first["ErrorEquals"], first["Next"]) == (["StaleWriter"], "Superseded")


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_replaces_the_input(name: str) -> None:
    paths = [state.get("ResultPath", "$.") for state in states(name).values()]
    assert all(path.startswith("$.") for path in paths)


@pytest.mark.parametrize("name", NAMES)
def test_every_loop_is_counted(name: str) -> None:
    """Take away what the counting choices allow: then no state can be reached twice."""
    # Given
    graph = states(name)
    bounds = {}
    for state in graph.values():
        for rule in [rule for rule in state.get("Choices", []) if "NumericLessThan" in rule]:
            # When
            loop = reachable(graph, rule["Next"]) - {"Superseded"}
            bounds |= {title: rule["NumericLessThan"] for title in loop if graph[title]["Type"] == "Wait"}
            state["Choices"] = [other for other in state["Choices"] if other is not rule]
    # Then
    assert not [title for title in graph if _comes_back(graph, title)]
    waits = {title for title, _ in of_type(name, "Wait")}
    assert {title: bounds[title] for title in waits} == LOOPS[name]


def _comes_back(graph: dict[str, State], title: str) -> bool:
    return any(title in reachable(graph, target) for target in successors(graph[title]))


@pytest.mark.parametrize("name", NAMES)
def test_the_loops_fit_into_the_machine_s_time(name: str) -> None:
    waiting = sum(rounds * states(name)[title]["Seconds"] for title, rounds in LOOPS[name].items())
    assert 2 * waiting < machine(name)["TimeoutSeconds"]


@pytest.mark.parametrize("name", NAMES)
def test_ends(name: str) -> None:
    ends = {title: state["Type"] for title, state in states(name).items() if not successors(state)}
    assert ends == ENDS[name]


def test_after_a_rollback_began_no_deployment_succeeds() -> None:
    assert "Ready" not in reachable(states("deploy"), "Record Rolling Back")
    assert "Failed" in reachable(states("deploy"), "Record Rolling Back")


def test_a_failure_is_recorded_and_mailed_before_the_end() -> None:
    before = {title for title, state in states("deploy").items() if "Failed" in successors(state)}
    assert before == {"Notify Failed", "Notify Rollback Failed"}


@pytest.mark.parametrize("name", NAMES)
def test_the_template_fills_in_every_function(name: str, source_of: dict[str, Any]) -> None:
    given = set(source_of[name]["DefinitionSubstitutions"])
    assert given == {f"{match}FunctionArn" for match in FUNCTION.findall(source(name))}


@pytest.fixture
def source_of(source: dict[str, Any]) -> dict[str, Any]:
    """The properties of both machines in the template."""
    machines = {"deploy": "DeployStateMachine", "delete": "DeleteStateMachine"}
    return {name: source["Resources"][logical]["Properties"] for name, logical in machines.items()}


@pytest.fixture(params=NAMES)
def definition(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / f"{request.param}.asl.json"
    file.write_text(substituted(request.param))
    return file


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_statelint(definition: Path) -> None:
    done = run(str(Path(sys.executable).with_name("statelint")), str(definition))
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


@pytest.mark.skipif(not ASL_VALIDATOR.exists(), reason="no asl-validator here: run `npm ci`")
def test_asl_validator(definition: Path) -> None:
    done = run(str(shutil.which("node")), str(ASL_VALIDATOR.resolve()), "--json-path", str(definition))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("linter", ["statelint", "asl-validator"])
def test_the_linters_see_a_mistake(linter: str, tmp_path: Path) -> None:
    # Given
    if linter == "asl-validator" and not ASL_VALIDATOR.exists():
        pytest.skip("no asl-validator here: run `npm ci`")
    broken = machine("delete")
    broken["States"]["Deletion"]["Next"] = "Nowhere"
    file = tmp_path / "broken.asl.json"
    file.write_text(json.dumps(broken))
    # When
    if linter == "statelint":
        done = run(str(Path(sys.executable).with_name("statelint")), str(file))
    else:
        done = run(str(shutil.which("node")), str(ASL_VALIDATOR.resolve()), "--json-path", str(file))
    # Then
    assert "Nowhere" in done.stdout + done.stderr
