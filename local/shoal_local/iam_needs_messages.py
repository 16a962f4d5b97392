"""Permissions of SQS, SNS, SES and EventBridge calls."""

from __future__ import annotations

from email import message_from_bytes
from email.utils import getaddresses, parseaddr
from typing import Any

from shoal_local.iam_needs import Need, rule, tags_in, unknown
from shoal_local.names import arn, backend
from shoal_local.wire import Call

_BATCH = {
    "SendMessageBatch": "SendMessage", "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}  # fmt: skip


@rule("sqs")
def sqs(call: Call) -> list[Need]:
    p = call.parameters
    if call.operation == "ListQueues":
        return [Need("sqs:ListQueues")]
    name = p.get("QueueName") or str(p.get("QueueUrl", "")).rsplit("/", 1)[-1]
    if not name:
        raise unknown(call)
    needs = [Need(f"sqs:{_BATCH.get(call.operation, call.operation)}", (arn("sqs", name),))]
    if call.operation == "CreateQueue" and tags_in(p):
        needs.append(Need("sqs:TagQueue", (arn("sqs", name),)))
    return needs


@rule("sns")
def sns(call: Call) -> list[Need]:
    p = call.parameters
    if call.operation.startswith("List") and not p.get("TopicArn"):
        return [Need(f"sns:{call.operation}")]
    resource = p.get("TopicArn") or p.get("TargetArn") or p.get("ResourceArn") or p.get("SubscriptionArn")
    if p.get("Name"):
        resource = arn("sns", p["Name"])
    if not resource:
        raise unknown(call)
    return [Need(f"sns:{call.operation}", (str(resource),))]


def _identity(source: str) -> str:
    """The verified identity that lets an address send: the address itself, else its domain."""
    address = parseaddr(source)[1]
    verified = backend("ses").email_identities
    domain = address.rpartition("@")[2]
    return arn("ses", f"identity/{domain if address not in verified and domain in verified else address}")


def _mail(action: str, source: str, recipients: list[str]) -> list[Need]:
    context = {"ses:fromaddress": (parseaddr(source)[1],), "ses:recipients": tuple(recipients)}
    return [Need(action, (_identity(source),), context)]


def _recipients(destination: dict[str, Any]) -> list[str]:
    return [a for key in ("ToAddresses", "CcAddresses", "BccAddresses") for a in destination.get(key) or []]


@rule("ses")
def ses(call: Call) -> list[Need]:
    p = call.parameters
    if call.operation == "SendEmail":
        return _mail("ses:SendEmail", p["Source"], _recipients(p.get("Destination") or {}))
    if call.operation == "SendRawEmail":
        message = message_from_bytes(p["RawMessage"]["Data"])
        recipients = p.get("Destinations") or [a for _, a in getaddresses(message.get_all("To", []))]
        return _mail("ses:SendRawEmail", p.get("Source") or str(message["From"]), recipients)
    if call.operation.startswith(("Get", "List", "Verify", "Describe")):
        return [Need(f"ses:{call.operation}")]
    raise unknown(call)


@rule("sesv2")
def ses_v2(call: Call) -> list[Need]:
    p = call.parameters
    if call.operation == "SendEmail":
        raw = "Raw" in (p.get("Content") or {})
        source = p.get("FromEmailAddress") or str(message_from_bytes(p["Content"]["Raw"]["Data"])["From"])
        return _mail(
            "ses:SendRawEmail" if raw else "ses:SendEmail", source, _recipients(p.get("Destination") or {})
        )
    if call.operation.endswith("EmailIdentity"):
        return [Need(f"ses:{call.operation}", (arn("ses", f"identity/{p['EmailIdentity']}"),))]
    if call.operation in {"GetAccount", "ListEmailIdentities"}:
        return [Need(f"ses:{call.operation}")]
    raise unknown(call)


@rule("events")
def events(call: Call) -> list[Need]:
    p = call.parameters
    if call.operation == "PutEvents":
        buses = {entry.get("EventBusName") or "default" for entry in p.get("Entries") or []}
        arns = sorted(bus if bus.startswith("arn:") else arn("events", f"event-bus/{bus}") for bus in buses)
        return [Need("events:PutEvents", tuple(arns))]
    name = p.get("Name") or p.get("Rule")
    return [Need(f"events:{call.operation}", (arn("events", f"rule/{name}"),) if name else ("*",))]
