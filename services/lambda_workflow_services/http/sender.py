"""Sends a request and follows its redirects.

1. No two requests share a connection, a cookie, or anything else but secrets' values.
2. No proxy: variables such as HTTPS_PROXY are not read. A proxy would connect to what it likes.
3. Another origin (scheme, host, port) that a redirect leads to gets no Authorization, no Cookie, no
   secret header; if the body has secrets, or the way leads from https to http, it is not followed.
4. Whatever is raised or returned has been through the Redactor.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import httpcore
import httpx

from lambda_workflow import ServiceError
from lambda_workflow_services.http import HttpRequest, HttpResponse, Secret
from lambda_workflow_services.http.addresses import CheckedNetwork, Refused, Resolve, resolve
from lambda_workflow_services.http.lookup import Lookup, Values
from lambda_workflow_services.http.outcomes import place_of, refusal, sending_error, status_error
from lambda_workflow_services.http.reading import BadBody, TooLarge, read, response_of
from lambda_workflow_services.http.redaction import Redactor
from lambda_workflow_services.http.settings import Settings
from lambda_workflow_services.http.writing import Outgoing, parsed, port_of, written

ERROR_BYTES_MAX: Final = 64 * 1024  # read of an error's body, of which an excerpt is kept
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The last response, and as much of its body as is of use."""

    response: HttpResponse
    content: bytes
    is_success: bool


