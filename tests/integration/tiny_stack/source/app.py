"""Handlers that do one thing each, as their event asks."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import boto3
from shared.words import greet

CALLS = {"step": 0}


class TryAgain(Exception):
    """The machine retries it."""


def hello(event: dict[str, Any], context: Any) -> dict[str, Any]:
    name = event["pathParameters"]["name"]
    boto3.client("dynamodb").put_item(TableName=os.environ["TABLE"], Item={"pk": {"S": name}})
    print(f"greeting {name}")
    answer = {
        "text": greet(os.environ["GREETING"], name),
        "method": event["httpMethod"],
        "body": event["body"],
        "query": event["multiValueQueryStringParameters"],
        "caller": event["requestContext"]["identity"]["userArn"],
        "request": context.aws_request_id,
    }
    return {"statusCode": 200, "headers": {"X-Shared": "yes"}, "body": json.dumps(answer)}


def step(event: dict[str, Any], context: Any) -> dict[str, Any]:
    CALLS["step"] += 1
    do = event.get("do")
    table = os.environ["TABLE"]
    if do == "flaky" and CALLS["step"] % 3:
        raise TryAgain("not yet")
    if do == "fail":
        raise ValueError("it is broken")
    if do == "exit":
        sys.exit(3)
    if do == "sleep":
        time.sleep(30)
    if do == "forbidden":
        boto3.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "x"}})
    if do == "count":
        boto3.client("dynamodb").put_item(
            TableName=table, Item={"pk": {"S": f"tick-{context.aws_request_id}"}}
        )
    if do == "look":
        import importlib.util

        return {
            "shoal": importlib.util.find_spec("shoal") is not None,
            "variables": sorted(os.environ),
            "pid": os.getpid(),
        }
    return {"calls": CALLS["step"]}
