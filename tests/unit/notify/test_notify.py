"""E-mail: who gets it, what it says, and what cannot be smuggled into it."""

from __future__ import annotations

import html
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_world import World, load_app, move
from shoal import deployments, notify
from shoal.aws import client
from shoal.contracts.leftover import Leftover
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Deployment
from shoal.deployments.leftovers import as_text
from shoal.deployments.store import record_facts
from shoal.errors import AwsError, InvalidRequest, StaleWriter
from shoal.notify.safe import header, markup, plain
from shoal.settings import settings as shoal_settings

S = DeploymentStatus
HOSTILE = "<img src=x onerror=alert(1)>\"'&\u202e\x1b[2J\r\nBcc: evil@example.org\x9b"


class Ses:
    """Keeps what it was asked to send."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_email(self, **arguments: Any) -> dict[str, str]:
        self.sent.append(arguments)
        return {"MessageId": f"message-{len(self.sent)}"}


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Ses:
    fake = Ses()
    monkeypatch.setattr("shoal.notify.send.client", lambda service: fake)
    return fake


def deploy(world: World, notify: tuple[str, ...] = ("scientist@example.org",), **changes: Any) -> None:
    world.put("shoal-data", "models/reef.onnx")
    body = {"name": "reef", "model_location": "s3://shoal-data/models/reef.onnx", "notify": list(notify)}
    assert world.call("POST", "/deploy", body | {"serves": ["queue", "endpoint"]} | changes).status == 202


def step(outcome: str, generation: int = 1) -> dict[str, Any]:
    event = {"deployment": "reef", "revision": 1, "generation": generation, "outcome": outcome}
    return load_app("notification").lambda_handler(event, None)


def test_a_ready_deployment_is_mailed_with_how_to_use_it(world: World, ses: Ses) -> None:
    # Given
    deploy(world)
    record_facts("reef", 1, endpoint="http://balancer.example.org:5001", queue_url="https://sqs/q")
    move("reef", 1, S.DEPLOYING, S.READY)
    # When
    answer = step("READY")
    # Then
    assert answer == {"message_id": "message-1", "recipients": 2}
    (mail,) = ses.sent
    assert mail["FromEmailAddress"] == "shoal@example.org"
    assert mail["Destination"] == {
        "ToAddresses": ["scientist@example.org"],
        "BccAddresses": ["operator@example.org"],
    }
    simple = mail["Content"]["Simple"]
    assert simple["Subject"]["Data"] == "[shoal dev] reef is READY"
    for part in (simple["Body"]["Text"]["Data"], html.unescape(simple["Body"]["Html"]["Data"])):
        assert "curl -F image=@frame.png http://balancer.example.org:5001/predict" in part
        assert "shoal process dive.mp4 --deployment reef" in part
        assert "https://sqs/q" in part


@pytest.mark.parametrize(
    ("statuses", "outcome", "says", "never"),
    [
        ((S.DEPLOYING, S.ROLLING_BACK, S.FAILED), "FAILED", "rolled back", "curl"),
        (
            (S.DEPLOYING, S.ROLLING_BACK, S.ROLLBACK_FAILED),
            "ROLLBACK_FAILED",
            "left: instance i-1 (1.006 USD an hour): Denied: [no]",
            "curl",
        ),
        ((S.DEPLOYING, S.READY, S.DELETING, S.DELETED), "DELETED", "nothing left", "left: queue"),
        ((S.DELETING, S.DELETE_INCOMPLETE), "DELETE_INCOMPLETE", "shoal delete reef", "curl"),
    ],
)
def test_other_outcomes(
    world: World, ses: Ses, statuses: tuple[S, ...], outcome: str, says: str, never: str
) -> None:
    # Given
    deploy(world)
    record_facts("reef", 1, endpoint="http://balancer.example.org:5001")
    left = Leftover(
        kind="instance", name="i-1", reason="Denied: [no]", usd_per_hour=1.006, advice="shoal delete reef"
    )
    record_facts("reef", 1, leftovers=as_text([left]))
    for status in statuses:
        deployments.transition("reef", 1, status, "test", "no g5.xlarge capacity in us-west-2b")
    # When
    step(outcome)
    # Then
    simple = ses.sent[0]["Content"]["Simple"]
    assert simple["Subject"]["Data"].endswith(f"reef is {outcome}")
    for part in simple["Body"].values():
        shown = html.unescape(part["Data"]).replace("<dt>", "").replace("</dt><dd>", ": ")
        assert says in shown
        assert never not in shown
        assert "no g5.xlarge capacity in us-west-2b" in shown


@pytest.mark.parametrize(
    ("people", "operators", "sender", "to", "copies", "recipients"),
    [
        ((), "operator@example.org", "shoal@example.org", ["operator@example.org"], None, 1),
        (("a@example.org",), "", "shoal@example.org", ["a@example.org"], None, 1),
        (("a@example.org",), "a@example.org, b@example.org", "s@example.org", ["a@example.org"],
         ["b@example.org"], 2),
        ((), "", "shoal@example.org", None, None, 0),
        (("a@example.org",), "b@example.org", "", None, None, 0),
    ],
)  # fmt: skip
def test_who_gets_it(
    world: World,
    ses: Ses,
    monkeypatch: pytest.MonkeyPatch,
    people: tuple[str, ...],
    operators: str,
    sender: str,
    to: list[str] | None,
    copies: list[str] | None,
    recipients: int,
) -> None:
    # Given
    deploy(world, people)
    monkeypatch.setenv("OPERATOR_ADDRESSES", operators)
    monkeypatch.setenv("SENDER_ADDRESS", sender)
    shoal_settings.cache_clear()
    # When
    answer = step("FAILED")
    # Then
    assert answer["recipients"] == recipients
    sent = ses.sent[0]["Destination"] if ses.sent else {}
    assert (sent.get("ToAddresses"), sent.get("BccAddresses")) == (to, copies)


def test_a_step_of_an_older_generation_mails_nobody(world: World, ses: Ses) -> None:
    # Given
    deploy(world)
    world.call("DELETE", "/deploy/reef")
    # Then
    with pytest.raises(StaleWriter):
        step("READY", generation=1)
    assert ses.sent == []


def test_ses_itself(world: World) -> None:
    # Given
    deploy(world)
    # When SES does not know the sender, then it does
    with pytest.raises(AwsError, match="MessageRejected"):
        step("FAILED")
    client("sesv2").create_email_identity(EmailIdentity="shoal@example.org")
    # Then
    assert step("FAILED")["message_id"]


def _deployment(text: str) -> Deployment:
    spec = {"name": "reef", "model_location": "s3://bucket/key", "comment": text[:500]}
    adjustment = {"field": text, "given": text, "used": text, "reason": text}
    return Deployment.from_item(
        {"name": "reef", "status": "FAILED", "reason": text, "revision": 1, "generation": 1}
        | {"spec": json.dumps(spec), "adjustments": json.dumps([adjustment])}
        | {"endpoint": text, "queue_url": text}
    )


class _Page(HTMLParser):
    """The tags of a page, and whether any has attributes that we did not write."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))


