"""What goes out, and what comes back of it."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from lambda_workflow_services.http import HttpRequest, HttpResponse
from lambda_workflow_services.http.reading import TooLarge, read
from lambda_workflow_services.http.sender import Sender

from lambda_workflow import ServiceError
from lambda_workflow.model.payload import codec_for
from lambda_workflow.model.payload_text import dumps, loads
from tests.services.http.conftest import LOOPBACK, to_loopback
from tests.services.http.site import Reply, Site, json_reply


async def failure(sender: Sender, request: HttpRequest) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await sender.send(request, "e/1")
    return raised.value


@pytest.mark.parametrize(
    ("body", "kind", "sent"),
    [
        ({"json_body": {"name": "Zoë"}}, "application/json", '{"name":"Zoë"}'),
        ({"text": "hällo"}, "text/plain; charset=utf-8", "hällo"),
        ({"content": b"raw"}, "application/octet-stream", "raw"),
        ({"form": {"a": "1 & 2"}}, "application/x-www-form-urlencoded", "a=1+%26+2"),
        ({}, None, ""),
    ],
)
async def test_a_body_says_what_it_is(
    site: Site, sender: Sender, body: dict[str, Any], kind: str | None, sent: str
) -> None:
    request = HttpRequest(url=site.url("/echo"), method="POST", **body)
    seen = (await sender.send(request, "e/1")).json_body
    assert seen["body"] == sent
    assert seen["headers"].get("content-type") == kind
    assert seen["headers"]["content-length"] == str(len(sent.encode()))


async def test_headers_of_the_request_go_before_the_services_own(
    site: Site, sender: Sender
) -> None:
    headers = {"content-TYPE": "application/merge-patch+json", "Accept": "text/csv", "X-A": "b"}
    request = HttpRequest(
        url=site.url("/echo"), method="PATCH", headers=headers, json_body=[], expect="json"
    )
    seen = (await sender.send(request, "e/1")).json_body["headers"]
    assert (seen["content-type"], seen["accept"]) == ("application/merge-patch+json", "text/csv")
    assert (seen["x-a"], seen["host"]) == ("b", f"127.0.0.1:{site.port}")


async def test_the_query_is_added_and_what_the_url_has_stays_as_it_is(
    site: Site, sender: Sender
) -> None:
    url = site.url("/echo?signed=a%2Fb+c&x#fragment")
    query: dict[str, Any] = {"q": "a b&c", "n": 1, "yes": True, "tag": ["x", "y"]}
    seen = await sender.send(HttpRequest(url=url, query=query), "e/1")
    assert seen.json_body["path"] == ("/echo?signed=a%2Fb+c&x&q=a%20b%26c&n=1&yes=true&tag=x&tag=y")
    assert seen.url.startswith(site.url("/echo?signed=a%2Fb+c"))


@pytest.mark.parametrize(
    ("method", "more", "key"),
    [
        ("POST", {}, "e/1"),
        ("DELETE", {}, "e/1"),
        ("GET", {}, None),
        ("POST", {"idempotency_header": None}, None),
        ("POST", {"headers": {"idempotency-key": "my own"}}, "my own"),
    ],
)
async def test_what_changes_something_carries_the_task_id(
    site: Site, sender: Sender, method: Any, more: dict[str, Any], key: str | None
) -> None:
    await sender.send(HttpRequest(url=site.url("/echo"), method=method, **more), "e/1")
    assert site.seen[0].headers.get("idempotency-key") == key


async def test_the_name_of_the_idempotency_header_can_be_chosen(site: Site, sender: Sender) -> None:
    request = HttpRequest(url=site.url("/echo"), method="PUT", idempotency_header="X-Request-Id")
    await sender.send(request, "e/1")
    assert site.seen[0].headers["x-request-id"] == "e/1"


@pytest.mark.parametrize(
    ("kind", "body", "expect", "field", "value"),
    [
        ("application/json", b"[1]", "any", "json_body", [1]),
        ("application/problem+json; charset=utf-8", b'"\xc3\xa9"', "any", "json_body", "é"),
        ("text/html; charset=iso-8859-1", b"\xe9", "any", "text", "é"),
        ("text/plain; charset=punycode", b"\xc3\xa9", "any", "text", "é"),
        ("text/plain; charset=none-such", b"\xff", "any", "text", "\ufffd"),
        ("application/pdf", b"\x00\xff", "any", "content", b"\x00\xff"),
        ("", b"\x00", "any", "content", b"\x00"),
        ("text/plain", b'{"a": 1}', "json", "json_body", {"a": 1}),
        ("application/json", b"{broken", "text", "text", "{broken"),
        ("application/json", b"{}", "bytes", "content", b"{}"),
        ("application/json", b"", "any", "json_body", None),
        ("application/json", b"{broken", "nothing", "json_body", None),
    ],
)
async def test_a_body_comes_as_it_is_expected(
    site: Site, sender: Sender, *, kind: str, body: bytes, expect: Any, field: str, value: object
) -> None:
    site.says("/", Reply(body=body, headers={"Content-Type": kind} if kind else {}))
    response = await sender.send(HttpRequest(url=site.url("/"), expect=expect), "e/1")
    others = {"json_body", "text", "content"} - {field}
    assert getattr(response, field) == value
    assert [getattr(response, other) for other in others] == [None, None]


async def test_headers_of_a_response_are_one_text_each(site: Site, sender: Sender) -> None:
    headers = {"Set-Cookie": "a=1; Expires=Wed, 1\nb=2", "Vary": "x\ny"}
    site.says("/", Reply(headers=headers))
    response = await sender.send(HttpRequest(url=site.url("/")), "e/1")
    assert response.headers["set-cookie"] == "a=1; Expires=Wed, 1\nb=2"
    assert response.headers["vary"] == "x, y"
    await sender.send(HttpRequest(url=site.url("/")), "e/1")
    assert "cookie" not in site.seen[1].headers


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_no_body_is_no_error_where_there_is_none(
    site: Site, sender: Sender, method: Any
) -> None:
    status = 204 if method == "GET" else 200
    site.says("/", Reply(status, headers={"Content-Type": "application/json"}))
    request = HttpRequest(url=site.url("/"), method=method, expect="json")
    response = await sender.send(request, "e/1")
    assert (response.status, response.json_body) == (status, None)


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *((408, True), (425, True), (429, True), (500, True), (503, True)),
        *((400, False), (401, False), (404, False), (409, False), (304, False), (302, False)),
    ],
)
async def test_a_status_that_is_no_success_is_an_error_of_its_name(
    site: Site, sender: Sender, status: int, retryable: bool
) -> None:
    body = b"" if status == 304 else b"why not"
    site.says("/", Reply(status, body, {"X-Why": "so"}))
    error = await failure(sender, HttpRequest(url=site.url("/")))
    assert (error.type, error.retryable) == (f"HttpStatus{status}", retryable)
    assert error.details["status"] == status
    assert error.details["body"] == body.decode()
    assert error.details["headers"]["x-why"] == "so"


async def test_a_status_may_be_called_a_success(site: Site, sender: Sender) -> None:
    site.says("/", Reply(404, b"gone"))
    response = await sender.send(HttpRequest(url=site.url("/"), success=("2xx", "404")), "e/1")
    assert response.status == 404
    site.says("/", Reply(200))
    error = await failure(sender, HttpRequest(url=site.url("/"), success=("404",)))
    assert (error.type, error.retryable) == ("HttpStatus200", False)


async def test_details_of_an_error_are_of_bounded_size(site: Site, sender: Sender) -> None:
    headers = {f"X-{number}": "x" * 1000 for number in range(60)}
    site.says("/", Reply(400, b"x" * 1_000_000, headers))
    error = await failure(sender, HttpRequest(url=site.url("/"), response_bytes_max=10))
    assert error.details["body"] == "x" * 2_000
    assert len(json.dumps(error.details)) < 16_000


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17),
        ({"Retry-After": " 0 "}, 0),
        ({"Retry-After": "9" * 500}, 86_400),
        ({"Retry-After": "Sat, 21 Nov 2026 12:01:00 GMT"}, 60),
        ({"Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "Sat, 21 Nov 2076 11:00:00 GMT"}, 86_400),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
async def test_a_servers_word_on_when_to_come_back_is_kept(
    site: Site, headers: dict[str, str], seconds: int | None
) -> None:
    sender = Sender(LOOPBACK, resolve=to_loopback, now=lambda: NOON)
    site.says("/", Reply(503, headers=headers))
    error = await failure(sender, HttpRequest(url=site.url("/")))
    assert error.retry_after == (None if seconds is None else timedelta(seconds=seconds))


async def test_a_date_to_come_back_at_is_read_by_the_servers_clock(
    site: Site, sender: Sender
) -> None:
    dates = {
        "Retry-After": "Fri, 01 Jan 2100 00:01:30 GMT",
        "Date": "Fri, 01 Jan 2100 00:01:00 GMT",
    }
    site.says("/", Reply(429, headers=dates))
    error = await failure(sender, HttpRequest(url=site.url("/")))
    assert error.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_its_limit_is_refused(site: Site, sender: Sender, declared: bool) -> None:
    def stream(handler: BaseHTTPRequestHandler) -> None:
        while True:  # until the client hangs up
            handler.wfile.write(b"x" * 65_536)

    headers = {"Content-Length": "99999999999"} if declared else {}
    site.says("/", Reply(headers=headers, stream=stream))
    error = await failure(sender, HttpRequest(url=site.url("/"), response_bytes_max=100_000))
    assert (error.type, error.retryable) == ("HttpBodyTooLarge", False)
    assert "100,000 bytes" in str(error)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_a_compressed_body_is_read_up_to_its_limit(
    site: Site, sender: Sender, pack: Any
) -> None:
    coding = "gzip" if pack is gzip.compress else "deflate"
    headers = {"Content-Encoding": coding, "Content-Type": "text/plain"}
    site.says("/", Reply(body=pack(b"a" * 1000), headers=headers))
    response = await sender.send(HttpRequest(url=site.url("/"), response_bytes_max=1000), "e/1")
    assert response.text == "a" * 1000
    bomb = pack(bytes(40_000_000))
    assert len(bomb) < 250_000
    site.says("/", Reply(body=bomb, headers=headers))
    error = await failure(sender, HttpRequest(url=site.url("/"), response_bytes_max=300_000))
    assert error.type == "HttpBodyTooLarge"


@pytest.mark.parametrize(
    ("body", "coding", "words"),
    [
        (gzip.compress(b"abc", mtime=0)[:-9], "gzip", "cut off"),
        (b"plain", "gzip", "decompressed"),
        (b"", "gzip", "cut off"),
        (gzip.compress(gzip.compress(b"a", mtime=0), mtime=0), "gzip, gzip", "only gzip"),
        (b"x", "br", "only gzip"),
    ],
)
async def test_a_body_that_cannot_be_decompressed_is_an_error(
    site: Site, sender: Sender, *, body: bytes, coding: str, words: str
) -> None:
    site.says("/", Reply(body=body, headers={"Content-Encoding": coding}))
    error = await failure(sender, HttpRequest(url=site.url("/")))
    assert (error.type, error.retryable) == ("HttpBadBody", False)
    assert words in str(error)


@pytest.mark.parametrize("body", [b"{no", b"NaN", b"[" * 100_000, b"", b"\xff", b"9" * 5000])
async def test_json_that_is_none_is_an_error(site: Site, sender: Sender, body: bytes) -> None:
    site.says("/", Reply(body=body, headers={"Content-Type": "application/json"}))
    error = await failure(sender, HttpRequest(url=site.url("/"), expect="json"))
    assert (error.type, error.retryable) == ("HttpBadBody", False)
    assert error.details["status"] == 200


async def test_a_body_that_drips_ends_with_the_requests_time(site: Site, sender: Sender) -> None:
    def stream(handler: BaseHTTPRequestHandler) -> None:
        while True:
            handler.wfile.write(b"x")
            handler.wfile.flush()

    site.says("/", Reply(headers={"Content-Type": "text/plain"}, stream=stream))
    request = HttpRequest(
        url=site.url("/"), timeout=timedelta(seconds=0.2), response_bytes_max=10_000_000
    )
    error = await failure(sender, request)
    assert (error.type, error.retryable) == ("HttpTimeout", True)


async def test_a_connection_that_fails_may_be_tried_again(site: Site, sender: Sender) -> None:
    def stream(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"only this")

    site.says("/", Reply(headers={"Content-Length": "100"}, stream=stream))
    error = await failure(sender, HttpRequest(url=site.url("/")))
    assert (error.type, error.retryable) == ("HttpConnection", True)
    error = await failure(sender, HttpRequest(url="http://127.0.0.1:1/"))
    assert (error.type, error.retryable) == ("HttpConnection", True)


async def test_a_timeout_beyond_the_deployments_is_refused(sender: Sender) -> None:
    request = HttpRequest(url="http://127.0.0.1/", timeout=timedelta(seconds=61))
    error = await failure(sender, request)
    assert (error.type, error.retryable) == ("HttpRefused", False)
    assert "HTTP_TIMEOUT_MAX_SECONDS" in str(error)


async def test_an_answer_may_be_json_of_any_kind(site: Site, sender: Sender) -> None:
    site.says("/", json_reply([None, {"a": 1.5}], status=201))
    response = await sender.send(HttpRequest(url=site.url("/"), method="POST"), "e/1")
    assert (response.status, response.json_body) == (201, [None, {"a": 1.5}])


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("depth", [201, 5_000, 100_000])
async def test_a_body_that_nests_without_end_is_an_error(
    site: Site, sender: Sender, depth: int, opened: str, closed: str
) -> None:
    site.says("/", Reply(body=(opened * depth + "0" + closed * depth).encode()))
    request = HttpRequest(url=site.url("/"), expect="json", response_bytes_max=2**20)
    error = await failure(sender, request)
    assert (error.type, error.retryable) == ("HttpBadBody", False)
    assert "200 levels" in str(error)


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
async def test_what_may_nest_as_deeply_as_it_does_can_be_a_result(
    site: Site, sender: Sender, opened: str, closed: str
) -> None:
    text = opened * 200 + "0" + closed * 200
    site.says("/", Reply(body=text.encode()))
    response = await sender.send(HttpRequest(url=site.url("/"), expect="json"), "e/1")
    codec = codec_for(HttpResponse)
    again = codec.decode(loads(dumps(codec.encode(response))))
    assert dumps(again.json_body) == text


@pytest.mark.parametrize(
    "url", ["http://[::1/", "http://127.0.0.1:99999/", "http://127.0.0.1:x/", "http://127.0.0.1:0/"]
)
async def test_a_url_that_cannot_be_connected_to_is_refused(sender: Sender, url: str) -> None:
    error = await failure(sender, HttpRequest(url=url))
    assert (error.type, error.retryable) == ("HttpRefused", False)


async def test_of_a_bomb_no_more_is_unpacked_than_may_be_kept() -> None:
    bomb = gzip.compress(bytes(40_000_000))

    async def chunks() -> AsyncIterator[bytes]:
        yield bomb

    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            await read(chunks(), "gzip", 300_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000
