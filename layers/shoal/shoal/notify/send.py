"""Send the mail through SES.

SES has no idempotency token: a step that is retried after a lost answer mails twice. The mail says the
revision and the outcome, so that a reader can tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shoal import deployments
from shoal.aws import client, domain_errors
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Deployment
from shoal.notify.message import compose
from shoal.notify.parts import Mail
from shoal.notify.safe import header
from shoal.settings import settings
from shoal.telemetry import logger

_NOBODY: dict[str, Any] = {"message_id": "", "recipients": 0}


def notify(name: str, revision: int, generation: int, outcome: DeploymentStatus) -> dict[str, Any]:
    """Mail the outcome to the addresses of the specification and to the operators (blind copies).

    Answers ``{"message_id": str, "recipients": int}``; without a sender or a recipient nothing is sent.

    Raises:
        StaleWriter: a newer generation owns the deployment.
        AwsError: SES refused; in its sandbox the recipients must be verified too.
    """
    deployment = deployments.at(name, revision, generation)
    return deliver(deployment, lambda: compose(deployment, outcome, settings().shoal_environment))


def deliver(deployment: Deployment, composed: Callable[[], Mail]) -> dict[str, Any]:
    """Mail to the addresses of the specification and to the operators; answers as :func:`notify` does.

    Raises:
        AwsError: SES refused; in its sandbox the recipients must be verified too.
    """
    about = {"deployment": deployment.name, "revision": deployment.revision}
    operators = [part.strip() for part in settings().operator_addresses.split(",") if part.strip()]
    people = [str(address) for address in deployment.spec.notify]
    if not settings().sender_address or not people + operators:
        logger().info("nobody to mail", extra=about)
        return _NOBODY
    mail = composed()
    copies = [address for address in operators if address not in people] if people else []
    destination = {"ToAddresses": people or operators, "BccAddresses": copies}
    message_id = _send(
        mail, {kind: [header(one) for one in found] for kind, found in destination.items() if found}
    )
    recipients = len(people or operators) + len(copies)
    logger().info("mailed", extra=about | {"recipients": recipients})
    return {"message_id": message_id, "recipients": recipients}


def _send(mail: Mail, destination: dict[str, list[str]]) -> str:
    def part(text: str) -> dict[str, str]:
        return {"Data": text, "Charset": "UTF-8"}

    body = {"Text": part(mail.text), "Html": part(mail.html)}
    with domain_errors("send the mail"):
        answer = client("sesv2").send_email(
            FromEmailAddress=header(settings().sender_address),
            Destination=destination,
            Content={"Simple": {"Subject": part(mail.subject), "Body": body}},
        )
    return str(answer["MessageId"])
