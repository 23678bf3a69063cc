"""What a workflow is told of what went wrong: type, whether to try again, and when."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpcore

from lambda_workflow import ServiceError
from lambda_workflow.model.limits import ERROR_DETAILS_CHARACTERS_MAX
from lambda_workflow.model.payload import dumps
from lambda_workflow_services.http import HttpResponse
from lambda_workflow_services.http.addresses import Refused, Unknown
from lambda_workflow_services.http.reading import as_text, content_type
from lambda_workflow_services.http.redaction import Redactor

EXCERPT_CHARACTERS_MAX: Final = 2_000
URL_CHARACTERS_MAX: Final = 2_000
HEADERS_MAX: Final = 30
NAME_CHARACTERS_MAX: Final = 100
HEADER_CHARACTERS_MAX: Final = 300
RETRY_AFTER_MAX: Final = timedelta(days=1)  # no server's clock may put a workflow off for longer

_MAY_PASS: Final = frozenset({408, 425, 429})


def refusal(message: str, kind: str, *, details: object = None) -> ServiceError:
    """An error that another attempt does not mend."""
    return ServiceError(message, type=kind, retryable=False, details=details)


def status_error(
    response: HttpResponse, content: bytes, hide: Redactor, now: datetime
) -> ServiceError:
    """The error that a status is; 408, 425, 429 and 5xx may pass."""
    status = response.status
    may_pass = status in _MAY_PASS or status >= 500
    _, charset = content_type(response.headers)
    excerpt = hide.text(as_text(content, charset))[:EXCERPT_CHARACTERS_MAX]
    return ServiceError(
        f"HTTP status {status} from {response.url}",
        type=f"HttpStatus{status}",
        retryable=may_pass,
        details=_details(response, excerpt),
        retry_after=_retry_after(response.headers, now) if may_pass else None,
    )


def place_of(response: HttpResponse) -> dict[str, Any]:
    """What each error of a response says of it."""
    return {"status": response.status, "url": response.url[:URL_CHARACTERS_MAX]}


def _details(response: HttpResponse, excerpt: str) -> dict[str, Any]:
    """Few enough characters to stay the object that a workflow reads, whatever the server sent."""
    headers = {
        name[:NAME_CHARACTERS_MAX]: value[:HEADER_CHARACTERS_MAX]
        for name, value in list(response.headers.items())[:HEADERS_MAX]
    }
    details = {**place_of(response), "headers": headers, "body": excerpt}
    while (
        headers and len(dumps(details)) > ERROR_DETAILS_CHARACTERS_MAX
    ):  # quotes count twice there
        headers.popitem()
    return details


def sending_error(error: Exception, url: str) -> ServiceError:
    """The error that a failed exchange is; `url` has no secrets."""
    match error:
        case Refused():
            return refusal(f"{url} is not called: {error}", "HttpRefused")
        case Unknown():
            return ServiceError(f"{url}: {error}", type="HttpUnknownHost")
        case httpcore.ConnectError(args=(ssl.SSLCertVerificationError() as cause, *_)):
            why = cause.verify_message
            return refusal(f"{url}: the certificate is not valid: {why}", "HttpCertificate")
        case httpcore.TimeoutException():
            return ServiceError(f"{url}: no connection in time", type="HttpConnection")
        case httpcore.LocalProtocolError():
            return refusal(f"{url}: the request cannot be written", "HttpRefused")
        case _:
            why = str(error) or type(error).__name__
            return ServiceError(f"{url}: the connection failed: {why}", type="HttpConnection")


def _retry_after(headers: dict[str, str], now: datetime) -> timedelta | None:
    """The delay that a server asks for, in seconds or as a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text[:12]), 10**9)), RETRY_AFTER_MAX)
    until = _date(text)
    if until is None:
        return None
    said_now = _date(headers.get("date", "")) or now  # its clock may not be ours
    return max(timedelta(0), min(until - said_now, RETRY_AFTER_MAX))


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
