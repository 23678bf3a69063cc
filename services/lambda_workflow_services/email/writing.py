"""A mail as SES takes it: parameters of SendEmail, with raw MIME where files go along."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.utils import formataddr
from typing import Any, Final

from lambda_workflow_services.email import ADDRESS, Attachment, Mail
from lambda_workflow_services.email.settings import Settings

_SEVEN_BITS: Final = policy.SMTP.clone(cte_type="7bit")  # what every server on the way passes on


def request_of(mail: Mail, settings: Settings) -> dict[str, Any]:
    """The parameters of SendEmail.

    Raises:
        ValueError: the standard library's mail package refuses an address; says which.
    """
    request: dict[str, Any] = {
        "FromEmailAddress": _encoded(_sender(mail, settings)),
        "Destination": {
            field: [_encoded(_parsed(address)) for address in addresses]
            for field, addresses in (
                ("ToAddresses", mail.to),
                ("CcAddresses", mail.cc),
                ("BccAddresses", mail.bcc),
            )
            if addresses
        },
        "Content": _content(mail, settings),
    }
    if mail.reply_to and not mail.attachments:
        request["ReplyToAddresses"] = [_encoded(_parsed(address)) for address in mail.reply_to]
    if mail.tags:
        request["EmailTags"] = [{"Name": n, "Value": v} for n, v in mail.tags.items()]
    if settings.configuration_set:
        request["ConfigurationSetName"] = settings.configuration_set
    return request


def _content(mail: Mail, settings: Settings) -> dict[str, Any]:
    if mail.attachments:
        return {"Raw": {"Data": _mime(mail, settings).as_bytes()}}
    headers = [{"Name": name, "Value": value} for name, value in mail.headers.items()]
    more = {"Headers": headers} if headers else {}
    if mail.template:
        data = json.dumps(mail.data, ensure_ascii=False)
        return {"Template": {"TemplateName": mail.template, "TemplateData": data, **more}}
    bodies = (("Text", mail.text), ("Html", mail.html))
    body = {kind: _utf8(text) for kind, text in bodies if text}
    return {"Simple": {"Subject": _utf8(mail.subject), "Body": body, **more}}


def _mime(mail: Mail, settings: Settings) -> EmailMessage:
    message = EmailMessage(policy=_SEVEN_BITS)
    message["From"] = _sender(mail, settings)
    for name, addresses in (("To", mail.to), ("Cc", mail.cc), ("Reply-To", mail.reply_to)):
        if addresses:  # and no Bcc: its addresses are in the request alone
            message[name] = [_parsed(address) for address in addresses]
    message["Subject"] = mail.subject
    for name, value in mail.headers.items():
        message[name] = value
    within = [attachment for attachment in mail.attachments if attachment.content_id]
    if mail.text:
        message.set_content(mail.text)
    if mail.html and mail.text:
        message.add_alternative(mail.html, subtype="html")
        _relate(_parts(message)[-1], within)
    elif mail.html:
        message.set_content(mail.html, subtype="html")
        _relate(message, within)
    for attachment in mail.attachments:
        if not attachment.content_id:
            main, sub = _type(attachment)
            message.add_attachment(
                attachment.content, maintype=main, subtype=sub, filename=attachment.name
            )
    return message


def _parts(message: EmailMessage) -> list[MIMEPart]:
    return list(message.iter_parts())


def _relate(html: MIMEPart, attachments: Iterable[Attachment]) -> None:
    for attachment in attachments:
        main, sub = _type(attachment)
        html.add_related(
            attachment.content,
            maintype=main,
            subtype=sub,
            filename=attachment.name,
            cid=f"<{attachment.content_id}>",
            disposition="inline",
        )


def _type(attachment: Attachment) -> tuple[str, str]:
    guessed, encoding = mimetypes.guess_type(attachment.name)
    known = attachment.content_type or (guessed if not encoding else None)
    main, _, sub = (known or "application/octet-stream").partition("/")
    if main in ("message", "multipart"):  # those are no files, but what mails are built of
        return "application", "octet-stream"
    return main, sub


def _sender(mail: Mail, settings: Settings) -> Address:
    return Address(mail.sender_name or settings.sender_name, addr_spec=settings.sender)


def _parsed(text: str) -> Address:
    found = ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no address")
    try:
        return Address(found["name"] or "", addr_spec=found["plain"])
    except (ValueError, IndexError) as error:
        raise ValueError(f"{text!r} is no address: {error}") from None


def _encoded(address: Address) -> str:
    return formataddr((address.display_name, address.addr_spec))


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
