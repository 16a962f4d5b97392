"""AWS::Lambda::*: functions with layers, layer versions, permissions, asynchronous settings."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from shoal_local.cfn_resource import Properties, Resource, client, tags_of
from shoal_local.lambda_runtime import function_by_arn
from shoal_local.names import arn

_CONFIGURATION = (
    "Description", "Handler", "Role", "Runtime", "Timeout", "MemorySize", "VpcConfig", "Environment",
    "Layers", "TracingConfig", "DeadLetterConfig", "EphemeralStorage", "LoggingConfig",
)  # fmt: skip
_NUMBERS = ("Timeout", "MemorySize")


def _configuration(properties: Properties) -> dict[str, Any]:
    found = {key: properties[key] for key in _CONFIGURATION if properties.get(key) is not None}
    found |= {key: int(found[key]) for key in _NUMBERS if key in found}
    variables = (found.get("Environment") or {}).get("Variables")
    if variables:
        found["Environment"] = {"Variables": {key: _text(value) for key, value in variables.items()}}
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(properties: Properties) -> dict[str, Any]:
    code = properties["Code"]
    if "ZipFile" not in code:
        return {key: code[key] for key in ("S3Bucket", "S3Key", "S3ObjectVersion") if key in code}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", code["ZipFile"])
    return {"ZipFile": buffer.getvalue()}


class Function(Resource):
    kind = "AWS::Lambda::Function"
    name_property = "FunctionName"

    def create(self, properties: Properties) -> None:
        name = self.physical_resource_id
        client("lambda").create_function(
            FunctionName=name, Code=_code(properties), Tags=tags_of(properties),
            Architectures=properties.get("Architectures") or ["x86_64"], **_configuration(properties),
        )  # fmt: skip
        self._finish(properties)

    def _finish(self, properties: Properties) -> None:
        name = self.physical_resource_id
        self.attributes = {"Arn": arn("lambda", f"function:{name}")}
        group = (properties.get("LoggingConfig") or {}).get("LogGroup")
        if group:
            function_by_arn(name).logs_group_name = group
        if properties.get("ReservedConcurrentExecutions") is not None:
            client("lambda").put_function_concurrency(
                FunctionName=name,
                ReservedConcurrentExecutions=int(properties["ReservedConcurrentExecutions"]),
            )

    def update(self, properties: Properties) -> bool:
        name = self.physical_resource_id
        client("lambda").update_function_code(FunctionName=name, **_code(properties))
        client("lambda").update_function_configuration(FunctionName=name, **_configuration(properties))
        client("lambda").tag_resource(Resource=self.attributes["Arn"], Tags=tags_of(properties))
        self._finish(properties)
        return True

    def delete(self) -> None:
        client("lambda").delete_function(FunctionName=self.physical_resource_id)


class LayerVersion(Resource):
    """Its reference is the ARN of the version. A change makes a new version; the old one goes."""

    kind = "AWS::Lambda::LayerVersion"
    name_property = "LayerName"

    def create(self, properties: Properties) -> None:
        made = client("lambda").publish_layer_version(
            LayerName=self.physical_resource_id,
            Description=properties.get("Description", ""),
            Content=properties["Content"],
            CompatibleRuntimes=properties.get("CompatibleRuntimes") or [],
        )
        self.physical_resource_id = made["LayerVersionArn"]
        self.attributes = {"LayerVersionArn": made["LayerVersionArn"], "Arn": made["LayerVersionArn"]}

    def delete(self) -> None:
        name, version = self.physical_resource_id.rsplit(":", 1)
        client("lambda").delete_layer_version(LayerName=name.rsplit(":", 1)[-1], VersionNumber=int(version))


class Permission(Resource):
    """Who may invoke a function: checked by the gateway and by event rules."""

    kind = "AWS::Lambda::Permission"
    _FIELDS = ("Action", "Principal", "SourceArn", "SourceAccount", "EventSourceToken")

    def create(self, properties: Properties) -> None:
        self._function = properties["FunctionName"]
        fields = {key: properties[key] for key in self._FIELDS if properties.get(key)}
        client("lambda").add_permission(
            FunctionName=self._function, StatementId=self.physical_resource_id, **fields
        )

    def delete(self) -> None:
        client("lambda").remove_permission(FunctionName=self._function, StatementId=self.physical_resource_id)


class EventInvokeConfig(Resource):
    """How often an asynchronous invocation is retried, and where it goes in the end."""

    kind = "AWS::Lambda::EventInvokeConfig"
    _FIELDS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig", "Qualifier")

    def create(self, properties: Properties) -> None:
        self._function = properties["FunctionName"]
        fields = {key: properties[key] for key in self._FIELDS if properties.get(key) is not None}
        fields |= {key: int(fields[key]) for key in self._FIELDS[:2] if key in fields}
        client("lambda").put_function_event_invoke_config(FunctionName=self._function, **fields)

    def delete(self) -> None:
        client("lambda").delete_function_event_invoke_config(FunctionName=self._function)
