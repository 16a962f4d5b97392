"""Real requests of botocore, and the permissions they need."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from shoal_local.errors import UnknownAction
from shoal_local.iam_needs import needs_of
from shoal_local.names import arn

_SPEC = importlib.util.spec_from_file_location("wire_tools", Path(__file__).with_name("wire_tools.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
wire_tools = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(wire_tools)

ECS = "arn:aws:ecs:us-west-2:123456789012"
ELB = "arn:aws:elasticloadbalancing:us-west-2:123456789012"
EC2 = "arn:aws:ec2:us-west-2:123456789012"
TAGS = [{"Key": "env", "Value": "prod"}]
ROLE = "arn:aws:iam::123456789012:role/task"
LB = f"{ELB}:loadbalancer/app/x/1"
LINKED = "arn:aws:iam::123456789012:role/aws-service-role"
MAIL = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
TO = {"ToAddresses": ["b@example.org"]}

CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    (
        "dynamodb",
        "get_item",
        {"TableName": "t", "Key": {"pk": {"S": "a"}}},
        [("dynamodb:GetItem", arn("dynamodb", "table/t"))],
    ),
    (
        "dynamodb",
        "query",
        {"TableName": "t", "IndexName": "by-type", "KeyConditionExpression": "a = :a"},
        [("dynamodb:Query", arn("dynamodb", "table/t/index/by-type"))],
    ),
    (
        "dynamodb",
        "transact_write_items",
        {
            "TransactItems": [
                {"Put": {"TableName": "t", "Item": {}}},
                {"ConditionCheck": {"TableName": "u", "Key": {}, "ConditionExpression": "a"}},
            ]
        },
        [
            ("dynamodb:PutItem", arn("dynamodb", "table/t")),
            ("dynamodb:ConditionCheckItem", arn("dynamodb", "table/u")),
        ],
    ),
    ("s3", "head_object", {"Bucket": "b", "Key": "k/l"}, [("s3:GetObject", "arn:aws:s3:::b/k/l")]),
    ("s3", "put_object", {"Bucket": "b", "Key": "k", "Body": b"x"}, [("s3:PutObject", "arn:aws:s3:::b/k")]),
    ("s3", "list_objects_v2", {"Bucket": "b", "Prefix": "p/"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    (
        "s3",
        "copy_object",
        {"Bucket": "b", "Key": "k", "CopySource": "c/d"},
        [("s3:GetObject", "arn:aws:s3:::c/d"), ("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        "delete_objects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "a"}, {"Key": "c"}]}},
        [("s3:DeleteObject", "arn:aws:s3:::b/a")],
    ),
    (
        "s3",
        "upload_part",
        {"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 1, "Body": b"x"},
        [("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "sqs",
        "send_message",
        {"QueueUrl": "http://127.0.0.1:1/123456789012/q", "MessageBody": "m"},
        [("sqs:SendMessage", arn("sqs", "q"))],
    ),
    (
        "sqs",
        "create_queue",
        {"QueueName": "q", "tags": {"a": "b"}},
        [("sqs:CreateQueue", arn("sqs", "q")), ("sqs:TagQueue", arn("sqs", "q"))],
    ),
    ("sns", "publish", {"TopicArn": arn("sns", "t"), "Message": "m"}, [("sns:Publish", arn("sns", "t"))]),
    (
        "ses",
        "send_email",
        {"Source": "Shoal <a@example.org>", "Destination": TO, "Message": MAIL},
        [("ses:SendEmail", arn("ses", "identity/a@example.org"))],
    ),
    (
        "sesv2",
        "send_email",
        {"FromEmailAddress": "a@example.org", "Destination": TO, "Content": {"Simple": MAIL}},
        [("ses:SendEmail", arn("ses", "identity/a@example.org"))],
    ),
    (
        "ecs",
        "create_cluster",
        {"clusterName": "c", "tags": [{"key": "env", "value": "prod"}]},
        [
            ("ecs:CreateCluster", f"{ECS}:cluster/c"),
            ("ecs:TagResource", f"{ECS}:cluster/c"),
            ("iam:CreateServiceLinkedRole", f"{LINKED}/ecs.amazonaws.com/*"),
        ],
    ),
    (
        "ecs",
        "describe_clusters",
        {"clusters": ["c", f"{ECS}:cluster/d"]},
        [("ecs:DescribeClusters", f"{ECS}:cluster/c")],
    ),
    (
        "ecs",
        "update_service",
        {"cluster": f"{ECS}:cluster/c", "service": "s", "desiredCount": 1},
        [("ecs:UpdateService", f"{ECS}:service/c/s")],
    ),
    (
        "ecs",
        "describe_services",
        {"cluster": "c", "services": ["s"]},
        [("ecs:DescribeServices", f"{ECS}:service/c/s")],
    ),
    (
        "ecs",
        "register_task_definition",
        {"family": "f", "taskRoleArn": ROLE, "containerDefinitions": []},
        [("ecs:RegisterTaskDefinition", f"{ECS}:task-definition/f:*"), ("iam:PassRole", ROLE)],
    ),
    ("ecs", "deregister_task_definition", {"taskDefinition": "f:1"}, [("ecs:DeregisterTaskDefinition", "*")]),
    (
        "ecs",
        "delete_task_definitions",
        {"taskDefinitions": ["f:1"]},
        [("ecs:DeleteTaskDefinitions", f"{ECS}:task-definition/f:1")],
    ),
    (
        "ecs",
        "create_capacity_provider",
        {"name": "p", "autoScalingGroupProvider": {"autoScalingGroupArn": "arn:asg"}},
        [
            ("ecs:CreateCapacityProvider", f"{ECS}:capacity-provider/p"),
            ("autoscaling:CreateOrUpdateTags", "arn:asg"),
        ],
    ),
    (
        "ecs",
        "update_task_protection",
        {"cluster": "c", "tasks": [f"{ECS}:task/c/1"], "protectionEnabled": True},
        [("ecs:UpdateTaskProtection", f"{ECS}:task/c/1")],
    ),
    ("ec2", "describe_instances", {}, [("ec2:DescribeInstances", "*")]),
    (
        "ec2",
        "create_launch_template",
        {
            "LaunchTemplateName": "l",
            "LaunchTemplateData": {},
            "TagSpecifications": [{"ResourceType": "launch-template", "Tags": TAGS}],
        },
        [
            ("ec2:CreateLaunchTemplate", f"{EC2}:launch-template/*"),
            ("ec2:CreateTags", f"{EC2}:launch-template/*"),
        ],
    ),
    (
        "ec2",
        "delete_launch_template",
        {"LaunchTemplateId": "lt-1"},
        [("ec2:DeleteLaunchTemplate", f"{EC2}:launch-template/lt-1")],
    ),
    (
        "ec2",
        "terminate_instances",
        {"InstanceIds": ["i-1"]},
        [("ec2:TerminateInstances", f"{EC2}:instance/i-1")],
    ),
    (
        "elbv2",
        "create_target_group",
        {"Name": "t", "Tags": TAGS},
        [
            ("elasticloadbalancing:CreateTargetGroup", f"{ELB}:targetgroup/t/*"),
            ("elasticloadbalancing:AddTags", f"{ELB}:targetgroup/t/*"),
        ],
    ),
    (
        "elbv2",
        "create_listener",
        {"LoadBalancerArn": LB, "DefaultActions": [{"Type": "forward"}], "Tags": TAGS},
        [
            ("elasticloadbalancing:CreateListener", LB),
            ("elasticloadbalancing:AddTags", f"{ELB}:listener/app/x/1/*"),
        ],
    ),
    (
        "elbv2",
        "describe_listeners",
        {"LoadBalancerArn": LB},
        [("elasticloadbalancing:DescribeListeners", "*")],
    ),
    (
        "autoscaling",
        "update_auto_scaling_group",
        {"AutoScalingGroupName": "g", "MinSize": 0},
        [
            (
                "autoscaling:UpdateAutoScalingGroup",
                arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/g"),
            ),
            ("iam:CreateServiceLinkedRole", f"{LINKED}/autoscaling.amazonaws.com/*"),
        ],
    ),
    (
        "application-autoscaling",
        "describe_scalable_targets",
        {"ServiceNamespace": "ecs"},
        [("application-autoscaling:DescribeScalableTargets", "*")],
    ),
    ("lambda", "invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", arn("lambda", "function:f"))]),
    (
        "stepfunctions",
        "start_execution",
        {"stateMachineArn": arn("states", "stateMachine:m")},
        [("states:StartExecution", arn("states", "stateMachine:m"))],
    ),
    (
        "ssm",
        "get_parameter",
        {"Name": "/aws/service/ecs/x"},
        [("ssm:GetParameter", "arn:aws:ssm:us-west-2::parameter/aws/service/ecs/x")],
    ),
    ("ssm", "get_parameter", {"Name": "/mine"}, [("ssm:GetParameter", arn("ssm", "parameter/mine"))]),
    (
        "logs",
        "put_log_events",
        {"logGroupName": "g", "logStreamName": "s", "logEvents": []},
        [("logs:PutLogEvents", arn("logs", "log-group:g:log-stream:s"))],
    ),
    (
        "logs",
        "delete_log_group",
        {"logGroupName": "g"},
        [("logs:DeleteLogGroup", arn("logs", "log-group:g:*"))],
    ),
    (
        "cloudwatch",
        "put_metric_data",
        {"Namespace": "n", "MetricData": []},
        [("cloudwatch:PutMetricData", "*")],
    ),
    (
        "cloudwatch",
        "delete_alarms",
        {"AlarmNames": ["a"]},
        [("cloudwatch:DeleteAlarms", arn("cloudwatch", "alarm:a"))],
    ),
    (
        "events",
        "put_events",
        {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}"}]},
        [("events:PutEvents", arn("events", "event-bus/default"))],
    ),
    ("iam", "get_role", {"RoleName": "r"}, [("iam:GetRole", "arn:aws:iam::123456789012:role/r")]),
    ("sts", "get_caller_identity", {}, []),
    (
        "ecr",
        "batch_get_image",
        {"repositoryName": "r", "imageIds": []},
        [("ecr:BatchGetImage", arn("ecr", "repository/r"))],
    ),
    ("resourcegroupstaggingapi", "get_resources", {}, [("tag:GetResources", "*")]),
]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_request_needs(
    service: str, operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    needs = needs_of(wire_tools.call_of(service, operation, parameters))
    assert [(need.action, need.resources[0]) for need in needs] == expected


def test_the_actions_are_in_the_service_authorization_reference() -> None:
    # Given cfn-lint's copy of the reference, which also says which actions have no resource level
    import cfnlint.data.AdditionalSpecs as specs

    reference = json.loads((Path(specs.__path__[0]) / "Policies.json").read_text())
    for _, _, _, expected in CASES:
        for action, resource in expected:
            service, name = action.split(":")
            # When
            known = reference[service]["Actions"].get(name.lower())
            # Then
            assert known is not None, f"{action} is no action of IAM"
            assert "Resources" in known or resource == "*", f"{action} has no resource level"


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [("rds", "describe_db_instances", {}), ("ses", "delete_identity", {"Identity": "a@example.org"})],
)
def test_what_has_no_rule_is_refused_loudly(service: str, operation: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(UnknownAction, match="shoal_local/iam_needs"):
        needs_of(wire_tools.call_of(service, operation, parameters))


def test_the_context_carries_tags_cluster_and_service() -> None:
    # Given
    tags = [{"key": "shoal:environment", "value": "prod"}]
    call = wire_tools.call_of("ecs", "create_service", {"cluster": "c", "serviceName": "s", "tags": tags})
    # When
    context = needs_of(call)[0].context
    # Then
    assert context["aws:requesttag/shoal:environment"] == ("prod",)
    assert context["aws:tagkeys"] == ("shoal:environment",)
    assert context["ecs:cluster"] == (f"{ECS}:cluster/c",)
    assert context["aws:requestedregion"] == ("us-west-2",)
