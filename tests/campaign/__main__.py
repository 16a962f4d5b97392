"""``make campaign``: the faults the campaign knows, or one plan. Ends with 1 when a promise was broken."""

from __future__ import annotations

import os
import resource
import sys
import time

from campaign.kept import here, keep
from campaign.parts import (
    Part,
    crowd,
    doubles,
    doubles_in_rollback,
    hunt,
    life,
    races,
    replay,
    shortest,
    singles,
)
from campaign.sampling import FULL, SEED, WHOLE
from campaign.table import Bugs, Origin, Table
from faults.cases import Verdict
from faults.scenarios import SCENARIOS
from faults.world import World, world

BUGS_TITLE = "planted bugs"
_SHOWN = 20


def parts() -> list[Part]:
    return [
        singles("deploy"),
        singles("rollback", after="rollback", share=0.05, whole=0.25),
        singles("delete", share=0.15),
        singles("update", share=0.15),
        singles("update-rollback", after="rollback", share=0.1, whole=0.5),
        singles("revert", share=0.15),
        singles("stop", share=0.1, whole=0.25),
        singles("start", share=0.1, whole=0.25),
        singles("delete-stopped", share=0.03, whole=0.1),
        singles("deploy-host", share=0.05, whole=0.25),
        singles("delete-host", share=0.03, whole=0.1),
        doubles_in_rollback(),
        doubles("delete", 2000 if FULL else 200),
        races(),
        crowd(),
        life(),
    ]


def main(arguments: list[str]) -> int:
    if not arguments:
        rehearse()
    with world() as made:
        return _one(made, arguments[0]) if arguments else _all(made)


def rehearse() -> None:
    """In an account that is thrown away: what moto and the SDK read at a first time, no case reads again."""
    with world() as made:
        for name in ("rollback", "update-rollback", "revert", "delete"):
            scenario = SCENARIOS[name]
            scenario.given(made)
            scenario.act(made)
            made.fleet.broken = ""


def _one(made: World, text: str) -> int:
    verdict = replay(made, text)
    print(
        f"{verdict.plan}: {verdict.outcome}", *([] if verdict.hit else ["(a fault of the plan met no call)"])
    )
    for line in verdict.wrong:
        print(f"  {line}")
    return bool(verdict.wrong)


def _all(made: World) -> int:
    print(f"SEED={SEED} WHOLE={int(WHOLE)} FULL={int(FULL)}", flush=True)
    table, failed, wanted, origin = Table(), 0, os.environ.get("PART", ""), here()
    for part in parts():
        if wanted in part.title:
            started, used = time.monotonic(), _processor()
            verdicts = part.run(made)
            processor = _processor() - used
            took = f"{time.monotonic() - started:.0f} s, {processor:.0f} s of the processor"
            failed += _told(made, part, verdicts, took)
            table.add(part.title, verdicts, origin.after(processor))
    if wanted in BUGS_TITLE:
        failed += _hunted(made, table, origin)
    print("\n".join(table.lines()))
    if os.environ.get("WRITE") == "1":
        keep(table, [part.title for part in parts()])
    return bool(failed)


def _hunted(made: World, table: Table, origin: Origin) -> int:
    """Answers how many planted bugs no plan showed."""
    used = _processor()
    caught = hunt(made)
    plans = {one.bug: one.plan for one in caught}
    table.bugs = Bugs(origin=origin.after(_processor() - used), plans=plans)
    return sum(not plan for plan in plans.values())


def _processor() -> float:
    """What this process and all that it forked have used, in seconds."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum((*own[:2], *children[:2]))


def _told(made: World, part: Part, verdicts: list[Verdict], took: str) -> int:
    wrong = [verdict for verdict in verdicts if verdict.wrong]
    hits = sum(verdict.hit for verdict in verdicts)
    print(f"{part.title}: {hits} faults met, {len(wrong)} broken promises, {took}", flush=True)
    for verdict in wrong[:_SHOWN]:
        print(f"  {verdict.plan} ends {verdict.outcome}: {verdict.wrong[0][:400]}")
        print(f"    {shortest(made, verdict)}", flush=True)
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
