"""What is no mail is refused where it is written."""

from __future__ import annotations

from typing import Any

import pytest
from lambda_workflow_services.email import EMAIL, Attachment, Mail
from pydantic import ValidationError

PLAIN: dict[str, Any] = {"to": ("ann@example.com",), "subject": "Hello", "text": "Hi"}


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com",
        "Ann Lee <ann@example.com>",
        "Änn (Sales) Lee, Jr. <ann.lee+x_y@mail.example-shop.co.uk>",
        "o'neill@xn--bcher-kva.example",
    ],
)
def test_an_address_may_have_a_name(address: str) -> None:
    assert Mail(**{**PLAIN, "to": (address,)}).to == (address,)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "a b@example.com",
            "ann@exa mple.com",
        ),
        *(
            "ann@example.com,bob@example.com",
            "<ann@example.com>",
            "Ann <ann@example.com",
            "a@b@c.de",
        ),
        *("ann@bücher.example", "änn@example.com", "ann..lee@example.com", ".ann@example.com"),
        *("ann@-example.com", "ann@example..com", "Ann <ann@example.com> Lee", f"{'a' * 65}@b.de"),
        *('"Ann" <ann@example.com>', "Ann\\ <ann@example.com>", "ann@[127.0.0.1]"),
        *("ann@example.com\nBcc: eve@example.com", "Ann\r\nBcc: eve@example.com <ann@example.com>"),
        *("ann@example.com\x00", "Ann\u2028 <ann@example.com>", " " * 500 + "<ann@example.com>"),
    ],
)
@pytest.mark.parametrize("field", ["to", "cc", "bcc", "reply_to"])
def test_what_is_no_address_is_refused(field: str, address: str) -> None:
    with pytest.raises(ValidationError, match=r"is no address|control character"):
        Mail(**{**PLAIN, field: (address,)})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"subject": "Hi\nBcc: eve@example.com"}, "line end"),
        ({"subject": "Hi\r"}, "line end"),
        ({"sender_name": "Shop\nBcc: eve@example.com"}, "line end"),
        ({"subject": "x" * 901}, "at most 900"),
        ({"headers": {"X-A": "1\r\nBcc: eve@example.com"}}, "printable ASCII"),
        ({"headers": {"X A": "1"}}, "printable ASCII"),
        ({"headers": {"X-A:": "1"}}, "printable ASCII"),
        ({"headers": {"bcc": "eve@example.com"}}, "made from the mail's fields"),
        ({"headers": {"Content-Type": "text/html"}}, "made from the mail's fields"),
        ({"headers": {f"X-{n}": "1" for n in range(16)}}, "at most 15"),
        ({"tags": {"a b": "c"}}, "tag 'a b'"),
        ({"tags": {"a": "c.d"}}, "tag 'c.d'"),
        ({"to": ()}, "0 recipients"),
        ({"bcc": ("b@example.com",) * 50}, "51 recipients"),
        ({"text": ""}, "needs a subject, and text or html"),
        ({"subject": ""}, "needs a subject, and text or html"),
        ({"data": {"a": 1}}, "say which"),
        ({"template": "welcome"}, "has its own subject"),
        ({"attachments": (Attachment(name="a", content=b"", content_id="a"),)}, "into html"),
        ({"attachments": (Attachment(name="a", content=bytes(11_600_000)),)}, "11,600,000 bytes"),
        ({"from": "eve@example.com"}, "Extra inputs"),
    ],
)
def test_what_is_no_mail_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Mail(**{**PLAIN, **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"template": "no such name"}, "letters, digits"),
        ({"template": "t", "data": {"a": "x" * 262_144}}, "bytes of JSON"),
        ({"template": "t", "data": {"a": float("nan")}}, "must be JSON"),
        ({"template": "t", "data": {"a": object()}}, "must be JSON"),
    ],
)
def test_a_template_that_ses_would_not_take_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Mail(to=("ann@example.com",), **fields)


def test_a_refusal_does_not_show_what_is_in_the_mail() -> None:
    with pytest.raises(ValidationError, match="it needs a subject") as refused:
        Mail(to=("ann@example.com",), text="you are fired")
    assert "fired" not in f"{refused.value} {refused.value!r}"


@pytest.mark.parametrize("field", ["to", "cc", "bcc", "reply_to"])
def test_one_address_is_written_as_a_tuple_of_it(field: str) -> None:
    with pytest.raises(ValidationError, match=r"write \('bob@example.com',\)"):
        Mail(**{**PLAIN, field: "bob@example.com"})


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a\nb"},
        {"name": ""},
        {"name": "a", "content_type": "text"},
        {"name": "a", "content_type": "text/csv\r\nX: y"},
        {"name": "a", "content_id": "a>b"},
    ],
)
def test_what_is_no_attachment_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Attachment(content=b"", **fields)


def test_a_mail_travels_as_json() -> None:
    attachments = (Attachment(name="a.bin", content=b"\x00\xff", content_id="a"),)
    mail = Mail(**PLAIN, html="<p>", attachments=attachments, tags={"kind": "hello"})
    assert EMAIL.request_codec.decode(EMAIL.request_codec.encode(mail)) == mail
