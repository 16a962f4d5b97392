"""AWS::Logs::LogGroup, whose ARN ends with ``:*`` as in AWS."""

from __future__ import annotations

from shoal_local.cfn_resource import Properties, Resource, client, tags_of
from shoal_local.names import arn


class LogGroup(Resource):
    kind = "AWS::Logs::LogGroup"
    name_property = "LogGroupName"

    def create(self, properties: Properties) -> None:
        name = self.physical_resource_id
        client("logs").create_log_group(logGroupName=name, tags=tags_of(properties))
        self.attributes = {"Arn": arn("logs", f"log-group:{name}:*")}
        self._retain(properties)

    def _retain(self, properties: Properties) -> None:
        days = properties.get("RetentionInDays")
        if days:
            client("logs").put_retention_policy(
                logGroupName=self.physical_resource_id, retentionInDays=int(days)
            )

    def update(self, properties: Properties) -> bool:
        self._retain(properties)
        return True

    def delete(self) -> None:
        client("logs").delete_log_group(logGroupName=self.physical_resource_id)
