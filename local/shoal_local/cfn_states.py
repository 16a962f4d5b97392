"""AWS::StepFunctions::StateMachine with a definition in S3 and substitutions, in the executing backend."""

from __future__ import annotations

import json
import re
from typing import Any

from shoal_local.cfn_resource import Properties, Resource, check_role, client, lower_first, tags_of
from shoal_local.sam_transform import parse_template

_DELIVERY = (
    "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)  # fmt: skip
_PLACEHOLDER = re.compile(r"\$\{[A-Za-z0-9_]+\}")


def _source(properties: Properties) -> str:
    if "DefinitionS3Location" in properties:
        place = properties["DefinitionS3Location"]
        stored = client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"])
        text: str = stored["Body"].read().decode()
        return text
    given = properties.get("DefinitionString") or properties.get("Definition") or {}
    return given if isinstance(given, str) else json.dumps(given)


def definition_of(properties: Properties) -> str:
    """The JSON definition with every ``${Name}`` replaced.

    Raises:
        ValueError: a placeholder has no substitution.
    """
    text = _source(properties)
    if not text.lstrip().startswith("{"):
        text = json.dumps(parse_template(text))
    for name, value in (properties.get("DefinitionSubstitutions") or {}).items():
        text = text.replace(f"${{{name}}}", str(value))
    left = sorted(set(_PLACEHOLDER.findall(text)))
    if left:
        raise ValueError(f"the definition uses {', '.join(left)}: give DefinitionSubstitutions for them")
    return text


def _check_logging(properties: Properties) -> None:
    """Step Functions tries the role when a machine logs (guide, "Logging to CloudWatch Logs")."""
    logging = properties.get("LoggingConfiguration") or {}
    if logging.get("Level", "OFF") != "OFF" and logging.get("Destinations"):
        refusal = "The state machine IAM Role is not authorized to access the Log Destination"
        check_role(properties["RoleArn"], _DELIVERY, refusal)


class StateMachine(Resource):
    kind = "AWS::StepFunctions::StateMachine"
    name_property = "StateMachineName"

    def create(self, properties: Properties) -> None:
        _check_logging(properties)
        made = client("stepfunctions").create_state_machine(
            name=self.physical_resource_id,
            definition=definition_of(properties),
            type=properties.get("StateMachineType") or "STANDARD",
            tags=[{"key": key, "value": value} for key, value in tags_of(properties).items()],
            **self._configuration(properties),
        )
        self.attributes = {"Arn": made["stateMachineArn"], "Name": self.physical_resource_id}
        self.physical_resource_id = made["stateMachineArn"]

    def _configuration(self, properties: Properties) -> dict[str, Any]:
        found: dict[str, Any] = {"roleArn": properties["RoleArn"]}
        for key in ("LoggingConfiguration", "TracingConfiguration"):
            if properties.get(key):
                found[key[:1].lower() + key[1:]] = lower_first(properties[key])
        return found

    def update(self, properties: Properties) -> bool:
        _check_logging(properties)
        client("stepfunctions").update_state_machine(
            stateMachineArn=self.physical_resource_id,
            definition=definition_of(properties),
            **self._configuration(properties),
        )
        return True

    def delete(self) -> None:
        client("stepfunctions").delete_state_machine(stateMachineArn=self.physical_resource_id)
