"""Stacks and change sets as CloudFormation runs them: SAM macro, statuses, reasons, rollback, deletion."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from typing import Any

from shoal_local import cfn_engine, cfn_types
from shoal_local.cfn_lookup import made
from shoal_local.names import HOST
from shoal_local.patches import Contract, contract
from shoal_local.sam_transform import is_sam, parse_template, transform

_LOG = logging.getLogger("shoal_local.cloudformation")
_MODELS = "moto.cloudformation.models"
_CREATE_STACK = contract(
    _MODELS, "CloudFormationBackend.create_stack",
    "self name template parameters notification_arns tags role_arn enable_termination_protection"
    " timeout_in_mins stack_policy_body",
)  # fmt: skip
_UPDATE_STACK = contract(
    _MODELS, "CloudFormationBackend.update_stack", "self name template role_arn parameters tags"
)
_CREATE_CHANGES = contract(
    _MODELS, "CloudFormationBackend.create_change_set",
    "self stack_name change_set_name template parameters description change_set_type notification_arns"
    " tags role_arn",
)  # fmt: skip
_EXECUTE_CHANGES = contract(
    _MODELS, "CloudFormationBackend.execute_change_set", "self change_set_name stack_name"
)
_DELETE_STACK = contract(_MODELS, "CloudFormationBackend.delete_stack", "self name_or_stack_id")
_CREATE_RESOURCES = contract(_MODELS, "Stack.create_resources", "self")
_STACK_UPDATE = contract(_MODELS, "Stack.update", "self template role_arn parameters tags")
_STACK_RESOURCES = contract(_MODELS, "Stack.stack_resources")
contract(_MODELS, "Stack._add_stack_event", "self resource_status resource_status_reason resource_properties")
contract(_MODELS, "Stack._create_output_map", "self")
contract(_MODELS, "Stack._parse_template", "self")
_TEMPLATE_URL = contract(
    "moto.cloudformation.responses", "CloudFormationResponse._get_stack_from_s3_url", "self template_url"
)
_HAS_PARAMETERS = contract(_MODELS, "Stack.has_parameters", "self other_parameters")
_PARSE_STACK = contract(_MODELS, "Stack.parse_template", "template")
_PARSE_CHANGES = contract(_MODELS, "ChangeSet._parse_template", "self")


def install() -> None:
    """Patch moto's CloudFormation; the resource types come with the imports above."""
    cfn_types.load()
    cfn_engine.install()
    for entry in (_CREATE_STACK, _UPDATE_STACK):
        entry.replace(_with_macro(entry))
    _CREATE_CHANGES.replace(_with_macro(_CREATE_CHANGES, before=_prepare_change_set))
    _EXECUTE_CHANGES.replace(_execute_change_set)
    _DELETE_STACK.replace(_delete_stack)
    _CREATE_RESOURCES.replace(lambda self: _settle(self, "CREATE", self.template, self.parameters))
    _STACK_UPDATE.replace(_update)
    _STACK_RESOURCES.replace(property(_living))
    fetch = _TEMPLATE_URL.original
    # moto knows path-style URLs by the name localhost only
    _TEMPLATE_URL.replace(lambda self, template_url: fetch(self, template_url.replace(HOST, "localhost", 1)))
    _HAS_PARAMETERS.replace(_same_parameters)
    _PARSE_STACK.replace(staticmethod(parse_template))
    _PARSE_CHANGES.replace(lambda self: setattr(self, "template_dict", parse_template(self.template)))


def _living(self: Any) -> list[Any]:
    """moto lists resources whose condition is false as None."""
    return [self.resource_map._parsed_resources[name] for name in made(self.resource_map)]


def _with_macro(
    entry: Contract, before: Callable[[Any, dict[str, Any]], None] | None = None
) -> Callable[..., Any]:
    """The SAM macro, run where AWS runs it: when a template arrives."""
    original = entry.original

    @functools.wraps(original)
    def run(self: Any, **arguments: Any) -> Any:
        if before:
            before(self, arguments)
        template = arguments.get("template")
        if isinstance(template, str) and template:
            arguments["template"] = _translated(template, arguments.get("parameters") or {})
        return original(self, **arguments)

    return run


def _translated(template: str, parameters: Any) -> str:
    from moto.cloudformation.exceptions import ValidationError
    from samtranslator.model.exceptions import InvalidDocumentException

    parsed = parse_template(template)
    if not is_sam(parsed):
        return template
    given = (
        parameters
        if isinstance(parameters, dict)
        else {p["ParameterKey"]: p.get("ParameterValue") for p in parameters}
    )
    try:
        return json.dumps(transform(parsed, given))
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise ValidationError(
            message=f"Transform AWS::Serverless-2016-10-31 failed with: {causes}"
        ) from error


