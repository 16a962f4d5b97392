"""EventBridge rules: their targets are invoked, and ``rate(...)`` schedules fire, on the cloud's clock."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from typing import Any

from shoal_local.clock import Clock
from shoal_local.envelope import envelope
from shoal_local.iam import Iam
from shoal_local.lambda_permission import may_invoke
from shoal_local.lambda_pool import LambdaPool
from shoal_local.lambda_runtime import function_by_arn, invoke_later
from shoal_local.names import backend
from shoal_local.patches import contract

_LOG = logging.getLogger("shoal_local.events")
_SEND = contract("moto.events.models", "Rule.send_to_targets", "self original_event transform_input")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
_LOOK = 0.2
_OURS = ("lambda", "states")


def rate_seconds(expression: str) -> float | None:
    """``rate(5 minutes)`` to 300; None for cron, which does not fire here."""
    match = _RATE.fullmatch(expression or "")
    return int(match.group(1)) * _SECONDS[match.group(2)] if match else None


class Schedules:
    """Delivers events to functions and state machines; one thread watches the schedules."""

    def __init__(self, clock: Clock, iam: Iam, pool: LambdaPool) -> None:
        self._clock = clock
        self._iam = iam
        self._pool = pool
        self._stop = threading.Event()
        self._due: dict[str, float] = {}
        self._called: dict[str, threading.Thread] = {}
        self._thread = threading.Thread(target=self._run, name="shoal-schedules", daemon=True)

    def start(self) -> None:
        original = _SEND.original
        schedules = self

        def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:
            """moto delivers to queues, logs and buses only."""
            # moto takes a rule without a pattern, a schedule, to match every event
            if self.event_pattern.get_pattern() and self.event_pattern.matches_event(original_event):
                schedules.deliver(self, dict(original_event))
            targets = self.targets
            others = [target for target in targets if _service(target) not in _OURS]
            if others:
                original(_RuleView(self, others), original_event, transform_input)

        _SEND.replace(send_to_targets)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def deliver(self, rule: Any, event: dict[str, Any]) -> None:
        """Send one event to the functions and state machines of a rule."""
        for target in list(rule.targets):
            payload = _payload(target, event)
            if _service(target) == "lambda":
                self._to_function(rule, target, payload)
            elif _service(target) == "states":
                self._to_machine(rule, target, payload)

    def _to_function(self, rule: Any, target: dict[str, Any], payload: bytes) -> None:
        function = function_by_arn(target["Arn"])
        if not may_invoke(function, "events.amazonaws.com", rule.arn):
            _LOG.warning(
                "rule %s may not invoke %s: its AWS::Lambda::Permission is missing", rule.name, target["Arn"]
            )
            return
        self._called[rule.arn] = invoke_later(self._pool, self._clock, function, payload)

    def _to_machine(self, rule: Any, target: dict[str, Any], payload: bytes) -> None:
        if not self._iam.authorize_role(target.get("RoleArn", ""), "states:StartExecution", target["Arn"]):
            _LOG.warning(
                "rule %s may not start %s: its role lacks states:StartExecution", rule.name, target["Arn"]
            )
            return
        machines = backend("stepfunctions")
        machines.start_execution(target["Arn"], str(uuid.uuid4()), payload.decode(), None)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK):
            for rule in self._rules():
                self._fire_when_due(rule)

    def _rules(self) -> list[Any]:
        buses = list(backend("events").event_buses.values())
        return [rule for bus in buses for rule in list(bus.rules.values())]

    def _fire_when_due(self, rule: Any) -> None:
        period = rate_seconds(rule.scheduled_expression or "")
        if period is None or rule.state != "ENABLED":
            self._due.pop(rule.arn, None)
            return
        now = time.monotonic()
        due = self._due.setdefault(rule.arn, now + self._clock.seconds(period))
        if now >= due and not self._is_busy(rule):
            self._due[rule.arn] = now + self._clock.seconds(period)
            self.deliver(rule, scheduled_event(rule.arn))

    def _is_busy(self, rule: Any) -> bool:
        """On a clock that runs fast a call may last longer than its period: another is not piled on it."""
        called = self._called.get(rule.arn)
        return called is not None and called.is_alive()


class _RuleView:
    """A rule with some of its targets only, for moto's own delivery."""

    def __init__(self, rule: Any, targets: list[dict[str, Any]]) -> None:
        self._rule = rule
        self.targets = targets

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rule, name)


def scheduled_event(rule_arn: str) -> dict[str, Any]:
    """What a schedule sends (EventBridge guide, "Scheduled Event")."""
    return envelope("aws.events", "Scheduled Event", rule_arn, {})


def _service(target: dict[str, Any]) -> str:
    return str(target["Arn"]).split(":")[2]


def _payload(target: dict[str, Any], event: dict[str, Any]) -> bytes:
    """The event, or the target's own Input."""
    if target.get("Input"):
        return str(target["Input"]).encode()
    stamp = event.get("time")
    if isinstance(stamp, int | float):
        event = {**event, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stamp))}
    return json.dumps(event, default=str).encode()
