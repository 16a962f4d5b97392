"""The scheduled check of the whole environment: it reports, and never removes anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shoal import table
from shoal.contracts.leftover import total
from shoal.contracts.report import Finding, Report
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import drift, ledger, orphans, store
from shoal.deployments.model import Deployment
from shoal.deployments.orphans import Ledger
from shoal.errors import NotFound, ShoalError
from shoal.settings import settings
from shoal.telemetry import logger

STUCK = timedelta(hours=3)
"""A state machine ends after two hours, and ``recovery`` follows within minutes."""

_STANDS = frozenset({DeploymentStatus.READY, DeploymentStatus.STOPPED})
"""In these the account must be as the ledger says."""

_KEY = {"pk": "DOCTOR", "sk": "REPORT"}
_MOST = 300
"""Findings that are kept, the dearest first: an item of DynamoDB holds 400 KB."""


def last_report() -> Report:
    """The newest report.

    Raises:
        NotFound: no check has run yet.
    """
    item = table.read(_KEY)
    if item is None:
        raise NotFound("no check has run yet: POST /doctor runs one now")
    return Report.model_validate_json(item["report"])


def check() -> Report:
    """Look at everything, keep the report and answer it."""
    environment = settings().shoal_environment
    seen = orphans.look(environment)  # before the ledgers: what is made meanwhile is in them
    ledgers = [Ledger(one, ledger.entries(one.name)) for one in store.every_deployment()]
    findings = [*orphans.find(environment, seen, ledgers), *_of_ledgers(ledgers, seen.blind)]
    report = _report(findings, len(ledgers), seen.blind)
    table.write({"Put": {"Item": _KEY | {"report": report.model_dump_json()}}})
    logger().info("checked", findings=len(report.findings), blind=report.blind)
    return report


def _of_ledgers(ledgers: list[Ledger], blind: list[str]) -> list[Finding]:
    findings: list[Finding] = []
    for one in ledgers:
        findings += _left(one.deployment) + _stuck(one.deployment)
        if one.deployment.status not in _STANDS:
            continue
        try:
            findings += _drift(one)
        except ShoalError as error:
            blind.append(f"{one.deployment.name}: {type(error).__name__}: {error.detail}")
    return findings


def _drift(one: Ledger) -> list[Finding]:
    """None where it was changed while we looked."""
    found = drift.find(one.deployment, one.entries)
    if found and store.get(one.deployment.name).generation != one.deployment.generation:
        return []
    return found


def _left(deployment: Deployment) -> list[Finding]:
    if not deployment.status.is_finished():
        return []
    return [
        Finding(problem="left", deployment=deployment.name, **one.model_dump())
        for one in deployment.leftovers
    ]


def _stuck(deployment: Deployment) -> list[Finding]:
    since = datetime.fromisoformat(deployment.updated_at)
    if deployment.status.is_finished() or datetime.now(UTC) - since < STUCK:
        return []
    reason = f"it is {deployment.status} since {deployment.updated_at}, longer than any execution may run"
    advice = f"look at its execution in Step Functions, then shoal delete {deployment.name}"
    return [
        Finding(
            problem="stuck",
            kind="deployment",
            name=deployment.name,
            deployment=deployment.name,
            reason=reason,
            advice=advice,
        )
    ]


def _report(findings: list[Finding], deployments: int, blind: list[str]) -> Report:
    time, known = table.now(), _known()
    dated = [one.model_copy(update={"since": known.get(_identity(one), time)}) for one in findings]
    dated.sort(key=lambda one: (-(one.usd_per_hour or 0), one.problem, one.kind, one.name))
    return Report(
        time=time,
        deployments=deployments,
        findings=dated[:_MOST],
        usd_per_hour=total([one.usd_per_hour for one in findings]),
        blind=blind,
    )


def _known() -> dict[tuple[str, ...], str]:
    """Since when each finding of the last report is known."""
    item = table.read(_KEY)
    found = Report.model_validate_json(item["report"]).findings if item else []
    return {_identity(one): one.since for one in found}


def _identity(finding: Finding) -> tuple[str, ...]:
    return finding.problem, finding.kind, finding.name, finding.arn, finding.deployment
