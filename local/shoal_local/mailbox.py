"""The e-mails the account has sent, as SES received them: moto keeps one body only, a person wants both."""

from __future__ import annotations

import re
import threading
import time
from email import message_from_bytes
from email.message import Message
from typing import Any

from shoal_local.wire import Call

Mail = dict[str, Any]


class Mailbox:
    """Thread safe. A mail has ``id, time, from, to, cc, bcc, reply_to, subject, text, html``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mails: list[Mail] = []

    def all(self) -> list[Mail]:
        with self._lock:
            return list(self._mails)

    def take(self, call: Call, answer: bytes) -> None:
        """Keep what a successful SendEmail or SendRawEmail sent."""
        mail = _raw(call) or _simple(call)
        found = re.search(rb'<MessageId>([^<]+)<|"MessageId":\s*"([^"]+)"', answer)
        identifier = (found.group(1) or found.group(2)).decode() if found else ""
        with self._lock:
            self._mails.append({"id": identifier, "time": time.time(), **mail})


def sends_mail(call: Call) -> bool:
    return call.service in {"ses", "sesv2"} and call.operation in {"SendEmail", "SendRawEmail"}


def _simple(call: Call) -> Mail:
    p = call.parameters
    message = p.get("Message") or (p.get("Content") or {}).get("Simple") or {}
    body, to = message.get("Body") or {}, p.get("Destination") or {}
    return {
        "from": p.get("Source") or p.get("FromEmailAddress"),
        "to": to.get("ToAddresses") or [],
        "cc": to.get("CcAddresses") or [],
        "bcc": to.get("BccAddresses") or [],
        "reply_to": p.get("ReplyToAddresses") or [],
        "subject": (message.get("Subject") or {}).get("Data", ""),
        "text": (body.get("Text") or {}).get("Data", ""),
        "html": (body.get("Html") or {}).get("Data", ""),
    }


def _raw(call: Call) -> Mail | None:
    raw = call.parameters.get("RawMessage") or (call.parameters.get("Content") or {}).get("Raw")
    if not raw:
        return None
    message = message_from_bytes(raw["Data"])
    return {
        "from": call.parameters.get("Source") or message["From"],
        "to": call.parameters.get("Destinations") or [message["To"]],
        "cc": [],
        "bcc": [],
        "reply_to": [],
        "subject": str(message["Subject"] or ""),
        "text": _part(message, "text/plain"),
        "html": _part(message, "text/html"),
    }


def _part(message: Message, kind: str) -> str:
    for part in message.walk():
        if part.get_content_type() == kind:
            payload = part.get_payload(decode=True)
            return payload.decode(part.get_content_charset() or "utf-8") if isinstance(payload, bytes) else ""
    return ""
