"""Task definitions, messages, data: what AWS refuses."""

from __future__ import annotations

from typing import Any

from strict_cases.case import Case
from strict_cases.ecs import CLIENT, INVALID
from strict_world import CONTAINER, Account


def check(**values: Any) -> dict[str, Any]:
    return {"healthCheck": {"command": ["CMD", "true"], **values}}


def gpu(value: str) -> dict[str, Any]:
    return {"resourceRequirements": [{"type": "GPU", "value": value}]}


FARGATE = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}

DEFINITIONS = [
    Case("family_is_valid", CLIENT, lambda a: a.definition(family="a.b")),
    Case(
        "container_names_are_unique",
        CLIENT,
        lambda a: a.ecs.register_task_definition(family="fish", containerDefinitions=[CONTAINER, CONTAINER]),
    ),
    Case("container_names_are_unique", CLIENT, lambda a: a.definition({"essential": False})),
    *[
        Case("health_check_is_in_range", CLIENT, lambda a, given=given: a.definition(check(**given)))
        for given in (
            {"interval": 4},
            {"timeout": 61},
            {"retries": 11},
            {"startPeriod": 301},
            {"command": ["true"]},
        )
    ],
    Case("gpus_are_whole", CLIENT, lambda a: a.definition(gpu("0.5"))),
    Case("gpus_are_whole", CLIENT, lambda a: a.definition(gpu("0"))),
    Case(
        "ports_are_ports",
        CLIENT,
        lambda a: a.definition({"portMappings": [{"containerPort": 70000, "hostPort": 0}]}),
    ),
    Case(
        "ports_are_ports",
        CLIENT,
        lambda a: a.definition(
            {"portMappings": [{"containerPort": 80, "hostPort": 81}]}, networkMode="awsvpc"
        ),
    ),
    Case(
        "fargate_sizes_exist",
        CLIENT,
        lambda a: a.definition({"portMappings": []}, **{**FARGATE, "memory": "4096"}),
    ),
    Case(
        "fargate_sizes_exist",
        CLIENT,
        lambda a: a.definition({"portMappings": [], "stopTimeout": 121}, **FARGATE),
    ),
    Case(
        "fargate_sizes_exist",
        CLIENT,
        lambda a: a.definition({"portMappings": [], "logConfiguration": {"logDriver": "awslogs"}}, **FARGATE),
    ),
    Case(
        "protection_is_for_running_service_tasks",
        INVALID,
        lambda a: a.ecs.update_task_protection(
            cluster="fish", tasks=["x"], protectionEnabled=True, expiresInMinutes=2881
        ),
        lambda a: a.cluster(),
    ),
]


def queue(a: Account, name: str = "videos", **attributes: str) -> str:
    return str(a.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


def mail(subject: str) -> dict[str, Any]:
    return {"Subject": {"Data": subject}, "Body": {"Text": {"Data": "text"}}}


def table(a: Account) -> None:
    a.dynamodb.create_table(
        TableName="t", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )  # fmt: skip


def write(a: Account, key: str, token: str = "t") -> None:
    item = {"Put": {"TableName": "t", "Item": {"pk": {"S": key}}}}
    a.dynamodb.transact_write_items(TransactItems=[item], ClientRequestToken=token)


def write_large(a: Account, keys: range) -> None:
    """390 KB each: eleven are more than 4 MiB."""
    items = [{"pk": {"S": str(key)}, "text": {"S": "x" * 390_000}} for key in keys]
    a.dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": "t", "Item": item}} for item in items]
    )


def delete_all(a: Account, keys: range) -> None:
    elements = [{"Delete": {"TableName": "t", "Key": {"pk": {"S": str(key)}}}} for key in keys]
    a.dynamodb.transact_write_items(TransactItems=elements)


MESSAGES = [
    *[
        Case(
            "queue_attributes_are_in_range", "InvalidAttributeValue", lambda a, given=given: queue(a, **given)
        )
        for given in (
            {"VisibilityTimeout": "43201"},
            {"MessageRetentionPeriod": "59"},
            {"DelaySeconds": "901"},
        )
    ],
    Case(
        "queue_attributes_are_in_range",
        "InvalidAttributeValue",
        lambda a: a.sqs.set_queue_attributes(QueueUrl=queue(a), Attributes={"DelaySeconds": "901"}),
    ),
    Case(
        "queue_name_rests",
        "AWS.SimpleQueueService.QueueDeletedRecently",
        queue,
        lambda a: a.sqs.delete_queue(QueueUrl=queue(a)),
    ),
    Case(
        "mail_headers_are_one_line",
        "InvalidParameterValue",
        lambda a: a.ses.send_email(
            Source="a@example.org",
            Destination={"ToAddresses": ["b@example.org"]},
            Message=mail("a\r\nBcc: c"),
        ),
        lambda a: a.ses.verify_email_identity(EmailAddress="a@example.org"),
    ),
    Case(
        "mail_v2_headers_are_one_line",
        "BadRequestException",
        lambda a: a.sesv2.send_email(
            FromEmailAddress="a@example.org",
            Destination={"ToAddresses": ["b@example.org"]},
            Content={"Simple": mail("a\nb")},
        ),
        lambda a: a.ses.verify_email_identity(EmailAddress="a@example.org"),
    ),
    Case(
        "execution_input_is_small",
        "ValidationException",
        lambda a: a.stepfunctions.start_execution(
            stateMachineArn="arn:aws:states:us-west-2:123456789012:stateMachine:m",
            input='"' + "x" * 262143 + '"',
        ),
    ),
    Case(
        "transaction_is_small", "ValidationException", lambda a: write_large(a, range(11)), lambda a: table(a)
    ),
    Case(
        "transaction_is_small",
        "ValidationException",
        lambda a: delete_all(a, range(11)),
        lambda a: table(a) or write_large(a, range(6)) or write_large(a, range(6, 11)),
    ),
    Case(
        "transaction_token_is_honoured",
        "IdempotentParameterMismatchException",
        lambda a: write(a, "two"),
        lambda a: table(a) or write(a, "one"),
    ),
    Case(
        "deregistered_target_exists",
        "ObjectNotFoundException",
        lambda a: a.application_autoscaling.deregister_scalable_target(
            ServiceNamespace="ecs", ResourceId="service/a/b", ScalableDimension="ecs:service:DesiredCount"
        ),
    ),
]
