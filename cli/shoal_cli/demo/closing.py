"""The end of the demo: the proof that nothing is left, and where to look."""

from __future__ import annotations

import json

from shoal_cli.console import console
from shoal_cli.demo import path
from shoal_cli.demo.stage import Stage
from shoal_cli.errors import CliError


class ResourcesLeft(CliError):
    """The deletion said DELETED, and the account disagrees."""

    exit_code = 8


def prove_empty(stage: Stage) -> None:
    """Compare the account with itself before the deployment, below the API.

    Raises:
        ResourcesLeft: naming each.
    """
    found = path.executions(stage.connection)
    (stage.output / "state-machine.txt").write_text(path.as_text(found))
    for name, status, steps in found:
        console.print(f"{name} {status}: {path.in_short(steps)}")
    before = {tuple(entry) for entry in stage.before}
    left = [entry for entry in stage.inventory() if tuple(entry) not in before]
    (stage.output / "left.json").write_text(json.dumps(left, indent=2) + "\n")
    if left:
        raise ResourcesLeft(f"{len(left)} resources left", "\n".join(" ".join(entry) for entry in left))


def print_summary(stage: Stage, seconds: float) -> None:
    """What was done and where to look; the last line is the one that counts."""
    frames = sum(int(job["frames"]) for job in stage.jobs)
    tracks = sum(int(job["tracks"]) for job in stage.jobs)
    rows = {
        "archives": ", ".join(str(archive) for archive in stage.archives),
        "annotated video": str(stage.output / "annotated"),
        "trajectories": str(stage.output / "trajectories"),
        "e-mails": str(stage.output / "email"),
        "state machines": str(stage.output / "state-machine.txt"),
        "what was created": str(stage.output / "stacks"),
    }
    console.print(f"\n{len(stage.jobs)} videos, {frames} frames, {tracks} tracks, {seconds:.0f} s in all")
    for name, where in rows.items():
        console.print(f"  {name:<17} {where}", soft_wrap=True)
    console.print("0 resources left")
