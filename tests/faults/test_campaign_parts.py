"""What the campaign counts, draws and prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from campaign.bugs import BUGS, Bug
from campaign.sampling import lot, one_of, single, some
from campaign.table import BEGIN, END, Table, write
from faults.cases import Verdict
from faults.plans import parse


def lines(*verdicts: Verdict) -> str:
    table = Table()
    table.add("single faults, deploy", verdicts)
    return "\n".join(table.lines())


@pytest.mark.parametrize(
    ("wrong", "counts"),
    [
        ((), "1 | 0 | 0 | 0"),
        (("leaked: sqs/queues/x",), "1 | 1 | 0 | 0"),
        (("changed name: a -> b: logs/groups/x",), "1 | 0 | 1 | 0"),
        (("lost: elbv2/listeners/x",), "1 | 0 | 1 | 0"),
        (("false READY: more: []",), "1 | 0 | 0 | 1"),
    ],
)
def test_a_verdict_is_counted_where_it_belongs(wrong: tuple[str, ...], counts: str) -> None:
    told = " ".join(lines(Verdict("deploy:ecs.CreateCluster#1:lost*", "READY", wrong)).split())
    assert f"| single faults, deploy | {counts} |" in told
    assert f"| answer lost after success, all retries | {counts} |" in told


def test_a_fault_that_met_no_call_is_not_counted() -> None:
    assert "deploy" not in lines(Verdict("deploy:ecs.CreateCluster#9:lost*", "READY", (), hit=False))


def test_a_lot_is_the_same_again_and_as_large_as_asked() -> None:
    drawn = [lot(f"call {number}") for number in range(2000)]
    assert drawn == [lot(f"call {number}") for number in range(2000)]
    assert 0.2 < sum(one < 0.25 for one in drawn) / 2000 < 0.3


def test_a_call_meets_every_kind_and_a_read_is_also_behind() -> None:
    assert {"stale", "slow", "lost*", "denied**"} <= set(single("ecs.DescribeClusters", 1, ()))
    assert not {"stale", "slow"} & set(single("ecs.CreateCluster", 1, ()))
    assert "denied**" not in single("ecs.CreateCluster", 2, ())
    assert one_of(("denied",), 1.0)("lambda.rollback", 1, ()) == []
    assert some(single, 0.0)("ecs.CreateCluster", 1, ()) == []


def test_the_table_is_put_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(page, ["new"])
    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_every_planted_bug_has_a_name_and_plans_that_can_be_read() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
    for plan in (plan for bug in BUGS for plan in bug.plans if not plan.startswith("race:")):
        assert str(parse(plan)) == plan


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_can_still_be_planted(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patch of a name that is gone would plant nothing."""
    bug.plant(monkeypatch)
