"""Where a request may go, and where not, whatever names and redirects say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from lambda_workflow_services.http import HttpRequest
from lambda_workflow_services.http.addresses import Refused, check_address, check_host
from lambda_workflow_services.http.sender import Sender
from lambda_workflow_services.http.settings import Settings

from lambda_workflow import ServiceError
from tests.services.http.certificates import Certificates
from tests.services.http.conftest import LOOPBACK, to_loopback
from tests.services.http.site import Reply, Site

NOTHING_ALLOWED = Settings()
METADATA = "169.254.169.254"
ALL_ALLOWED = Settings(allow_private=(ip_network("0.0.0.0/0"), ip_network("::/0")))


async def failure(sender: Sender, request: HttpRequest) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await sender.send(request, "e/1")
    return raised.value


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255"),
        *("192.168.1.1", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "2001::1", "fec0::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "64:ff9b:1::1", "::10.0.0.1", "100::1", "3fff::1", "5f00::1"),
        *("::ffff:0:127.0.0.1", "4000::1"),
    ],
)
def test_an_address_that_is_not_public_is_refused_unless_a_setting_has_it(address: str) -> None:
    with pytest.raises(Refused, match="HTTP_ALLOW_PRIVATE"):
        check_address(address, NOTHING_ALLOWED)
    assert check_address(address, ALL_ALLOWED) == address


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.170.2", "169.254.0.1", "fd00:ec2::254", "fe80::1"),
        *("fe80::1%1", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254"),
    ],
)
def test_where_credentials_are_handed_out_nobody_goes(address: str) -> None:
    with pytest.raises(Refused, match="which no setting allows"):
        check_address(address, ALL_ALLOWED)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "54.239.28.85", "2600:1f18::1", "2a00:1450::1", "64:ff9b::808:808"],
)
def test_a_public_address_is_called(address: str) -> None:
    assert check_address(address, NOTHING_ALLOWED) == address


def test_a_network_that_is_allowed_allows_no_other() -> None:
    settings = Settings(allow_private=(ip_network("10.1.0.0/16"),))
    assert check_address("10.1.2.3", settings) == "10.1.2.3"
    assert check_address("::ffff:10.1.2.3", settings) == "::ffff:10.1.2.3"
    with pytest.raises(Refused):
        check_address("10.2.2.3", settings)


HOSTS = Settings(
    allowed_hosts=("api.example.com", "*.example.org", "example.com:8443", "[2600::1]")
)


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("api.example.com", 443, True),
        ("api.example.com", 80, True),
        ("api.example.com.evil.example.net", 443, False),
        ("evil-api.example.com", 443, False),
        ("a.b.example.org", 443, True),
        ("example.org", 443, False),
        ("notexample.org", 443, False),
        ("example.com", 8443, True),
        ("example.com", 443, False),
        ("2600::1", 443, True),
        ("2600::2", 443, False),
    ],
)
def test_only_listed_hosts_are_called_if_there_is_a_list(
    host: str, port: int, allowed: bool
) -> None:
    check_host(host, port, NOTHING_ALLOWED)
    if allowed:
        check_host(host, port, HOSTS)
        return
    with pytest.raises(Refused, match="HTTP_ALLOWED_HOSTS"):
        check_host(host, port, HOSTS)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"],
)
async def test_loopback_is_refused_however_it_is_written(site: Site, host: str) -> None:
    error = await failure(Sender(NOTHING_ALLOWED), HttpRequest(url=site.url("/echo", host)))
    assert (error.type, error.retryable) == ("HttpRefused", False)
    assert site.seen == []


async def test_a_name_that_resolves_differently_each_time_is_checked_as_it_is_connected_to(
    site: Site, tls: Certificates
) -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1" if len(asked) == 1 else "127.9.9.9"]

    settings = Settings(allow_private=(ip_network("127.0.0.1/32"),))
    sender = Sender(settings, resolve=rebinding, tls=tls.client)
    request = HttpRequest(url=site.url("/echo", "api.example.com"))
    response = await sender.send(request, "e/1")
    assert response.json_body["headers"]["host"] == f"api.example.com:{site.port}"
    assert asked == ["api.example.com"]
    assert (await failure(sender, request)).type == "HttpRefused"
    assert len(site.seen) == 1


async def test_one_refused_address_of_a_name_refuses_the_name(site: Site) -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1", METADATA]

    error = await failure(
        Sender(LOOPBACK, resolve=mixed), HttpRequest(url=site.url("/echo", "api.example.com"))
    )
    assert error.type == "HttpRefused"
    assert site.seen == []


async def test_the_next_address_is_tried_where_one_does_not_answer(site: Site) -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.3", "127.0.0.1"]  # the site listens at the second alone

    response = await Sender(LOOPBACK, resolve=two).send(HttpRequest(url=site.url("/echo")), "e/1")
    assert response.status == 200


@pytest.mark.parametrize("name", ["nowhere.example.com", "a" * 70 + ".example.com"])
async def test_a_name_without_an_address_may_be_tried_again(name: str) -> None:
    async def none(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name") if len(host) < 70 else UnicodeError("label too long")

    error = await failure(Sender(LOOPBACK, resolve=none), HttpRequest(url=f"https://{name}/"))
    assert (error.type, error.retryable) == ("HttpUnknownHost", True)


async def test_a_proxy_of_the_environment_is_not_used(
    site: Site, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert os.environ["http_proxy"]
    assert (await sender.send(HttpRequest(url=site.url("/echo")), "e/1")).status == 200


async def test_tls_asks_for_the_name_not_the_address(safe_site: Site, sender: Sender) -> None:
    request = HttpRequest(url=safe_site.url("/echo", "api.example.com", "https"))
    assert (await sender.send(request, "e/1")).status == 200
    request = HttpRequest(url=safe_site.url("/echo", "wrong.example.com", "https"))
    error = await failure(sender, request)
    assert (error.type, error.retryable) == ("HttpCertificate", False)


async def test_a_certificate_of_nobody_is_refused(safe_site: Site) -> None:
    sender = Sender(LOOPBACK, resolve=to_loopback)
    request = HttpRequest(url=safe_site.url("/echo", "api.example.com", "https"))
    assert (await failure(sender, request)).type == "HttpCertificate"


def moved(to: str, status: int = 302) -> Reply:
    return Reply(status, headers={"Location": to})


async def test_redirects_are_followed_only_as_often_as_the_request_says(
    site: Site, sender: Sender
) -> None:
    site.says("/a", moved("/b"))
    site.says("/b", moved("../echo"))
    error = await failure(sender, HttpRequest(url=site.url("/a")))
    assert error.type == "HttpStatus302"
    assert error.details["headers"]["location"] == "/b"
    error = await failure(sender, HttpRequest(url=site.url("/a"), redirects=1))
    assert (error.type, error.retryable) == ("HttpRedirects", False)
    response = await sender.send(HttpRequest(url=site.url("/a"), redirects=2), "e/1")
    assert (response.status, response.url) == (200, site.url("/echo"))


@pytest.mark.parametrize(
    "to",
    [
        f"http://{METADATA}/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/",
        "//169.254.170.2/v2/credentials",
        "http://user:password@127.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http:\\\\127.0.0.1",
        "http://[::1",
    ],
)
async def test_where_a_redirect_leads_is_checked_like_the_first_address(
    site: Site, to: str
) -> None:
    site.says("/", moved(to))
    error = await failure(Sender(LOOPBACK), HttpRequest(url=site.url("/"), redirects=3))
    assert (error.type, error.retryable) == ("HttpRefused", False)


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", ""),
        (302, "POST", "GET", ""),
        (303, "PUT", "GET", ""),
        (303, "HEAD", "HEAD", ""),
        (302, "PUT", "PUT", "x"),
        (307, "POST", "POST", "x"),
        (308, "POST", "POST", "x"),
    ],
)
async def test_what_a_redirect_makes_of_a_request(
    site: Site, sender: Sender, *, status: int, method: Any, then: str, body: str
) -> None:
    site.says("/", moved("/echo", status))
    text = None if method == "HEAD" else "x"
    await sender.send(HttpRequest(url=site.url("/"), method=method, text=text, redirects=1), "e/1")
    last = site.seen[-1]
    assert (last.method, last.body.decode()) == (then, body)
    assert ("content-type" in last.headers) == bool(body)


async def test_credentials_stay_with_the_origin_that_they_were_meant_for(
    site: Site, sender: Sender
) -> None:
    elsewhere = site.url("/echo", "other.example.com")
    site.says("/", moved(elsewhere))
    site.says("/here", moved("/echo"))
    headers = {"Authorization": "Bearer x", "Cookie": "a=1", "X-Harmless": "y"}
    for path in ("/here", "/"):
        request = HttpRequest(url=site.url(path, "api.example.com"), headers=headers, redirects=1)
        await sender.send(request, "e/1")
    _, stayed, _, left = site.seen
    assert {"authorization", "cookie", "x-harmless"} <= set(stayed.headers)
    assert "x-harmless" in left.headers
    assert {"authorization", "cookie"} & set(left.headers) == set()


async def test_a_redirect_from_https_to_http_is_not_followed(
    site: Site, safe_site: Site, sender: Sender
) -> None:
    safe_site.says("/", moved(site.url("/echo", "api.example.com")))
    url = safe_site.url("/", "api.example.com", "https")
    error = await failure(sender, HttpRequest(url=url, redirects=1))
    assert error.type == "HttpRefused"
    assert site.seen == []


async def test_redirects_share_the_requests_time(site: Site, sender: Sender) -> None:
    site.says("/", moved("/"))
    request = HttpRequest(url=site.url("/"), redirects=10, timeout=timedelta(milliseconds=1))
    assert (await failure(sender, request)).type == "HttpTimeout"
