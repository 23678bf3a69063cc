"""What SES is given, and what a workflow is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from email import message_from_string, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Any

import pytest
from lambda_workflow_services.email import Attachment, Mail
from lambda_workflow_services.email.mailer import Mailer
from lambda_workflow_services.email.settings import Settings, read_settings

from lambda_workflow import ConfigurationError, ServiceError
from lambda_workflow.aws.present import aws_client
from tests.aws.server.process import Server
from tests.services.email.conftest import TABLE, Office, create_table, verify
from tests.services.http.site import Reply, Site, json_reply, running_site

MAIL = Mail(to=("ann@example.org",), subject="Hello", text="Hi")


async def failure(mailer: Mailer, mail: Mail = MAIL) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await mailer.mail(mail, "e/1")
    return raised.value


def shown(header: str) -> str:
    """A header as a reader sees it."""
    return str(make_header(decode_header(header)))


async def test_a_mail_is_sent_and_its_id_returned(office: Office) -> None:
    mail = Mail(
        to=("Änn Lee <ann@example.org>",),
        cc=("bob@example.org",),
        bcc=("Eve, B. <eve@example.org>",),
        subject="Grüße",
        text="Hällo",
    )
    sent = await office.mailer().mail(mail, "e/1")
    (message,) = office.sent()
    assert sent.message_id == message["id"]
    assert (message["subject"], message["body"]) == ("Grüße", "Hällo")
    assert message["source"] == "shop@example.com"
    (ann,) = message["destinations"].pop("ToAddresses")
    assert ann.isascii()
    assert shown(ann) == "Änn Lee <ann@example.org>"
    assert message["destinations"] == {
        "CcAddresses": ["bob@example.org"],
        "BccAddresses": ['"Eve, B." <eve@example.org>'],
    }


async def raw(office: Office, mail: Mail) -> tuple[EmailMessage, dict[str, Any]]:
    await office.mailer(sender_name="Zoë's Shop").mail(mail, "e/1")
    (sent,) = office.sent("RawMessage")
    return message_from_string(sent["raw_data"], EmailMessage, policy=policy.default), sent


RICH = Mail(
    to=("Änn <ann@example.org>", "bob@example.org"),
    cc=("carl@example.org",),
    bcc=("eve@example.org",),
    reply_to=("help@example.com",),
    subject="Ihre Rechnung für " + "sehr lange " * 40,
    text="Hällo\n" + "x" * 5000,
    html='<p>é <img src="cid:logo">',
    headers={"List-Unsubscribe": "<https://example.com/bye>"},
    attachments=(
        Attachment(name="Rechnung März.csv", content=b"1,2\r\n" * 1000),
        Attachment(name="logo.png", content=bytes(range(256)), content_id="logo"),
        Attachment(name="x.tar.gz", content=b"\x1f\x8b"),
        Attachment(name="mail.eml", content=b"From: a\n\nb"),
        Attachment(name="odd", content=b"?", content_type="application/vnd.shop+xml"),
    ),
)


async def test_a_mail_with_files_has_its_headers_and_bodies(office: Office) -> None:
    message, sent = await raw(office, RICH)
    assert sent["raw_data"].isascii()
    assert max(map(len, sent["raw_data"].splitlines())) < 998
    assert "eve@example.org" in sent["destinations"]
    assert "eve@" not in sent["raw_data"]
    assert str(message["From"]) == "Zoë's Shop <shop@example.com>"
    assert str(message["To"]) == "Änn <ann@example.org>, bob@example.org"
    assert str(message["Cc"]) == "carl@example.org"
    assert str(message["Reply-To"]) == "help@example.com"
    assert str(message["Subject"]) == RICH.subject
    assert str(message["List-Unsubscribe"]) == "<https://example.com/bye>"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == f"{RICH.text}\n"
    assert html.get_content().strip() == RICH.html


async def test_files_come_back_as_they_were(office: Office) -> None:
    message, _ = await raw(office, RICH)
    parts = {part.get_filename(): part for part in message.walk() if part.get_filename()}
    assert {name: part.get_content_type() for name, part in parts.items()} == {
        "Rechnung März.csv": "text/csv",
        "logo.png": "image/png",
        "x.tar.gz": "application/octet-stream",
        "mail.eml": "application/octet-stream",
        "odd": "application/vnd.shop+xml",
    }
    for attachment in RICH.attachments:
        assert parts[attachment.name].get_payload(decode=True) == attachment.content
    assert parts["logo.png"]["Content-ID"] == "<logo>"
    assert parts["logo.png"].get_content_disposition() == "inline"


@pytest.mark.parametrize("fields", [{"text": "Hi"}, {"html": "<p>Hi"}])
async def test_one_body_is_enough(office: Office, fields: dict[str, Any]) -> None:
    file = Attachment(name="a.txt", content=b"a")
    mail = Mail(to=("ann@example.org",), subject="Hi", attachments=(file,), **fields)
    message, _ = await raw(office, mail)
    body = message.get_body()
    assert body is not None
    assert body.get_content().strip() in fields.values()
    assert [part.get_content() for part in message.iter_attachments()] == ["a"]


async def test_a_sender_that_is_not_verified_is_told_what_to_do(office: Office) -> None:
    mailer = Mailer(Settings("shop@example.net", TABLE))
    error = await failure(mailer)
    assert (error.type, error.retryable) == ("EmailNotVerified", False)
    assert "verify the sender's address or domain" in str(error)
    assert "sandbox" in str(error)
    assert await office.notes() == []  # so that the call may be made again
    verify(office.server, "example.net")
    assert (await mailer.mail(MAIL, "e/1")).message_id


@pytest.fixture
def ses() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
async def told(server: Server, ses: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mailer]:
    """A mailer whose SES answers as the test says."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", ses.url(""))
    await create_table(aws_client())
    yield Mailer(Settings("shop@example.com", TABLE, "Shop", "tracked"))
    await aws_client().close()


