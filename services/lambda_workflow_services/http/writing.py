"""A request as it goes out: URL, headers and body, with the secrets' values in place."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from lambda_workflow_services.http import (
    HttpRequest,
    Secret,
    Text,
    check_header_value,
    pointer_parts,
)
from lambda_workflow_services.http.addresses import Refused

Reveal = Callable[[Text], str]

_DEFAULTS: Final = {
    "accept": "*/*",
    "accept-encoding": "gzip",
    "user-agent": "lambda-workflow-services",
    # A kept connection is dead when a frozen container wakes up, and its address was checked then.
    "connection": "close",
}
_WITHOUT_KEY: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One hop of a request.

    Attributes:
        private: the names of headers that no other origin may see.
        has_private_body: whether no other origin may see the body.
    """

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    content: bytes | None
    private: frozenset[str]
    has_private_body: bool


def written(request: HttpRequest, values: Mapping[Secret, str], task_id: str) -> Outgoing:
    """The first hop of a request.

    Raises:
        Refused: the URL is none.
        ValueError: a secret cannot stand in a header; does not have its value.
    """

    def reveal(text: Text) -> str:
        return text.form.replace("{}", values[text]) if isinstance(text, Secret) else text

    content, kind = _body(request, reveal)
    headers = dict(_DEFAULTS)
    if kind:
        headers["content-type"] = kind
    if request.idempotency_header and request.method not in _WITHOUT_KEY:
        headers[request.idempotency_header.lower()] = task_id
    private = {"authorization", "cookie"}
    for name, text in request.headers.items():
        headers[name.lower()] = reveal(text)
        if isinstance(text, Secret):
            private.add(name.lower())
    if request.basic_auth:
        headers["authorization"] = _basic(*map(reveal, request.basic_auth))
    for name, value in headers.items():
        check_header_value(name, value)
    has_private_body = bool(request.secrets) or _has_secret((request.form or {}).values())
    url = _with_query(parsed(request.url), request, reveal)
    return Outgoing(request.method, url, headers, content, frozenset(private), has_private_body)


def parsed(url: str | httpx.URL) -> httpx.URL:
    """A URL that can be connected to.

    Raises:
        Refused: it is none; says why.
    """
    try:
        found = httpx.URL(url)
        host = found.host
    except (httpx.InvalidURL, UnicodeError) as error:  # the latter of names such as xn--
        raise Refused(f"no URL: {error}") from None
    if found.scheme not in ("http", "https") or not host:
        raise Refused("only http and https URLs with a host are called")
    if found.userinfo:
        raise Refused("a URL with user or password is not called: use basic_auth")
    if not 0 < port_of(found) < 65536:
        raise Refused("its port must be 1 to 65535")
    return found.copy_with(fragment=None)


def port_of(url: httpx.URL) -> int:
    """The port, also where it is the scheme's own and not said."""
    return url.port if url.port is not None else {"http": 80, "https": 443}[url.scheme]


def _with_query(url: httpx.URL, request: HttpRequest, reveal: Reveal) -> httpx.URL:
    pairs: list[tuple[str, str]] = []
    for name, value in request.query.items():
        match value:
            case list():
                pairs += [(name, item) for item in value]
            case bool():
                pairs.append((name, "true" if value else "false"))
            case int() | float():
                pairs.append((name, str(value)))
            case _:
                pairs.append((name, reveal(value)))
    if not pairs:
        return url
    # The URL's own query stays as it is written: it may be signed.
    query = b"&".join(filter(None, (url.query, urlencode(pairs, quote_via=quote).encode())))
    return url.copy_with(query=query)


def _body(request: HttpRequest, reveal: Reveal) -> tuple[bytes | None, str]:
    if request.json_body is not None:
        body = request.json_body
        for pointer, secret in request.secrets.items():
            body = _with_field(body, pointer_parts(pointer), reveal(secret))
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode(), "application/json"
    if request.form is not None:
        pairs = [(name, reveal(text)) for name, text in request.form.items()]
        return urlencode(pairs).encode(), "application/x-www-form-urlencoded"
    if request.text is not None:
        return request.text.encode(), "text/plain; charset=utf-8"
    if request.content is not None:
        return request.content, "application/octet-stream"
    return None, ""


def _with_field(body: Any, path: list[str], value: str) -> Any:
    first, *rest = path
    return {**body, first: _with_field(body[first], rest, value) if rest else value}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _has_secret(texts: Iterable[Text]) -> bool:
    return any(isinstance(text, Secret) for text in texts)