def _prepare_change_set(self: Any, arguments: dict[str, Any]) -> None:
    """One stack per name; and UsePreviousValue means the value as it was given, not as moto resolved it."""
    same = [stack for stack in self.stacks.values() if stack.name == arguments["stack_name"]]
    if arguments["change_set_type"] == "CREATE":
        for stack in [stack for stack in same if stack.status == "REVIEW_IN_PROGRESS"]:
            del self.stacks[stack.stack_id]
        return
    for stack in same:
        known = stack.resource_map.resolved_parameters
        raw = {key: stack.parameters.get(key) for key, value in known.items()}
        arguments["parameters"] = {
            key: raw[key] if raw.get(key) is not None and value == known.get(key) else value
            for key, value in arguments["parameters"].items()
        }


def _same_parameters(self: Any, other_parameters: dict[str, Any]) -> bool:
    """A default that is given and one that is not are the same value: "No changes to deploy"."""
    declared = self.template_dict.get("Parameters", {})
    defaults = {
        name: str(parameter["Default"]) for name, parameter in declared.items() if "Default" in parameter
    }
    old, new = (
        {**defaults, **{key: str(value) for key, value in given.items()}}
        for given in (self.parameters, other_parameters)
    )
    return bool(old == new)


def _update(
    self: Any, template: str, role_arn: str | None = None,
    parameters: dict[str, Any] | None = None, tags: dict[str, str] | None = None,
) -> None:  # fmt: skip
    self.role_arn = role_arn
    if tags is not None:
        self.tags = tags
    _settle(self, "UPDATE", template, parameters if parameters is not None else self.parameters)


def _execute_change_set(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
    del stack_name
    changes = self.describe_change_set(change_set_name)
    stack = self.stacks[changes.stack_id]
    stack.tags = changes.tags or stack.tags
    _settle(stack, changes.change_set_type, changes.template, changes.parameters)
    changes.execution_status = "EXECUTE_COMPLETE"


def _settle(stack: Any, verb: str, template: str, parameters: dict[str, Any]) -> None:
    """Bring the stack to the template, or back to where it was; either way its status and events say so."""
    before = (stack.template, stack.parameters)
    _status(stack, f"{verb}_IN_PROGRESS", "User Initiated")
    try:
        _apply(stack, template, parameters)
    except Exception as error:  # noqa: BLE001 - supervises the whole stack: recorded as its reason, then rolled back
        _LOG.warning("stack %s: %s", stack.name, error)
        _roll_back(stack, verb, before, str(error))
        return
    _status(stack, f"{verb}_COMPLETE")


def _apply(stack: Any, template: str, parameters: dict[str, Any]) -> None:
    stack.template, stack.parameters = template, parameters
    stack._parse_template()
    stack.description = stack.template_dict.get("Description")
    _no_outputs(stack)
    stack.resource_map.update(stack.template_dict, parameters)
    stack.output_map = stack._create_output_map()
    # an output that cannot be resolved fails the stack
    list(stack.outputs or [])


def _no_outputs(stack: Any) -> None:
    """moto resolves outputs when it is asked, and would make again what is gone."""
    from moto.cloudformation.parsing import OutputMap

    stack.output_map = OutputMap(stack.resource_map, {}, stack.stack_id)


def _roll_back(stack: Any, verb: str, before: tuple[str, dict[str, Any]], reason: str) -> None:
    prefix = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
    _status(stack, f"{prefix}_IN_PROGRESS", reason)
    try:
        if verb == "CREATE":
            _no_outputs(stack)
            cfn_engine.remove_all(stack.resource_map, frozenset({"Retain"}))
        else:
            _apply(stack, *before)
    except Exception as error:  # noqa: BLE001 - the last resort of the stack: its status says that something is left
        _LOG.exception("the rollback of stack %s failed", stack.name)
        _status(stack, f"{prefix}_FAILED", str(error))
        return
    _status(stack, f"{prefix}_COMPLETE")


def _status(stack: Any, status: str, reason: str | None = None) -> None:
    stack.status = status
    stack.status_reason = reason
    stack._add_stack_event(status, resource_status_reason=reason)


def _delete_stack(self: Any, name_or_stack_id: str) -> None:
    """A stack that is not there is gone already; one that cannot be emptied stays as DELETE_FAILED."""
    found = [s for s in self.stacks.values() if name_or_stack_id in (s.name, s.stack_id)]
    for stack in found:
        _status(stack, "DELETE_IN_PROGRESS", "User Initiated")
        _no_outputs(stack)
        try:
            stack.resource_map.delete()
        except cfn_engine.ResourceFailed as error:
            _status(stack, "DELETE_FAILED", str(error))
            continue
        _status(stack, "DELETE_COMPLETE")
        for export in [
            name for name, export in self.exports.items() if export.exporting_stack_id == stack.stack_id
        ]:
            del self.exports[export]
        self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)
