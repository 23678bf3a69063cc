"""The contract of the service `email`: one mail, and the id that SES gave it.

What can be seen to be wrong without sending is refused where the mail is written; nothing that a
mail is made of can end a header and begin another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lambda_workflow import RetryPolicy, Service

__all__ = ["EMAIL", "Attachment", "Mail", "Sent"]

RECIPIENTS_MAX: Final = 50  # SES, of one message: to, cc and bcc together
ATTACHMENTS_BYTES_MAX: Final = 11 * 1024 * 1024  # base64 makes 14.7 MiB of it, a payload has 16
SUBJECT_CHARACTERS_MAX: Final = 900  # a header's line has 998 (RFC 5322), SES folds none
TEMPLATE_DATA_BYTES_MAX: Final = 262_144  # SES
HEADERS_MAX: Final = 15  # SES
TAGS_MAX: Final = 45  # SES has 50, with its own

ADDRESS_CHARACTERS_MAX: Final = 400  # SES: 320 for the address; the rest is for a name

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN: Final = rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}"
ADDRESS: Final = re.compile(rf"(?:(?P<name>[^<>\"\\]*[^<>\"\\ ]) +<)?(?P<plain>{_PLAIN})(?(name)>)")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TOKEN: Final = re.compile(r"[A-Za-z0-9-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e]{1,870}")
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")
_CONTENT_ID: Final = re.compile(r"[A-Za-z0-9._-]+")
_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_TEMPLATE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESERVED: Final = frozenset(
    {
        *("bcc", "cc", "date", "from", "message-id", "mime-version", "reply-to", "return-path"),
        *("sender", "subject", "to"),
    }
)


class Attachment(BaseModel):
    """A file that goes along.

    Args:
        name: as the reader sees it.
        content: its bytes.
        content_type: such as "text/csv"; by the name's ending if not given.
        content_id: makes it a part of `html`, which shows it with `<img src="cid:CONTENT_ID">`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=200)
    content: bytes
    content_type: str = ""
    content_id: str = ""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        return _on_one_line("name", name)

    @model_validator(mode="after")
    def _check_forms(self) -> Self:
        if self.content_type and not _TYPE.fullmatch(self.content_type):
            raise ValueError(f"content_type {self.content_type!r}: write it as 'text/csv'")
        if self.content_id and not _CONTENT_ID.fullmatch(self.content_id):
            raise ValueError(f"content_id {self.content_id!r}: it must be letters, digits and ._-")
        return self


class Mail(BaseModel):
    """A mail: a subject with `text`, `html` or both; or a template of SES with its data.

    Args:
        to, cc, bcc, reply_to: addresses, "ann@example.com" or "Ann Lee <ann@example.com>".
        sender_name: stands before the deployment's sender, instead of the deployment's own.
        template, data: the name of a template that SES has, and the values of its variables.
        headers: more headers, such as List-Unsubscribe; printable ASCII.
        tags: by which SES's events and metrics are told apart; letters, digits, '_' and '-'.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    sender_name: str = Field(default="", max_length=200)
    subject: str = Field(default="", max_length=SUBJECT_CHARACTERS_MAX)
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    template: str = ""
    data: Mapping[str, Any] = {}
    headers: Mapping[str, str] = Field(default={}, max_length=HEADERS_MAX)
    tags: Mapping[str, str] = Field(default={}, max_length=TAGS_MAX)

    @field_validator("to", "cc", "bcc", "reply_to", mode="before")
    @classmethod
    def _check_several(cls, addresses: object) -> object:
        if isinstance(addresses, str):
            raise ValueError(f"these are several addresses: for one, write ({addresses!r},)")
        return addresses

    @field_validator("to", "cc", "bcc", "reply_to")
    @classmethod
    def _check_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            _on_one_line("address", address)
            if len(address) > ADDRESS_CHARACTERS_MAX or not ADDRESS.fullmatch(address):
                raise ValueError(
                    f"{address!r} is no address: write ann@example.com or Ann Lee "
                    "<ann@example.com>, with the domain in ASCII (xn--…)"
                )
        return addresses

    @field_validator("sender_name", "subject")
    @classmethod
    def _check_line(cls, text: str) -> str:
        return _on_one_line("it", text)

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"header {name!r}: it must be printable ASCII on one line")
            if name.lower() in _RESERVED or name.lower().startswith("content-"):
                raise ValueError(f"header {name!r} is made from the mail's fields, or by SES")
        return headers

    @field_validator("tags")
    @classmethod
    def _check_tags(cls, tags: Mapping[str, str]) -> Mapping[str, str]:
        for tag in (text for pair in tags.items() for text in pair):
            if not _TAG.fullmatch(tag):
                raise ValueError(f"tag {tag!r}: it must be 1 to 256 letters, digits, '_' and '-'")
        return tags

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if not 1 <= (count := len(self.to) + len(self.cc) + len(self.bcc)) <= RECIPIENTS_MAX:
            raise ValueError(
                f"it has {count} recipients, and a mail has 1 to {RECIPIENTS_MAX}: send more mails"
            )
        size = sum(len(attachment.content) for attachment in self.attachments)
        if size > ATTACHMENTS_BYTES_MAX:
            raise ValueError(
                f"attachments have {size:,} bytes, and {ATTACHMENTS_BYTES_MAX:,} fit: put them "
                "into a bucket, and mail a link"
            )
        if any(attachment.content_id for attachment in self.attachments) and not self.html:
            raise ValueError("an attachment with a content_id belongs into html, and there is none")
        self._check_template()
        return self

    def _check_template(self) -> None:
        if not self.template:
            if self.data:
                raise ValueError("data are the values of a template: say which")
            if not self.subject or not (self.text or self.html):
                raise ValueError("it needs a subject, and text or html; or a template")
            return
        if not _TEMPLATE.fullmatch(self.template):
            raise ValueError(f"template {self.template!r}: 1 to 64 letters, digits, '_' and '-'")
        if self.subject or self.text or self.html or self.attachments:
            raise ValueError("a template has its own subject, text and html, and no attachments")
        try:
            size = len(json.dumps(self.data, ensure_ascii=False, allow_nan=False).encode())
        except (TypeError, ValueError) as error:
            raise ValueError(f"data must be JSON: {error}") from None
        if size > TEMPLATE_DATA_BYTES_MAX:
            raise ValueError(
                f"data are {size:,} bytes of JSON, and SES takes {TEMPLATE_DATA_BYTES_MAX:,}"
            )


class Sent(BaseModel):
    """SES has the mail; whether it arrives is told by the events of a configuration set.

    Attributes:
        message_id: SES's id of it, which those events have too.
    """

    model_config = ConfigDict(frozen=True)

    message_id: str


def _on_one_line(what: str, text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError(f"{what} has a line end or another control character: {text[:100]!r}")
    return text


# Without an attempt_timeout: it would run while a mail waits its turn behind thousands of others.
EMAIL: Final = Service(
    "email",
    Mail,
    Sent,
    retry=RetryPolicy(attempts=6, initial=timedelta(seconds=5)),
)
