"""Secrets: by reference in the request, in place when it is sent, and nowhere else."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from lambda_workflow_services.http import HTTP, HttpRequest, Secret
from lambda_workflow_services.http.lookup import Lookup
from lambda_workflow_services.http.redaction import HIDDEN, Redactor
from lambda_workflow_services.http.sender import Sender

from lambda_workflow import ServiceError
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.present import aws_client
from tests.aws.server.process import Server
from tests.services.http.certificates import Certificates
from tests.services.http.conftest import LOOPBACK, to_loopback
from tests.services.http.site import Reply, Seen, Site, json_reply

VALUE = 'sk/"hush+&<u>"=='
KEY = Secret("shop", key="api_key", form="Bearer {}")


@pytest.fixture
async def aws(server: Server) -> AsyncIterator[Aws]:
    aws = aws_client()
    fields = {"api_key": VALUE, "number": 123_456, "flag": True, "short": "abc"}
    await secret(aws, "shop/http/shop", json.dumps(fields))
    await secret(aws, "shop/http/plain", VALUE)
    await secret(aws, "other/http/plain", VALUE)
    yield aws
    await aws.close()


async def secret(aws: Aws, name: str, text: str) -> None:
    await aws.call("secretsmanager", "CreateSecret", Name=name, SecretString=text)


async def failure(sender: Sender, request: HttpRequest) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await sender.send(request, "e/1")
    return raised.value


def to(site: Site, path: str = "/echo") -> str:
    return site.url(path, "api.example.com", "https")


async def test_a_secret_may_stand_in_every_place(aws: Aws, safe_site: Site, sender: Sender) -> None:
    plain = Secret("plain")
    places: list[tuple[dict[str, Any], str, str]] = [
        ({"headers": {"Authorization": KEY}}, "authorization", f"Bearer {VALUE}"),
        ({"query": {"key": plain}}, "path", f"/echo?key={quote(VALUE)}"),
        (
            {"json_body": {"auth": {"user": "me"}}, "secrets": {"/auth/word": plain}},
            "body",
            json.dumps({"auth": {"user": "me", "word": VALUE}}, separators=(",", ":")),
        ),
        ({"form": {"key": Secret("shop", key="number")}}, "body", "key=123456"),
        (
            {"basic_auth": ("me", plain)},
            "authorization",
            "Basic " + base64.b64encode(f"me:{VALUE}".encode()).decode(),
        ),
    ]
    for more, field, sent in places:
        request = HttpRequest(url=to(safe_site), method="POST", **more)
        response = await sender.send(request, "e/1")
        seen = safe_site.seen[-1]
        fields = {"path": seen.path, "body": seen.body.decode(), **seen.headers}
        assert fields[field] in (sent, sent.replace("/echo?key=sk/", "/echo?key=sk%2F"))
        written = repr(response) + json.dumps(HTTP.response_codec.encode(response))
        for form in (VALUE, quote(VALUE), json.dumps(VALUE)[1:-1], sent.removeprefix("Basic ")):
            assert form not in written
        assert HIDDEN in written
        assert VALUE not in json.dumps(HTTP.request_codec.encode(request))


async def test_a_parameter_is_a_secret_too(aws: Aws, safe_site: Site, sender: Sender) -> None:
    await aws.call("ssm", "PutParameter", Name="/shop/http/a/b", Value=VALUE, Type="SecureString")
    headers = {"X-Key": Secret("a/b", store="parameter")}
    await sender.send(HttpRequest(url=to(safe_site), headers=headers), "e/1")
    assert safe_site.seen[0].headers["x-key"] == VALUE


UNUSABLE = [
    (Secret("none"), "secretsmanager has no 'shop/http/none'"),
    (Secret("none", store="parameter"), "parameter has no 'shop/http/none'"),
    (Secret("shop", key="none"), "under 'none'"),
    (Secret("shop", key="flag"), "under 'flag'"),
    (Secret("shop", key="short"), "fewer than 4 characters"),
    (Secret("plain", key="api_key"), "no JSON object"),
    (Secret("../other/http/plain"), "has no 'shop/http/../other"),
    (Secret("binary"), "it is binary"),
    (Secret("lines"), "header 'x-key'"),
]


async def test_a_secret_that_cannot_be_sent_is_an_error_that_says_why(
    aws: Aws, safe_site: Site, sender: Sender
) -> None:
    await aws.call("secretsmanager", "CreateSecret", Name="shop/http/binary", SecretBinary=b"x" * 9)
    await secret(aws, "shop/http/lines", VALUE + "\nX-Other: 1")
    for reference, words in UNUSABLE:
        request = HttpRequest(url=to(safe_site), headers={"X-Key": reference})
        error = await failure(sender, request)
        assert error.retryable is False
        assert words in str(error)
        assert VALUE not in str(error)
    assert safe_site.seen == []


async def test_without_a_prefix_no_secret_is_looked_up(
    aws: Aws, safe_site: Site, tls: Certificates
) -> None:
    settings = replace(LOOPBACK, secret_prefix="")
    sender = Sender(settings, resolve=to_loopback, tls=tls.client)
    error = await failure(sender, HttpRequest(url=to(safe_site), headers={"X": Secret("plain")}))
    assert "HTTP_SECRET_PREFIX is not set" in str(error)
    assert aws.counts["secretsmanager", "GetSecretValue"] == 0


async def test_a_secret_store_that_is_busy_is_asked_again_by_the_retry_policy(
    aws: Aws, server: Server, safe_site: Site, sender: Sender
) -> None:
    server.fault("secretsmanager", "GetSecretValue", "error", count=20)
    request = HttpRequest(url=to(safe_site), headers={"X": Secret("plain")})
    error = await failure(sender, request)
    assert (error.type, error.retryable) == ("SecretUnavailable", True)


async def test_a_value_is_kept_for_a_while(aws: Aws) -> None:
    clock = [1000.0]
    lookup = Lookup(LOOPBACK, lambda: clock[0])
    for _ in range(3):
        assert await lookup.values([KEY, Secret("shop", key="number")]) == {
            KEY: VALUE,
            Secret("shop", key="number"): "123456",
        }
    assert aws.counts["secretsmanager", "GetSecretValue"] == 1
    clock[0] += LOOPBACK.secret_seconds
    await lookup.values([KEY])
    assert aws.counts["secretsmanager", "GetSecretValue"] == 2
    await lookup.values([KEY], anew=True)
    assert aws.counts["secretsmanager", "GetSecretValue"] == 2
    clock[0] += 10
    await lookup.values([KEY], anew=True)
    assert aws.counts["secretsmanager", "GetSecretValue"] == 3


async def test_a_rotated_secret_is_looked_up_when_the_server_refuses_the_old_one(
    aws: Aws, safe_site: Site, tls: Certificates
) -> None:
    clock = [1000.0]
    sender = Sender(LOOPBACK, resolve=to_loopback, tls=tls.client, monotonic=lambda: clock[0])

    def answer(seen: Seen) -> Reply:
        is_new = seen.headers["x-key"] == "the new value"
        return json_reply({"ok": True}) if is_new else Reply(401, seen.headers["x-key"].encode())

    safe_site.answers["/"] = answer
    request = HttpRequest(url=to(safe_site, "/"), headers={"X-Key": Secret("plain")})
    error = await failure(sender, request)
    assert (error.type, error.details["body"]) == ("HttpStatus401", HIDDEN)
    assert len(safe_site.seen) == 1  # the value is the same: nothing would change
    await aws.call(
        "secretsmanager", "PutSecretValue", SecretId="shop/http/plain", SecretString="the new value"
    )
    clock[0] += 60
    response = await sender.send(request, "e/1")
    assert response.json_body == {"ok": True}
    assert [seen.headers["x-key"] for seen in safe_site.seen[1:]] == [VALUE, "the new value"]


async def test_a_secret_is_in_no_error_and_no_log(
    aws: Aws, safe_site: Site, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(seen: Seen) -> Reply:
        key = seen.headers["x-key"]
        return Reply(500, f"no {key} here".encode(), {"X-Echo": key, "Retry-After": "1"})

    safe_site.answers["/"] = answer
    request = HttpRequest(
        url=to(safe_site, "/"), headers={"X-Key": Secret("plain")}, query={"q": Secret("plain")}
    )
    with caplog.at_level(logging.DEBUG):
        error = await failure(sender, request)
    told = f"{error} {error.details} {caplog.text}"
    assert caplog.records
    assert [form for form in (VALUE, quote(VALUE), quote(VALUE, safe="")) if form in told] == []
    assert error.details["headers"]["x-echo"] == HIDDEN
    assert error.details["body"] == f"no {HIDDEN} here"


async def test_secrets_do_not_follow_to_another_host(
    aws: Aws, safe_site: Site, sender: Sender
) -> None:
    elsewhere = safe_site.url("/echo", "other.example.com", "https")
    safe_site.says("/", Reply(307, headers={"Location": elsewhere}))
    url = to(safe_site, "/")
    request = HttpRequest(url=url, headers={"X-Key": Secret("plain")}, redirects=1)
    await sender.send(request, "e/1")
    assert "x-key" not in safe_site.seen[-1].headers
    before = len(safe_site.seen)
    for more in (
        {"json_body": {}, "secrets": {"/key": Secret("plain")}},
        {"form": {"key": Secret("plain")}},
    ):
        body: dict[str, Any] = more
        error = await failure(sender, HttpRequest(url=url, method="POST", redirects=1, **body))
        assert error.type == "HttpRefused"
    assert [seen.path for seen in safe_site.seen[before:]] == ["/", "/"]


def test_a_secret_is_hidden_however_it_is_written() -> None:
    hide = Redactor(['a/b+c"d<é>', "123456"])
    value = 'a/b+c"d<é>'
    forms = [
        *(value, quote(value), quote(value, safe=""), json.dumps(value), json.dumps({value: 1})),
        *(json.dumps(value, ensure_ascii=False), base64.b64encode(value.encode()).decode()),
        *("a/b+c&quot;d&lt;é&gt;", value.encode().hex()),
    ]
    for form in forms:
        assert hide.text(f"x {form} y") != f"x {form} y", form
        assert HIDDEN.encode() in hide.content(form.encode())
    assert hide.json({"n": [123456, 1.5, None, True], value: "x"}) == {
        "n": [HIDDEN, 1.5, None, True],
        HIDDEN: "x",
    }
    assert Redactor([]).text("") == ""


@pytest.mark.parametrize("host", ["127.0.0.1:1", "169.254.169.254"])
async def test_an_error_before_an_answer_names_the_url_without_the_secret(
    aws: Aws, sender: Sender, host: str
) -> None:
    url = f"https://{host}/orders?page=2"
    error = await failure(sender, HttpRequest(url=url, query={"key": Secret("plain")}))
    assert f"{url}&key={HIDDEN}" in str(error)


async def test_a_redirect_that_has_the_secret_in_it_does_not_tell_it(
    aws: Aws, safe_site: Site, sender: Sender
) -> None:
    safe_site.says("/", Reply(302, headers={"Location": f"/?key={quote(VALUE, safe='')}"}))
    headers = {"X-Key": Secret("plain")}
    error = await failure(sender, HttpRequest(url=to(safe_site, "/"), headers=headers, redirects=1))
    assert error.type == "HttpRedirects"
    assert f"/?key={HIDDEN}" in str(error)
