"""Something that a teardown could not remove yet, as the API, the mail and the command line show it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Leftover(BaseModel):
    """``usd_per_hour`` is what it costs at most while it is left (on demand); None: not in our table."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: str
    name: str
    arn: str = ""
    reason: str
    usd_per_hour: float | None = 0.0
    advice: str

    def in_words(self) -> str:
        """One line: ``auto_scaling_group shoal-prod-reef (1.006 USD an hour): Denied: ...``."""
        return f"{self.kind} {self.name} ({cost_in_words(self.usd_per_hour)}): {self.reason}"


def cost_in_words(usd_per_hour: float | None) -> str:
    """``1.006 USD an hour``, ``no cost``, or that it is not known."""
    if usd_per_hour is None:
        return "unknown cost"
    return f"{usd_per_hour:.4g} USD an hour" if usd_per_hour else "no cost"


def total(costs: list[float | None]) -> float:
    """The known costs together, USD an hour."""
    return round(sum(cost for cost in costs if cost is not None), 4)
