"""HTTP as Lambda gets it: events of function URLs and HTTP APIs, which are alike, and of ALBs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from lambda_workflow_services.approval.views import HEADERS, View

BODY_BYTES_MAX: Final = 32 * 1024  # 2,100 characters of four bytes are 25 KB in a form
_FIELDS_MAX: Final = 10
_FORM: Final = "application/x-www-form-urlencoded"


class Unreadable(Exception):
    """A request that is answered by its form alone, with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A request; the names of its headers in lower case.

    Attributes:
        done: whether it is the one that a sent form leads to.
        host: that the browser asked, as far as Lambda knows.
    """

    method: str
    path: str
    done: bool
    host: str
    headers: Mapping[str, str]
    body: str
    is_base64: bool

    def is_foreign(self, origin: str) -> bool:
        """Whether a browser says that another site's page has sent it."""
        if self.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return True
        own = origin or f"https://{self.host}".lower()
        return self.headers.get("origin", own).lower() != own

    def form(self) -> dict[str, str]:
        """The fields of the body.

        Raises:
            Unreadable: it is no form, or too large for the page's own.
        """
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise Unreadable(415)
        if len(self.body) > BODY_BYTES_MAX * (4 / 3 if self.is_base64 else 1) + 4:
            raise Unreadable(413)
        try:
            data = (
                base64.b64decode(self.body, validate=True) if self.is_base64 else self.body.encode()
            )
            if len(data) > BODY_BYTES_MAX:
                raise Unreadable(413)
            pairs = parse_qsl(
                data.decode(),
                keep_blank_values=True,
                strict_parsing=bool(data),
                errors="strict",
                max_num_fields=_FIELDS_MAX,
            )
        except (ValueError, binascii.Error) as error:
            raise Unreadable(400) from error
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise Unreadable(400)
        return fields


def read_request(event: Mapping[str, Any]) -> Request:
    """The request in an event.

    Raises:
        Unreadable: the event is of another kind.
    """
    headers = {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    context = event.get("requestContext") or {}
    if "http" in context:
        method, path = context["http"].get("method"), event.get("rawPath")
        query, host = str(event.get("rawQueryString") or ""), context.get("domainName")
    elif "elb" in context:
        method, path, host = event.get("httpMethod"), event.get("path"), headers.get("host")
        query = "&".join(event.get("queryStringParameters") or {})
    else:
        raise Unreadable(400)
    return Request(
        str(method or "").upper(),
        str(path or "/"),
        query.partition("&")[0].partition("=")[0] == "done",
        str(host or ""),
        headers,
        str(event.get("body") or ""),
        event.get("isBase64Encoded") is True,
    )


def answer_of(view: View, event: Mapping[str, Any]) -> dict[str, Any]:
    """What Lambda makes an HTTP response of."""
    context = event.get("requestContext") or {}
    method = (context.get("http") or {}).get("method") or event.get("httpMethod")
    answer = {
        "statusCode": view.status,
        "headers": {**HEADERS, **view.headers},
        "body": "" if method == "HEAD" else view.html,
        "isBase64Encoded": False,
    }
    if "elb" in context:
        answer["statusDescription"] = f"{view.status} {HTTPStatus(view.status).phrase}"
    return answer
