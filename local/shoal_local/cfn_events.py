"""AWS::Events::Rule, and the SAM schedules that become one."""

from __future__ import annotations

import json
from typing import Any

from shoal_local.cfn_resource import Properties, Resource, client


class Rule(Resource):
    kind = "AWS::Events::Rule"
    name_property = "Name"

    def create(self, properties: Properties) -> None:
        self._bus = properties.get("EventBusName") or "default"
        self._put(properties)

    def _put(self, properties: Properties) -> None:
        name = self.physical_resource_id
        fields: dict[str, Any] = {
            "EventPattern": json.dumps(properties["EventPattern"])
            if properties.get("EventPattern")
            else None,
            "ScheduleExpression": properties.get("ScheduleExpression"),
            "Description": properties.get("Description"),
            "RoleArn": properties.get("RoleArn"),
        }
        made = client("events").put_rule(
            Name=name,
            State=properties.get("State") or "ENABLED",
            EventBusName=self._bus,
            **{key: value for key, value in fields.items() if value},
        )
        self.attributes = {"Arn": made["RuleArn"]}
        self._targets = [target["Id"] for target in properties.get("Targets") or []]
        if self._targets:
            client("events").put_targets(Rule=name, EventBusName=self._bus, Targets=properties["Targets"])

    def update(self, properties: Properties) -> bool:
        self._remove_targets()
        self._put(properties)
        return True

    def _remove_targets(self) -> None:
        if self._targets:
            client("events").remove_targets(
                Rule=self.physical_resource_id, EventBusName=self._bus, Ids=self._targets
            )

    def delete(self) -> None:
        self._remove_targets()
        client("events").delete_rule(Name=self.physical_resource_id, EventBusName=self._bus)
