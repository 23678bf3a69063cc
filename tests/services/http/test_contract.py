"""What is no request is refused where it is written; settings name all that is wrong."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from lambda_workflow_services.http import HTTP, HttpRequest, Secret
from lambda_workflow_services.http.settings import Settings, read_settings
from pydantic import ValidationError

from lambda_workflow import ConfigurationError, DecodeError

URL = "https://api.example.com/orders"


@pytest.mark.parametrize(
    "url",
    [
        *("", "api.example.com", "/orders", "ftp://api.example.com", "file:///etc/passwd"),
        *(
            "https://",
            "https:///orders",
            "https://user@api.example.com/",
            "https://a:b@example.com/",
        ),
        *(
            "https://api.example.com/a b",
            "https://api.example.com/\r\nX: y",
            "https://a\\@example.com",
        ),
        *(
            "https://api.example.com/\x00",
            "https://api.example.com/" + "x" * 8_000,
            "//example.com",
        ),
        *("https://api.example.com\t/", " https://api.example.com", "https:\\\\api.example.com"),
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        HttpRequest(url=url)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "printable ASCII"),
        ({"headers": {"X-A": "é"}}, "printable ASCII"),
        ({"headers": {"X-A": " 1"}}, "without spaces around"),
        ({"headers": {"X-A": Secret("x", form="{}\r\nX-B: 2")}}, "printable ASCII"),
        ({"headers": {"X A": "1"}}, "header name"),
        ({"headers": {"X-A\r\nX-B": "1"}}, "header name"),
        ({"headers": {"": "1"}}, "header name"),
        ({"headers": {"Host": "internal"}}, "set by the sender"),
        ({"headers": {"transfer-encoding": "chunked"}}, "set by the sender"),
        ({"headers": {"Content-Length": "1"}}, "set by the sender"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "there twice"),
        ({"idempotency_header": "Host"}, "set by the sender"),
        ({"idempotency_header": "a b"}, "header name"),
        ({"method": "TRACE"}, "Input should be"),
        ({"method": "GET", "json_body": {}}, "GET takes no body"),
        ({"method": "POST", "json_body": {}, "text": "x"}, "at most one"),
        ({"success": ()}, "written as"),
        ({"success": ("20x",)}, "written as"),
        ({"success": ("2xx\n",)}, "written as"),
        ({"redirects": 11}, "less than or equal to 10"),
        ({"timeout": timedelta(0)}, "greater than"),
        ({"timeout": timedelta(minutes=11)}, "less than or equal"),
        ({"response_bytes_max": 11 * 1024 * 1024}, "less than or equal"),
        ({"basic_auth": ("a", "b"), "headers": {"authorization": "x"}}, "exclude each other"),
        ({"method": "POST", "json_body": {}, "secrets": {"a": Secret("x")}}, "begins with '/'"),
        ({"method": "POST", "json_body": {}, "secrets": {"/a/b": Secret("x")}}, "the object that"),
        ({"method": "POST", "json_body": {"a": 1}, "secrets": {"/a": Secret("x")}}, "the field"),
        ({"method": "POST", "json_body": [1], "secrets": {"/0": Secret("x")}}, "elements of lists"),
        ({"secrets": {"/a": Secret("x")}}, "json_body must have"),
        ({"url": "http://api.example.com", "query": {"a": Secret("x")}}, "https only"),
        ({"url": "HTTP://api.example.com", "basic_auth": ("a", Secret("x"))}, "https only"),
        ({"verify": False}, "Extra inputs"),
    ],
)
def test_what_is_no_request_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        HttpRequest(**{"url": URL, **fields})


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "a b", "a*", "arn:aws:x", "a\n"])
def test_what_is_no_name_of_a_secret_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="secret name"):
        Secret(name)


@pytest.mark.parametrize("form", ["", "Bearer", "{}{}"])
def test_a_secrets_form_has_one_place_for_it(form: str) -> None:
    with pytest.raises(ValueError, match="must have one"):
        Secret("a", form=form)


def test_a_request_travels_as_json_with_its_references() -> None:
    request = HttpRequest(
        url=URL,
        method="POST",
        query={"a": 1, "b": Secret("x"), "c": ["1"], "d": True, "e": 1.5, "f": "g"},
        headers={"Authorization": Secret("x", "y", "parameter", "Bearer {}")},
        json_body={"a~b": {"c/d": {}}},
        secrets={"/a~0b/c~1d/e": Secret("z")},
        success=("2xx", "404"),
    )
    assert HTTP.request_codec.decode(HTTP.request_codec.encode(request)) == request


def test_settings_are_read_from_the_environment() -> None:
    given = {
        "HTTP_ALLOW_PRIVATE": "10.0.0.0/16, fd12::/16",
        "HTTP_ALLOWED_HOSTS": "API.example.com,*.example.org, example.com:8443",
        "HTTP_SECRET_PREFIX": "shop/http/",
        "HTTP_SECRET_SECONDS": "0",
        "HTTP_TIMEOUT_MAX_SECONDS": "600",
    }
    assert read_settings(given) == Settings(
        (ip_network("10.0.0.0/16"), ip_network("fd12::/16")),
        ("api.example.com", "*.example.org", "example.com:8443"),
        "shop/http/",
        0,
        600,
    )
    assert read_settings({}) == Settings()


def test_settings_name_all_that_is_wrong_at_once() -> None:
    wrong = {
        "HTTP_ALLOW_PRIVATE": "10.0.0.1/16",
        "HTTP_ALLOWED_HOSTS": "https://api.example.com",
        "HTTP_SECRET_PREFIX": "shop",
        "HTTP_SECRET_SECONDS": "1.5",
        "HTTP_TIMEOUT_MAX_SECONDS": "601",
    }
    with pytest.raises(ConfigurationError) as raised:
        read_settings(wrong)
    assert [name for name in wrong if name not in str(raised.value)] == []


def test_a_refusal_does_not_show_what_is_in_the_request() -> None:
    fields: dict[str, Any] = {
        "url": URL,
        "basic_auth": ["ann", "s3cret-pw"],
        "headers": {"Authorization": "x"},
    }
    with pytest.raises(ValidationError, match="exclude each other") as written:
        HttpRequest(**fields)
    with pytest.raises(DecodeError, match="exclude each other") as read:
        HTTP.request_codec.decode(fields)
    short: dict[str, Any] = {"url": URL, "basic_auth": ("s3cret-pw",)}
    with pytest.raises(ValidationError, match="basic_auth") as mistyped:
        HttpRequest(**short)
    for error in (written.value, read.value, mistyped.value):
        assert "s3cret" not in f"{error} {error!r}"