class Sender:
    """See the module. One for each event loop; holds no connection between requests.

    Args:
        resolve: how names become addresses, which are checked all the same.
        tls: what servers must prove; the system's or SSL_CERT_FILE's authorities if not given.
        now: the time of day, for a Retry-After that is a date.
        monotonic: the clock by which secrets grow old.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._lookup = Lookup(settings, monotonic)
        self._network = CheckedNetwork(settings, resolve)
        self._tls = tls or httpx.create_ssl_context()
        self._now = now

    async def send(self, request: HttpRequest, task_id: str) -> HttpResponse:
        """Send a request, and return what came of it.

        Raises:
            ServiceError: it failed; see the README for the types.
        """
        seconds = request.timeout.total_seconds()
        most = self._settings.timeout_seconds_max
        if seconds > most:
            raise refusal(
                f"the request's timeout is {seconds:g} s, and the deployment allows {most} s: "
                "HTTP_TIMEOUT_MAX_SECONDS and the function's own timeout say so",
                "HttpRefused",
            )
        try:
            async with asyncio.timeout(seconds):
                return await self._send(request, task_id)
        except TimeoutError:
            text = f"{_plain(request.url)}: no whole response within {seconds:g} s"
            raise ServiceError(text, type="HttpTimeout") from None

    async def _send(self, request: HttpRequest, task_id: str) -> HttpResponse:
        secrets = request.all_secrets()
        values = await self._lookup.values(secrets)
        hide = _redactor(request, values)
        answer = await self._answer(request, written_or_refused(request, values, task_id), hide)
        if secrets and answer.response.status == 401 and not answer.is_success:
            renewed = await self._lookup.values(secrets, anew=True)
            if renewed != values:
                hide = _redactor(request, renewed, values)
                outgoing = written_or_refused(request, renewed, task_id)
                answer = await self._answer(request, outgoing, hide)
        if not answer.is_success:
            raise status_error(answer.response, answer.content, hide, self._now())
        return _read_as_expected(request, answer, hide)

    async def _answer(self, request: HttpRequest, outgoing: Outgoing, hide: Redactor) -> _Answer:
        hops_left = request.redirects
        shown = hide.text(str(outgoing.url))
        try:
            while True:
                async with self._exchange(outgoing) as response:
                    location = _location(response) if request.redirects else None
                    if location is None:
                        return await _received(request, outgoing, response, hide)
                if not hops_left:
                    raise refusal(
                        f"{shown}: more than {request.redirects} redirects", "HttpRedirects"
                    )
                hops_left -= 1
                outgoing = _redirected(outgoing, response.status, location)
                shown = hide.text(str(outgoing.url))
        except ServiceError:
            raise
        except Exception as error:  # noqa: BLE001  # law 4: no traceback of it leaves this place
            failure = sending_error(error, shown)
            raise ServiceError(
                hide.text(str(failure)), type=failure.type, retryable=failure.retryable
            ) from None

    @asynccontextmanager
    async def _exchange(self, outgoing: Outgoing) -> AsyncIterator[httpcore.Response]:
        url = outgoing.url
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        headers = {"host": url.netloc.decode("ascii"), **outgoing.headers}
        if outgoing.content is not None or outgoing.method in ("POST", "PUT", "PATCH"):
            headers["content-length"] = str(len(outgoing.content or b""))
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls, network_backend=self._network, max_keepalive_connections=0
            ) as pool,
            pool.stream(
                outgoing.method,
                target,
                headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                content=outgoing.content,
            ) as response,
        ):
            yield response


def written_or_refused(request: HttpRequest, values: Values, task_id: str) -> Outgoing:
    """The first hop of a request.

    Raises:
        ServiceError: it cannot be written; does not have a secret's value.
    """
    try:
        return written(request, values, task_id)
    except (Refused, ValueError, httpx.InvalidURL) as error:
        why = f"{_plain(request.url)} is not called: {error}"
        raise refusal(why, "HttpRefused") from None


async def _received(
    request: HttpRequest, outgoing: Outgoing, answer: httpcore.Response, hide: Redactor
) -> _Answer:
    headers = _headers(answer.headers, hide)
    url = hide.text(str(outgoing.url))
    response = HttpResponse(status=answer.status, headers=headers, url=url)
    is_success = _is_success(answer.status, request.success)
    if outgoing.method == "HEAD" or (is_success and request.expect == "nothing"):
        return _Answer(response, b"", is_success)
    limit = request.response_bytes_max if is_success else ERROR_BYTES_MAX
    try:
        length = headers.get("content-length", "")
        if is_success and length.isdigit() and int(length[:20]) > limit:
            raise TooLarge
        chunks = answer.aiter_stream()
        content = await read(chunks, headers.get("content-encoding", ""), limit)
        return _Answer(response, content, is_success)
    except (BadBody, TooLarge) as error:
        if not is_success:  # the status says more than a body that cannot be read
            head = error.head if isinstance(error, TooLarge) else b""
            return _Answer(response, head, is_success)
        raise _body_error(response, error, limit) from None


def _read_as_expected(request: HttpRequest, answer: _Answer, hide: Redactor) -> HttpResponse:
    if request.method == "HEAD" or answer.response.status == 204:
        return answer.response
    try:
        return response_of(answer.content, request.expect, answer.response, hide)
    except BadBody as error:
        raise _body_error(answer.response, error, request.response_bytes_max) from None


def _body_error(response: HttpResponse, error: BadBody | TooLarge, limit: int) -> ServiceError:
    details = place_of(response)
    if isinstance(error, TooLarge):
        text = (
            f"the body from {response.url} is over {limit:,} bytes: raise response_bytes_max, ask "
            "for less, or have it put into a bucket"
        )
        return refusal(text, "HttpBodyTooLarge", details=details)
    return refusal(f"the body from {response.url}: {error}", "HttpBadBody", details=details)


def _redirected(before: Outgoing, status: int, location: str) -> Outgoing:
    url = _joined(before.url, location)
    is_same = _origin(url) == _origin(before.url)
    if before.url.scheme == "https" and url.scheme == "http":
        raise Refused("a redirect from https to http is not followed")
    after = replace(before, url=url)
    if (status == 303 and before.method != "HEAD") or (
        status in (301, 302) and before.method == "POST"
    ):
        after = replace(_without(after, {"content-type"}), method="GET", content=None)
    if is_same:
        return after
    if after.content is not None and before.has_private_body:
        raise Refused("a body with secrets does not follow a redirect to another host")
    return _without(after, before.private)


def _joined(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return parsed(url.join(location))
    except httpx.InvalidURL:
        raise Refused("a redirect leads to what is no URL") from None


def _without(outgoing: Outgoing, names: set[str] | frozenset[str]) -> Outgoing:
    kept = {name: value for name, value in outgoing.headers.items() if name not in names}
    return replace(outgoing, headers=kept)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, port_of(url)


def _location(response: httpcore.Response) -> str | None:
    if response.status not in _REDIRECTS:
        return None
    found = _headers(response.headers, Redactor([])).get("location")
    if found is not None and (not found.isprintable() or not found.isascii() or "\\" in found):
        raise Refused("a redirect leads to what is no URL")
    return found


def _headers(pairs: Sequence[tuple[bytes, bytes]], hide: Redactor) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = (hide.text(raw.decode("latin-1")) for raw in (raw_name, raw_value))
        name = name.lower()
        if name in headers:
            value = headers[name] + ("\n" if name == "set-cookie" else ", ") + value
        headers[name] = value
    return headers


def _is_success(status: int, success: Sequence[str]) -> bool:
    return str(status) in success or f"{status // 100}xx" in success


def _redactor(request: HttpRequest, *known: Values) -> Redactor:
    values = [value for found in known for value in found.values()]
    return Redactor([*values, *_basic_forms(request, known)])


def _basic_forms(request: HttpRequest, known: Sequence[Values]) -> list[str]:
    """What stands for the password in a Basic header: base64 of it alone is no part of that."""
    if request.basic_auth is None:
        return []
    user, password = request.basic_auth
    return [f"{_shown(user, values)}:{_shown(password, values)}" for values in known]


def _shown(text: str | Secret, values: Values) -> str:
    return text.form.replace("{}", values[text]) if isinstance(text, Secret) else text


def _plain(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]
