"""What each request is answered in each state: the table of docs/deployments.md, cell by cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from rest_world import ROOT, Reply, World, move
from shoal import deployments
from shoal.contracts.deployment import DeploymentSpec
from shoal.contracts.status import DeploymentStatus as S
from shoal.deployments import Deployment, store

pytestmark = pytest.mark.long

MODEL = "s3://shoal-data/models/reef.onnx"
ADVICE = ("start it first", "roll it back first", "delete it first", "deploy it again")
Request = Callable[[World, Deployment], Reply]


def page() -> dict[S, dict[str, str]]:
    """The table: for each status the cell of each column."""
    text = (ROOT / "docs" / "deployments.md").read_text(encoding="utf-8").split("## What happens when two")[1]
    head, _, *rows = re.findall(r"^\|.*\|$", text.split("\n## ")[0], re.MULTILINE)
    columns = _cells(head)[1:]
    return {
        S(status): dict(zip(columns, _cells(row)[1:], strict=True))
        for row in rows
        for status in _cells(row)[0].split(", ")
    }


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def spec(name: str, args: str = "") -> DeploymentSpec:
    return DeploymentSpec.model_validate({"name": name, "model_location": MODEL, "args": args})


def _step(name: str, *statuses: S) -> None:
    move(name, deployments.get(name).generation, *statuses)


def _deploying(name: str) -> None:
    deployments.claim(spec(name), "tests")
    _step(name, S.DEPLOYING)


def _ready(name: str) -> None:
    """With a good revision before the wanted one."""
    _deploying(name)
    _step(name, S.READY)
    deployments.claim(spec(name, "--conf-thres=0.2"), "tests")
    _step(name, S.READY)


def _updating(name: str) -> None:
    _ready(name)
    deployments.claim(spec(name, "--conf-thres=0.3"), "tests")


def _stopping(name: str) -> None:
    _ready(name)
    deployments.stop(name, "tests")


def _starting(name: str) -> None:
    _stopping(name)
    _step(name, S.STOPPED)
    deployments.start(name, "tests")


def _deleting(name: str) -> None:
    _ready(name)
    deployments.begin_deletion(name, "tests")


STATES: dict[S, tuple[Callable[[str], Any], tuple[S, ...]]] = {
    S.ACCEPTED: (lambda name: deployments.claim(spec(name), "tests"), ()),
    S.DEPLOYING: (_deploying, ()),
    S.READY: (_ready, ()),
    S.UPDATING: (_updating, ()),
    S.UPDATE_ROLLING_BACK: (_updating, (S.UPDATE_ROLLING_BACK,)),
    S.UPDATE_ROLLBACK_FAILED: (_updating, (S.UPDATE_ROLLING_BACK, S.UPDATE_ROLLBACK_FAILED)),
    S.STOPPING: (_stopping, ()),
    S.STOPPED: (_stopping, (S.STOPPED,)),
    S.STARTING: (_starting, ()),
    S.ROLLING_BACK: (_deploying, (S.ROLLING_BACK,)),
    S.FAILED: (_deploying, (S.ROLLING_BACK, S.FAILED)),
    S.ROLLBACK_FAILED: (_deploying, (S.ROLLING_BACK, S.ROLLBACK_FAILED)),
    S.DELETING: (_deleting, ()),
    S.DELETED: (_deleting, (S.DELETED,)),
    S.DELETE_INCOMPLETE: (_deleting, (S.DELETE_INCOMPLETE,)),
}


def _same(world: World, found: Deployment) -> Reply:
    return world.call("POST", "/deploy", found.spec.model_dump(mode="json"))


def _another(world: World, found: Deployment) -> Reply:
    return world.call("POST", "/deploy", found.spec.model_dump(mode="json") | {"args": "--conf-thres=0.9"})


def _put(world: World, found: Deployment) -> Reply:
    return world.call("PUT", f"/deploy/{found.name}", found.spec.model_dump(mode="json"))


def _put_another(world: World, found: Deployment) -> Reply:
    body = found.spec.model_dump(mode="json") | {"args": "--conf-thres=0.9"}
    return world.call("PUT", f"/deploy/{found.name}", body)


def _asked(action: str) -> Request:
    return lambda world, found: world.call("POST", f"/deploy/{found.name}/{action}")


REQUESTS: dict[str, tuple[Request, ...]] = {
    "the same specification": (_same, _put),
    "another one": (_another, _put_another),
    "`rollback`": (_asked("rollback"),),
    "`stop`": (_asked("stop"),),
    "`start`": (_asked("start"),),
    "`delete`": (lambda world, found: world.call("DELETE", f"/deploy/{found.name}"),),
}


def told(reply: Reply, before: Deployment, after: Deployment) -> str:
    """What a request did, in the words of the page."""
    if reply.status >= 400:
        advice = [f": {one}" for one in ADVICE if one in reply.body["detail"]]
        later = ", later" if "Retry-After" in reply.headers else ""
        return f"{reply.status}{later}{''.join(advice)}"
    if after.revision > before.revision:
        return f"{reply.status}, {'an update' if after.status is S.UPDATING else 'a new revision'}"
    if after.generation == before.generation:
        return f"{reply.status}, nothing new"
    return f"{reply.status}, takes over" if not before.status.is_finished() else str(reply.status)


def test_the_page_knows_every_status_once() -> None:
    assert sorted(page()) == sorted(S)
    assert [sorted(row) for row in page().values()] == [sorted(REQUESTS)] * len(S)


@pytest.mark.parametrize("status", S)
def test_every_request_has_one_outcome_in_every_state(world: World, status: S) -> None:
    # Given a deployment of its own for each request
    world.put("shoal-data", "models/reef.onnx")
    make, further = STATES[status]
    found: dict[str, list[str]] = {}
    for number, (column, requests) in enumerate(REQUESTS.items()):
        for way, request in enumerate(requests):
            name = f"reef-{number}-{way}"
            make(name)
            _step(name, *further)
            before = store.get(name)
            assert before.status is status
            # When
            reply = request(world, before)
            found.setdefault(column, []).append(told(reply, before, store.get(name)))
    # Then: PUT answers as POST does, but for what is not there
    expected = {column: [cell] * len(REQUESTS[column]) for column, cell in page()[status].items()}
    if status is S.DELETED:
        expected["the same specification"][1] = expected["another one"][1] = "404"
    assert found == expected


def test_a_stop_is_not_undone_by_the_same_specification_where_the_start_never_began(world: World) -> None:
    """The start was written and its request died; the stop after it has no execution, and needs none."""
    # Given
    world.put("shoal-data", "models/reef.onnx")
    _starting("reef")
    deployments.stop("reef", "tests")
    assert store.get("reef").execution_arn is None
    # When
    reply = world.call("POST", "/deploy", spec("reef").model_dump(mode="json") | {"args": "--conf-thres=0.2"})
    # Then
    assert (reply.status, world.executions("deploy")) == (202, [])
