"""What a server, a name or a secret of bad intent can reach: nothing that it should not."""

from __future__ import annotations

import base64
import gzip
import html
import json
import time
import tracemalloc
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from urllib.parse import quote, quote_plus

import pytest
from lambda_workflow_services.http import HttpRequest, Secret
from lambda_workflow_services.http.addresses import Refused, check_address
from lambda_workflow_services.http.lookup import Lookup
from lambda_workflow_services.http.reading import TooLarge, content_type, read
from lambda_workflow_services.http.redaction import HIDDEN, Redactor
from lambda_workflow_services.http.sender import Sender
from lambda_workflow_services.http.settings import Settings

from lambda_workflow import ServiceError
from lambda_workflow.aws.present import aws_client
from lambda_workflow.model.failures import as_details
from tests.aws.server.process import Server
from tests.services.http.conftest import LOOPBACK
from tests.services.http.site import Reply, Site, json_reply

ALL_ALLOWED = Settings(allow_private=(ip_network("0.0.0.0/0"), ip_network("::/0")))
PASSWORD = "p!s/s w(o)'r+d\"<é𝄞>\\&~"


async def failure(sender: Sender, request: HttpRequest) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await sender.send(request, "e/1")
    return raised.value


@pytest.mark.parametrize(
    "address",
    [
        *("::169.254.169.254", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1"),
        *("2001:0:1:2:3:4:5601:5601", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::"),
        *("64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:0:a9:fea9:fe00:0", "fd00:ec2::254%eth0"),
    ],
)
def test_no_tunnel_leads_to_where_credentials_are_handed_out(address: str) -> None:
    with pytest.raises(Refused, match="which no setting allows"):
        check_address(address, ALL_ALLOWED)


@pytest.mark.parametrize("address", ["2002:a00:1::1", "64:ff9b:1::a00:1", "::10.0.0.1", "::1"])
def test_a_tunnel_that_a_setting_has_is_open(address: str) -> None:
    assert check_address(address, ALL_ALLOWED) == address


WRITTEN = {
    "itself": PASSWORD,
    "URL, lower case": quote(PASSWORD, safe="").replace("%2F", "%2f").replace("%3C", "%3c"),
    "URL by JavaScript": quote(PASSWORD, safe="!'()*~"),
    "form by Java": quote_plus(PASSWORD, safe="*").replace("~", "%7E"),
    "JSON by Go": json.dumps(PASSWORD).replace("<", "\\u003c").replace("&", "\\u0026"),
    "JSON by .NET": json.dumps(PASSWORD).replace("+", "\\u002B").replace('\\"', "\\u0022"),
    "JSON by PHP": json.dumps(PASSWORD).replace("/", "\\/"),
    "HTML by Python": html.escape(PASSWORD),
    "HTML by Go": html.escape(PASSWORD).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    "XML": html.escape(PASSWORD).replace("&#x27;", "&apos;").replace("é", "&#233;"),
    "bytes by Python": repr(PASSWORD.encode()),
    "bytes as Latin-1": PASSWORD.encode().decode("latin-1"),
    "hexadecimal": PASSWORD.encode().hex().upper(),
    "base64": base64.urlsafe_b64encode(PASSWORD.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_secret_is_hidden_whoever_has_encoded_it(form: str) -> None:
    hide = Redactor([PASSWORD, "123456"])
    written = f"<{WRITTEN[form]}>"
    assert HIDDEN in hide.text(written)
    assert "w" not in hide.text(written).replace(HIDDEN, "")
    assert hide.content(written.encode()) == hide.text(written).encode()


def test_what_is_like_a_secret_stays() -> None:
    hide = Redactor(["a.b+c", "", "x:"])
    text = "axb+c a.bc a.b%2c x: %61 &#43;"
    assert hide.text(text) == text


async def test_a_secret_in_a_headers_name_is_hidden(
    server: Server, safe_site: Site, sender: Sender
) -> None:
    aws = aws_client()
    await aws.call(
        "secretsmanager", "CreateSecret", Name="shop/http/key", SecretString="Key-0123456789"
    )
    safe_site.says("/", Reply(headers={"X-Key-0123456789": "x", "Y": "key Key-0123456789"}))
    url = safe_site.url("/", "api.example.com", "https")
    response = await sender.send(HttpRequest(url=url, headers={"K": Secret("key")}), "e/1")
    assert response.headers["x-[secret]"] == "x"
    assert "0123456789" not in repr(response)
    await aws.close()


async def test_a_secret_that_is_no_text_is_refused_in_words(server: Server) -> None:
    aws = aws_client()
    half = json.dumps({"key": "abcd\ud800"})
    await aws.call("secretsmanager", "CreateSecret", Name="shop/http/half", SecretString=half)
    with pytest.raises(ServiceError, match="half a surrogate pair") as raised:
        await Lookup(LOOPBACK, lambda: 0.0).values([Secret("half", key="key")])
    assert raised.value.type == "SecretUnusable"
    assert raised.value.__cause__ is None
    await aws.close()


def test_a_content_type_made_to_be_slow_to_read_is_not() -> None:
    slow = 'text/html; charset=utf-16; a="' + ";" * 90_000
    before = time.process_time()
    assert content_type({"content-type": slow}) == ("text/html", "utf-16")
    assert time.process_time() - before < 0.5


@pytest.mark.parametrize("sign", ['"', "\\", "x"])
async def test_details_stay_an_object_whatever_the_server_sends(
    site: Site, sender: Sender, sign: str
) -> None:
    headers = {f"X-{number}-{'n' * 500}": sign * 1_000 for number in range(40)}
    site.says("/", Reply(302, headers={"Location": "/" + '"' * 20_000}))
    site.says("/" + "%22" * 20_000, Reply(400, b"\x01" * 5_000, headers))
    error = await failure(sender, HttpRequest(url=site.url("/"), redirects=1))
    assert error.type == "HttpStatus400"
    kept = as_details(error.details)
    assert isinstance(kept, dict)
    assert kept["body"] == "\x01" * 2_000
    assert kept["status"] == 400


async def test_a_body_too_large_behind_a_long_url_has_its_details(
    site: Site, sender: Sender
) -> None:
    site.says("/", Reply(302, headers={"Location": "/" + "x" * 20_000}))
    site.says("/" + "x" * 20_000, Reply(200, b"x" * 100))
    request = HttpRequest(url=site.url("/"), redirects=1, response_bytes_max=10)
    error = await failure(sender, request)
    assert error.type == "HttpBodyTooLarge"
    assert as_details(error.details)["status"] == 200


async def test_what_is_compressed_out_of_nothing_ends() -> None:
    received = 0

    async def nothings() -> AsyncIterator[bytes]:
        nonlocal received
        nothing = gzip.compress(b"") * 500
        while True:
            received += len(nothing)
            yield nothing

    with pytest.raises(TooLarge):
        await read(nothings(), "gzip", 1_000)
    assert received < 100_000


@pytest.mark.parametrize("unit", [b"{},", b"[],", b'{"a":0},', b"0,"])
async def test_json_of_too_many_values_is_not_unpacked(
    site: Site, sender: Sender, unit: bytes
) -> None:
    site.says("/", Reply(body=b"[" + unit * 200_000 + b"0]"))
    request = HttpRequest(url=site.url("/"), expect="json", response_bytes_max=2**21)
    tracemalloc.start()
    error = await failure(sender, request)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.type == "HttpBadBody"
    assert 'expect="text"' in str(error)
    assert peak < 10 * 2**20


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
async def test_json_of_too_many_values_is_counted_whatever_its_encoding(
    site: Site, sender: Sender, encoding: str
) -> None:
    text = '["∀",' + "0," * 200_000 + "0]"  # a byte of the sign is a quotation mark
    site.says("/", Reply(body=text.encode(encoding)))
    request = HttpRequest(url=site.url("/"), expect="json", response_bytes_max=2**21)
    assert "JSON values" in str(await failure(sender, request))


async def test_text_in_json_may_have_as_many_commas_as_it_likes(site: Site, sender: Sender) -> None:
    table = '"[1,2],{}\\' * 40_000
    site.says("/", json_reply({"csv": table}))
    response = await sender.send(HttpRequest(url=site.url("/")), "e/1")
    assert response.json_body == {"csv": table}


async def test_a_redirect_to_a_name_that_is_none_is_no_reason_to_try_again(
    site: Site, sender: Sender
) -> None:
    site.says("/", Reply(302, headers={"Location": "//xn--/"}))
    error = await failure(sender, HttpRequest(url=site.url("/"), redirects=1))
    assert (error.type, error.retryable) == ("HttpRefused", False)


ROUGH = {
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 300_000,
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "length in other digits": b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nxx",
    "a line end in a header": b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n",
    "a chunk of no size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nxx",
}


@pytest.mark.parametrize("rough", ROUGH)
async def test_a_server_that_breaks_the_protocol_is_an_error_of_bounded_words(
    site: Site, sender: Sender, rough: str
) -> None:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(ROUGH[rough])

    site.answers["/"] = lambda seen: Reply(100, stream=write)
    error = await failure(sender, HttpRequest(url=site.url("/")))
    assert error.type in ("HttpConnection", "HttpStatus101")
    assert len(str(error)) < 1_000
