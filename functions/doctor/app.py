"""Looks for what no ledger owns and for what is not as a ledger says: each hour, and when it is asked."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from shoal.api import doctor as answers
from shoal.api import gate
from shoal.deployments import doctor

app = gate.resolver()
_serve = gate.serve(app)


@app.get("/doctor")
def last_report() -> Response[str]:
    return gate.respond(app, answers.last_report())


@app.post("/doctor")
def check() -> Response[str]:
    return gate.respond(app, answers.check())


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A request of the API, or the schedule: then it answers how much was found."""
    if "httpMethod" in event:
        return _serve(event, context)
    report = doctor.check()
    return {"findings": len(report.findings), "blind": len(report.blind)}
