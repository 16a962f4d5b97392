"""Rules in front of and behind moto's operations: what AWS refuses, and what AWS remembers, where moto
does not."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shoal_local.patches import Contract, contract

LOCK = threading.RLock()
"""Held over a rule and the operation behind it, and by whoever changes moto's state besides: check and act
are one."""

RESPONSES = {
    "application-autoscaling": "moto.applicationautoscaling.responses.ApplicationAutoScalingResponse",
    "autoscaling": "moto.autoscaling.responses.AutoScalingResponse",
    "cloudwatch": "moto.cloudwatch.responses.CloudWatchResponse",
    "dynamodb": "moto.dynamodb.responses.DynamoHandler",
    "ec2-launch-templates": "moto.ec2.responses.launch_templates.LaunchTemplates",
    "ec2-security-groups": "moto.ec2.responses.security_groups.SecurityGroups",
    "ecs": "moto.ecs.responses.EC2ContainerServiceResponse",
    "elbv2": "moto.elbv2.responses.ELBV2Response",
    "ses": "moto.ses.responses.EmailResponse",
    "sesv2": "moto.sesv2.responses.SESV2Response",
    "sqs": "moto.sqs.responses.SQSResponse",
    "stepfunctions": "moto.stepfunctions.responses.StepFunctionResponse",
}
"""Service to the class whose methods are its operations; EC2's is put together from one class per topic."""


@dataclass
class Call:
    """One request: ``parameters`` are spelled as in botocore's model."""

    response: Any
    parameters: dict[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        value = self.parameters.get(name)
        return default if value is None else value

    def backend(self, service: str) -> Any:
        """moto's backend of a service in the caller's account and region."""
        from moto.backends import get_backend

        return get_backend(service)[self.response.current_account][self.response.region]


Before = Callable[[Call], "dict[str, Any] | None"]
After = Callable[[Call, Any], Any]


@dataclass(frozen=True)
class Rule:
    """``function`` runs before (may refuse, or answer in moto's place) or after (may mend the answer)."""

    service: str
    operation: str
    function: Callable[..., Any]
    after: bool

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}:{self.function.__name__}"


RULES: list[Rule] = []


def before(service: str, *operations: str) -> Callable[[Before], Before]:
    """A rule that runs before moto: raise :func:`refused`, answer a dict in moto's place, or None."""

    def register(function: Before) -> Before:
        RULES.extend(Rule(service, operation, function, after=False) for operation in operations)
        return function

    return register


def after(service: str, *operations: str) -> Callable[[After], After]:
    """Register a rule that runs after moto's success; what it returns, unless None, is the answer."""

    def register(function: After) -> After:
        RULES.extend(Rule(service, operation, function, after=True) for operation in operations)
        return function

    return register


def refused(code: str, message: str) -> Exception:
    """The error moto's serializers turn into AWS's answer in whatever protocol the caller speaks."""
    error: Exception = _refusal_class()(code, message)
    return error


@functools.cache
def _refusal_class() -> Any:
    """A class of our own: moto guesses the service of its own exceptions from their module's name."""
    from moto.core.exceptions import ServiceException

    return type("Refused", (ServiceException,), {"__module__": __name__})


def method_of(operation: str) -> str:
    from moto.core.utils import camelcase_to_underscores

    return str(camelcase_to_underscores(operation))


def guarded(service: str, operation: str, original: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """``original`` with the rules of its operation around it; without an original a rule must answer."""
    rules = [rule for rule in RULES if (rule.service, rule.operation) == (service, operation)]
    first = [rule.function for rule in rules if not rule.after]
    last = [rule.function for rule in rules if rule.after]

    def run(response: Any) -> Any:
        from moto.core.responses import ActionResult

        call = Call(response, _parameters(response))
        with LOCK:
            for check in first:
                answer = check(call)
                if answer is not None:
                    return ActionResult(answer)
            if original is None:
                raise NotImplementedError(f"{service}:{operation} is in neither moto nor the rules")
            result = original(response)
            for mend in last:
                mended = mend(call, result)
                result = result if mended is None else mended
            return result

    return run if original is None else functools.wraps(original)(run)


def _parameters(response: Any) -> dict[str, Any]:
    if response.automated_parameter_parsing:
        return dict(response.params)
    if not response.body:
        return {}
    try:
        parsed = json.loads(response.body)
    except ValueError:
        return dict(response._get_params())
    return dict(parsed)


@functools.cache
def operation_contract(service: str, operation: str) -> Contract:
    """The method of moto that an operation's rules stand around."""
    module, name = RESPONSES[service].rsplit(".", 1)
    return contract(module, f"{name}.{method_of(operation)}", "self")
