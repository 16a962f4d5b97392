"""What the campaign counts, draws and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from campaign import parts
from campaign.bugs import BUGS, Bug
from campaign.kept import BEGIN, END, here, keep
from campaign.sampling import lot, one_of, single, some
from campaign.table import Bugs, Origin, Table
from faults.cases import Verdict
from faults.plans import parse


def lines(*verdicts: Verdict) -> str:
    table = Table()
    table.add("single faults, deploy", verdicts)
    return "\n".join(table.lines())


@pytest.mark.parametrize(
    ("wrong", "counts"),
    [
        ((), "1 | 0 | 0 | 0 | 0"),
        (("leaked: sqs/queues/x",), "1 | 1 | 0 | 0 | 0"),
        (("changed name: a -> b: logs/groups/x",), "1 | 0 | 1 | 0 | 0"),
        (("lost: elbv2/listeners/x",), "1 | 0 | 1 | 0 | 0"),
        (("false READY: more: []",), "1 | 0 | 0 | 1 | 0"),
        (("stuck in DEPLOYING",), "1 | 0 | 0 | 0 | 1"),
    ],
)
def test_a_verdict_is_counted_where_it_belongs(wrong: tuple[str, ...], counts: str) -> None:
    told = " ".join(lines(Verdict("deploy:ecs.CreateCluster#1:lost*", "READY", wrong)).split())
    assert f"| single faults, deploy | {counts} |" in told
    assert f"| answer lost after success, all retries | {counts} |" in told


def test_a_fault_that_met_no_call_is_not_counted() -> None:
    told = lines(Verdict("deploy:ecs.CreateCluster#9:lost*", "READY", (), hit=False))
    assert "| single faults, deploy | 0 | 0 | 0 | 0 | 0 |" in told
    assert "answer lost" not in told


def test_a_lot_is_the_same_again_and_as_large_as_asked() -> None:
    drawn = [lot(f"call {number}") for number in range(2000)]
    assert drawn == [lot(f"call {number}") for number in range(2000)]
    assert 0.2 < sum(one < 0.25 for one in drawn) / 2000 < 0.3


def test_a_call_meets_every_kind_and_a_read_is_also_behind() -> None:
    assert {"stale", "slow", "lost*", "denied**"} <= set(single("ecs.DescribeClusters", 1, ()))
    assert not {"stale", "slow"} & set(single("ecs.CreateCluster", 1, ()))
    assert {"5xx-after**", "crash-after"} <= set(single("ecs.CreateCluster", 1, ()))
    assert not {"5xx-after", "5xx-after*", "crash-after**"} & set(single("ecs.DescribeClusters", 1, ()))
    assert "denied**" not in single("ecs.CreateCluster", 2, ())
    assert one_of(("denied",), 1.0)("lambda.rollback", 1, ()) == []
    assert some(single, 0.0)("ecs.CreateCluster", 1, ()) == []


@pytest.mark.parametrize(
    ("broken", "shown"),
    [
        ("deploy:sqs.CreateQueue#1:lost+sqs.DeleteQueue#1:denied", "deploy:sqs.DeleteQueue#1:denied"),
        ("race:two-rollbacks@25.0,46.0", "race:two-rollbacks@46.0"),
        ("race:two-rollbacks@25.0,47.0", "race:two-rollbacks@25.0,47.0"),
    ],
)
def test_the_shortest_plan_that_still_breaks_the_promise_is_told(
    monkeypatch: pytest.MonkeyPatch, broken: str, shown: str
) -> None:
    bad = {"deploy:sqs.DeleteQueue#1:denied", "race:two-rollbacks@46.0"}
    told: Any = lambda _, plan: Verdict(plan, "FAILED", ("leaked: x",) if plan in bad else ())  # noqa: E731
    monkeypatch.setattr(parts, "replay", told)
    found = parts.shortest(cast(Any, None), Verdict(broken, "FAILED", ("leaked: x",)))
    assert found == f"make campaign PLAN='{shown}'"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    made = tmp_path / "page.md"
    for one in (made, made.with_name("readme.md")):
        one.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    return made


TITLES = ("single faults, deploy", "fifty at once")


def run_and_keep(page: Path, title: str, seed: str, *verdicts: Verdict, bugs: Bugs | None = None) -> str:
    table = Table(bugs=bugs)
    if title:
        table.add(title, verdicts, Origin(seed=seed, day="2026-11-26", version=f"c{seed}", seconds=7))
    keep(table, TITLES, page, page.with_suffix(".json"), page.with_name("readme.md"))
    return page.read_text()


def test_the_tables_are_put_between_their_markers(page: Path) -> None:
    first = run_and_keep(page, "fifty at once", "1", Verdict("crowd:1", "DELETED"))
    assert first.startswith(f"before\n{BEGIN}\n| part |")
    assert first.endswith(f"{END}\nafter\n")
    assert "old" not in first
    assert run_and_keep(page, "fifty at once", "1", Verdict("crowd:1", "DELETED")) == first


def test_parts_that_were_run_apart_stand_together_and_the_last_run_counts(page: Path) -> None:
    lost, denied = "deploy:ecs.CreateCluster#1:lost*", "deploy:ecs.CreateCluster#1:denied"
    run_and_keep(page, "fifty at once", "1", Verdict("crowd:1", "DELETED"))
    run_and_keep(page, "", "", bugs=Bugs(origin=Origin(seed="9"), plans={"no fence": "deploy", "blind": ""}))
    run_and_keep(page, "single faults, deploy", "2", Verdict(lost, "READY", ("leaked: x",)))
    last = run_and_keep(page, "single faults, deploy", "3", Verdict(denied, "FAILED"), Verdict(lost, "READY"))
    for line in (
        "| single faults, deploy | 2 | 0 | 0 | 0 | 0 | 3 | 2026-11-26 | c3 | 7 |",
        "| fifty at once | 1 | 0 | 0 | 0 | 0 | 1 | 2026-11-26 | c1 | 7 |",
        "| **all** | 3 | 0 | 0 | 0 | 0 |  |  |  | 14 |",
        "| denied | 1 | 0 | 0 | 0 | 0 |",
        "Where they ended before any second attempt: 1 FAILED, 1 READY, 1 DELETED.",
        "Planted bugs: 1 of 2 caught (seed 9, , , 0 s).",
        "| no fence | `deploy` |",
        "| blind | NOT CAUGHT |",
    ):
        assert line in last.splitlines()
    assert last.index("single faults, deploy") < last.index("fifty at once")


def test_the_readme_counts_a_kind_however_long_it_lasts(page: Path) -> None:
    once, always = "deploy:ecs.CreateCluster#1:lost", "deploy:ecs.CreateCluster#1:lost**"
    double = f"{once}+ecs.DeleteCluster#1:denied"
    verdicts = (Verdict(once, "READY"), Verdict(always, "READY", ("leaked: x",)), Verdict(double, "FAILED"))
    run_and_keep(page, "single faults, deploy", "1", *verdicts)
    readme = page.with_name("readme.md").read_text().splitlines()
    assert readme[:2] == ["before", BEGIN]
    assert readme[4:8] == [
        "| answer lost after success | 3 | 1 | 0 | 0 | 0 |",
        "| denied | 1 | 0 | 0 | 0 | 0 |",
        "| **all cases** | 3 | 1 | 0 | 0 | 0 |",
        END,
    ]


def test_a_part_that_is_no_more_is_forgotten(page: Path) -> None:
    assert "single faults, gone" not in run_and_keep(
        page, "single faults, gone", "1", Verdict("gone", "READY")
    )


def test_figures_name_the_commit_they_were_counted_at() -> None:
    origin = here().after(6.6)
    assert (origin.seconds, len(origin.day)) == (7, 10)
    assert origin.version


def test_every_planted_bug_has_a_name_and_plans_that_can_be_read() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
    for plan in (plan for bug in BUGS for plan in bug.plans if not plan.startswith("race:")):
        assert str(parse(plan)) == plan


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_can_still_be_planted(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patch of a name that is gone would plant nothing."""
    bug.plant(monkeypatch)