OURS = {
    ("html", ("lang",)), ("head", ()), ("meta", ("charset",)), ("title", ()), ("body", ("style",)),
    ("h1", ()), ("p", ()), ("dl", ()), ("dt", ()), ("dd", ()), ("pre", ()),
}  # fmt: skip


@pytest.mark.parametrize("outcome", list(S))
@pytest.mark.parametrize("text", [HOSTILE, "</pre><script>", "{0}{title}", "\u2028\u2066"])
def test_no_field_breaks_out(outcome: S, text: str) -> None:
    # When
    left = Leftover(kind=text, name=text, reason=text, advice=text)
    mail = notify.compose(_deployment(text).model_copy(update={"leftovers": [left]}), outcome, "dev")
    # Then
    assert set(_Page(mail.html).tags) <= OURS
    for part in (mail.text, mail.html):
        assert not set(part) & set("\x1b\x9b\u202e\u2028\u2066\r")
    assert not any(line.startswith("Bcc:") for line in mail.text.splitlines())
    assert mail.subject == f"[shoal dev] reef is {outcome}"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_made_harmless(text: str) -> None:
    shown = plain(text)
    assert shown.replace("\n", " ").replace("\t", " ").isprintable() or any(ord(one) > 0x7F for one in shown)
    assert not set(shown) & {chr(code) for code in [*range(9), *range(11, 32), *range(0x7F, 0xA0)]}
    assert not set(markup(text)) & set("<>\"'")


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\x00", "a\x9b", "a\u202eb", "a\u2066", "\u2028", "\x7f"])
def test_a_header_refuses_what_could_end_it(text: str) -> None:
    with pytest.raises(InvalidRequest, match="control characters"):
        header(text)


def test_a_header_keeps_what_is_harmless() -> None:
    assert header("[shoal dev] r\u00e9cif is READY") == "[shoal dev] r\u00e9cif is READY"


@pytest.mark.parametrize(
    ("ends", "outcome", "subject", "words"),
    [
        (
            [S.UPDATING],
            "FAILED",
            "reef: the update failed, revision 1 serves",
            ["nothing is left of the failed one", "no capacity"],
        ),
        (
            [S.UPDATING, S.UPDATE_ROLLING_BACK, S.UPDATE_ROLLBACK_FAILED],
            "ROLLBACK_FAILED",
            "reef is UPDATE_ROLLBACK_FAILED",
            ["shoal rollback reef"],
        ),
        ([S.STOPPING, S.STOPPED], "FAILED", "reef is STOPPED", ["its jobs wait"]),
    ],
)
def test_a_failed_change_says_what_serves_now(
    world: World, ses: Ses, ends: list[S], outcome: str, subject: str, words: list[str]
) -> None:
    # Given
    deploy(world)
    move("reef", 1, S.DEPLOYING, S.READY, *ends)
    if ends == [S.UPDATING]:
        deployments.store.return_to_good("reef", 1, "tests", "no capacity")
    # When
    step(outcome)
    # Then
    content = ses.sent[0]["Content"]["Simple"]
    assert content["Subject"]["Data"] == f"[shoal dev] {subject}"
    assert [word for word in words if word not in content["Body"]["Text"]["Data"]] == []
