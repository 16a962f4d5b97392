"""What the marks see of the account is the whole account, though most of it is not looked at again."""

from __future__ import annotations

import pytest
from faults import scenarios, snapshot
from faults.cases import Stage
from faults.forks import forked
from faults.world import World


@pytest.mark.parametrize("name", ["deploy", "update", "rollback", "delete"])
def test_a_watched_account_is_the_account(warm: World, name: str) -> None:
    def compared() -> list[bool]:
        stage = Stage(warm, scenarios.SCENARIOS[name])
        stage.prepare()
        found: list[bool] = []

        def entered(*_: object) -> None:
            lines = snapshot.lines(snapshot.take(), warm.watch.without)
            found.append(warm.watch.text() == snapshot.numbered(lines))

        warm.machines.entered = entered
        stage.act()
        return found

    # When every function of the scenario is entered
    found = forked(compared)
    # Then
    assert len(found) > 5
    assert all(found)
