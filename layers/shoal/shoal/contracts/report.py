"""What the doctor found: resources that no ledger owns, and ledgers that the account does not bear out."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Problem = Literal["orphan", "missing", "differs", "left", "stuck"]
"""No ledger owns it; a ledger says it exists and it does not; it is not as it was made; a teardown could not
remove it; nothing works on a deployment that is not finished.
"""


class Finding(BaseModel):
    """One thing to look at. ``since`` is the first report that showed it, without a gap since (ISO 8601).

    ``usd_per_hour`` is what it costs at most (on demand); None where the price is not known.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    problem: Problem
    kind: str
    name: str
    arn: str = ""
    deployment: str = ""
    reason: str
    usd_per_hour: float | None = 0.0
    advice: str
    since: str = ""


class Report(BaseModel):
    """``blind`` says what could not be looked at, and why: no finding there is no proof of anything."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    time: str
    deployments: int
    findings: list[Finding]
    usd_per_hour: float
    blind: list[str] = []
