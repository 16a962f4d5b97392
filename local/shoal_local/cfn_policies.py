"""Policies of queues, topics and buckets; topic subscriptions; alarms."""

from __future__ import annotations

import json
from typing import Any

from shoal_local.cfn_resource import Properties, Resource, client
from shoal_local.names import arn


class QueuePolicy(Resource):
    kind = "AWS::SQS::QueuePolicy"

    def create(self, properties: Properties) -> None:
        self._queues = properties["Queues"]
        self._put(json.dumps(properties["PolicyDocument"]))

    def _put(self, policy: str) -> None:
        for queue in self._queues:
            client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})

    def update(self, properties: Properties) -> bool:
        self.create(properties)
        return True

    def delete(self) -> None:
        self._put("")


class TopicPolicy(Resource):
    kind = "AWS::SNS::TopicPolicy"

    def create(self, properties: Properties) -> None:
        document = json.dumps(properties["PolicyDocument"])
        for topic in properties["Topics"]:
            client("sns").set_topic_attributes(
                TopicArn=topic, AttributeName="Policy", AttributeValue=document
            )

    def update(self, properties: Properties) -> bool:
        self.create(properties)
        return True

    def delete(self) -> None:
        """A topic's policy cannot be removed, only set back; it goes with its topic."""


class BucketPolicy(Resource):
    kind = "AWS::S3::BucketPolicy"

    def create(self, properties: Properties) -> None:
        self._bucket = properties["Bucket"]
        client("s3").put_bucket_policy(Bucket=self._bucket, Policy=json.dumps(properties["PolicyDocument"]))

    def update(self, properties: Properties) -> bool:
        self.create(properties)
        return True

    def delete(self) -> None:
        client("s3").delete_bucket_policy(Bucket=self._bucket)


class Subscription(Resource):
    kind = "AWS::SNS::Subscription"

    def create(self, properties: Properties) -> None:
        made = client("sns").subscribe(
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties["Endpoint"],
            ReturnSubscriptionArn=True,
        )
        self.physical_resource_id = made["SubscriptionArn"]

    def delete(self) -> None:
        client("sns").unsubscribe(SubscriptionArn=self.physical_resource_id)


_WHOLE = ("Period", "EvaluationPeriods", "DatapointsToAlarm")


def _numbers(value: Any, key: str = "") -> Any:
    """CloudFormation may carry numbers and booleans as text."""
    if isinstance(value, dict):
        return {name: _numbers(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if key in _WHOLE:
        return int(value)
    if key in {"ReturnData", "ActionsEnabled"} and isinstance(value, str):
        return value.lower() == "true"
    return float(value) if key == "Threshold" else value


class Alarm(Resource):
    """Made and described; nothing evaluates it (see docs/local-cloud.md)."""

    kind = "AWS::CloudWatch::Alarm"
    name_property = "AlarmName"

    def create(self, properties: Properties) -> None:
        name = self.physical_resource_id
        client("cloudwatch").put_metric_alarm(**{**_numbers(properties), "AlarmName": name})
        self.attributes = {"Arn": arn("cloudwatch", f"alarm:{name}")}

    def update(self, properties: Properties) -> bool:
        self.create(properties)
        return True

    def delete(self) -> None:
        client("cloudwatch").delete_alarms(AlarmNames=[self.physical_resource_id])