async def test_a_template_goes_out_with_its_data_and_all_else(told: Mailer, ses: Site) -> None:
    ses.says("/v2/email/outbound-emails", json_reply({"MessageId": "m-1"}))
    mail = Mail(
        to=("ann@example.org",),
        reply_to=("help@example.com",),
        sender_name="Zoë",
        template="welcome",
        data={"name": "Änn", "items": [1]},
        headers={"X-A": "b"},
        tags={"kind": "welcome"},
    )
    assert (await told.mail(mail, "e/1")).message_id == "m-1"
    request = json.loads(ses.seen[0].body)
    data = request["Content"]["Template"].pop("TemplateData")
    assert json.loads(data) == {"name": "Änn", "items": [1]}
    assert shown(request.pop("FromEmailAddress")) == "Zoë <shop@example.com>"
    assert request == {
        "Destination": {"ToAddresses": ["ann@example.org"]},
        "ReplyToAddresses": ["help@example.com"],
        "Content": {
            "Template": {"TemplateName": "welcome", "Headers": [{"Name": "X-A", "Value": "b"}]}
        },
        "EmailTags": [{"Name": "kind", "Value": "welcome"}],
        "ConfigurationSetName": "tracked",
    }


@pytest.mark.parametrize(
    ("status", "code", "words", "kind", "wait"),
    [
        (429, "TooManyRequestsException", "Maximum sending rate", "EmailThrottled", None),
        (400, "ThrottlingException", "Daily message quota exceeded", "EmailQuota", 3600),
        (400, "LimitExceededException", "Daily Quota", "EmailQuota", 3600),
        (400, "SendingPausedException", "paused", "EmailPaused", 900),
        (400, "AccountSuspendedException", "gone", "EmailSuspended", False),
        (400, "MessageRejected", "Email address is not verified", "EmailNotVerified", False),
        (400, "MessageRejected", "virus found", "EmailRejected", False),
        (400, "MailFromDomainNotVerifiedException", "no", "EmailNotVerified", False),
        (404, "NotFoundException", "Template t does not exist", "EmailNotFound", False),
        (403, "AccessDeniedException", "not authorized", "EmailNotAllowed", False),
        (400, "BadRequestException", "Missing final '@domain'", "EmailRejected", False),
    ],
)
async def test_what_ses_refuses_may_be_tried_again_if_it_may_pass(
    told: Mailer, ses: Site, *, status: int, code: str, words: str, kind: str, wait: Any
) -> None:
    headers = {"x-amzn-ErrorType": code}
    body = json.dumps({"message": words}).encode()
    ses.says("/v2/email/outbound-emails", Reply(status, body, headers))
    error = await failure(told)
    assert (error.type, error.retryable) == (kind, wait is not False)
    assert error.retry_after == (timedelta(seconds=wait) if wait else None)
    assert error.details == {"code": code, "message": words}
    assert len(ses.seen) == 1  # the retry policy of the call decides, not the client
    ses.says("/v2/email/outbound-emails", json_reply({"MessageId": "m-1"}))
    assert (await told.mail(MAIL, "e/1")).message_id == "m-1"


async def test_where_ses_is_out_of_reach_nothing_was_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://127.0.0.1:1")
    await create_table(aws_client())
    error = await failure(Mailer(Settings("shop@example.com", TABLE, on_doubt="fail")))
    await aws_client().close()
    assert (error.type, error.retryable) == ("EmailUnreachable", True)


def test_settings_name_all_that_is_wrong_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_settings({"EMAIL_SENDER": "Shop <shop@example.com>", "EMAIL_ON_DOUBT": "maybe"})
    for name in ("EMAIL_SENDER", "EMAIL_TABLE", "EMAIL_ON_DOUBT"):
        assert name in str(raised.value)
    given = {"EMAIL_SENDER": "shop@example.com", "EMAIL_TABLE": "t", "EMAIL_ON_DOUBT": "fail"}
    assert read_settings(given) == Settings("shop@example.com", "t", on_doubt="fail")
