"""Over a whole test run: no role was denied a call, and every grant was used, and necessary, in some cloud.

A grant is necessary where a call was allowed by it alone: without it that call is denied, and the run fails.

``python tests/grants_used.py FOLDER`` reads the reports that the end-to-end tests left there.
"""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from permissions_page import unexplained

FOLDER = "SHOAL_IAM_REPORTS"
OURS = "shoal-"
"""Roles of the stack; a fleet test in the same process makes one of its own."""
_KINDS = ("unused", "spare")
Report = Mapping[str, Mapping[str, Any]]


def keep(report: Report) -> None:
    """Leave one cloud's report for the end of the run, where a run is asked to."""
    if os.environ.get(FOLDER):
        folder = Path(os.environ[FOLDER])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{uuid.uuid4()}.json").write_text(json.dumps(report, default=str))


def merged(reports: Iterable[Report]) -> dict[str, dict[str, Any]]:
    """One report: denied is what any cloud denied; unused what none used, spare what none depended on."""
    whole: dict[str, dict[str, Any]] = {}
    for report in reports:
        for role, entry in report.items():
            if not role.startswith(OURS):
                continue
            found = {kind: [_grant(grant) for grant in entry[kind]] for kind in _KINDS}
            seen = whole.setdefault(_plain(role), {"denied": [], **found})
            seen["denied"] += entry["denied"]
            for kind in _KINDS:
                seen[kind] = [grant for grant in seen[kind] if grant in found[kind]]
    return whole


def _grant(grant: Mapping[str, str]) -> dict[str, str]:
    return {key: _plain(value) for key, value in grant.items()}


def _plain(name: str) -> str:
    """Without the tail that CloudFormation invents for each stack's role or bucket."""
    return re.sub(r"-(?:[0-9A-Z]{12}|[0-9a-z]{12})(?=$|/)", "", name)


def main(folder: Path) -> int:
    reports = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    whole = merged(reports)
    denied = [f"{role} was denied {one}" for role, entry in whole.items() for one in entry["denied"]]
    unused = [f"nothing used {grant}" for grant in unexplained(whole)]
    spare = [f"no call needs {grant}" for grant in unexplained(whole, "spare")]
    for line in denied + unused + spare:
        print(line)
    counts = f"{len(denied)} calls denied, {len(unused)} grants unused, {len(spare)} could go unnoticed"
    print(f"{len(reports)} clouds, {len(whole)} roles: {counts}")
    return 1 if denied or unused or spare or not reports else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
