"""Choice states: a path that leads nowhere ends the execution, where moto goes on to the next rule."""

from __future__ import annotations

from typing import Any

from shoal_local.patches import contract

_CHOICE = "moto.stepfunctions.parser.asl.component.state.choice.comparison"
COMPARED = contract(f"{_CHOICE}.comparison_variable", "ComparisonVariable._eval_body", "self env")


def demand_paths() -> None:
    COMPARED.replace(_compared)


def forgive_paths() -> None:
    COMPARED.restore()


def _compared(comparison: Any, env: Any) -> None:
    """Step Functions guide, "Choice workflow state": a Variable that the input does not hold ends the
    execution with States.Runtime ("condition path references an invalid value"); IsPresent may ask."""
    from moto.stepfunctions.parser.asl.component.state.choice.comparison import comparison_operator_type
    from moto.stepfunctions.parser.asl.component.state.choice.comparison.variable import NoSuchVariable

    comparison.variable.eval(env)
    operators = comparison_operator_type.ComparisonOperatorType
    asks = comparison.comparison_function.operator_type is operators.IsPresent
    if isinstance(env.stack[-1], NoSuchVariable) and not asks:
        raise _invalid_path(comparison.variable.string_sampler.literal_value, env)
    comparison.comparison_function.eval(env)


def _invalid_path(path: str, env: Any) -> Exception:
    from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
    from moto.stepfunctions.parser.asl.component.common.error_name import failure_event, states_error_name
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
        StatesErrorNameType,
    )
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    runtime = StatesErrorNameType.StatesRuntime
    cause = f"Invalid path '{path}': The choice state's condition path references an invalid value."
    failed = TaskFailedEventDetails(error=runtime.to_name(), cause=cause)
    event = failure_event.FailureEvent(
        env=env,
        error_name=states_error_name.StatesErrorName(typ=runtime),
        event_type=HistoryEventType.TaskFailed,
        event_details=EventDetails(taskFailedEventDetails=failed),
    )
    error: Exception = failure_event.FailureEventException(failure_event=event)
    return error
