"""The README's workflow runs, against a shop on loopback."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from lambda_workflow_services import http

from lambda_workflow.aws.present import aws_client
from tests.aws.server.process import Server
from tests.docs.blocks import run_page
from tests.services.http.certificates import Certificates
from tests.services.http.site import Reply, Seen, Site, json_reply

README = Path(http.__file__).parent / "README.md"


async def test_the_readme_says_what_happens(
    server: Server,
    safe_site: Site,
    tls: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def refund(seen: Seen) -> Reply:
        if sum(seen.method == "POST" for seen in safe_site.seen) > 1:
            return Reply(409, b"refunded already")
        return json_reply({"state": "refunded"})

    safe_site.says("/orders/7", json_reply({"cents": 500}))
    safe_site.answers["/orders/7/refund"] = refund
    settings = {
        "SHOP": safe_site.url("", "localhost", "https"),
        "SSL_CERT_FILE": str(tls.trusted),
        "HTTP_ALLOW_PRIVATE": "127.0.0.0/8,::1",
        "HTTP_SECRET_PREFIX": "shop/http/",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page_http")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    secret = '{"api_key": "sk-1234"}'
    await aws_client().call(
        "secretsmanager", "CreateSecret", Name="shop/http/shop", SecretString=secret
    )
    await run_page(README, module)
    await aws_client().close()
    assert {seen.headers["authorization"] for seen in safe_site.seen} == {"Bearer sk-1234"}
    keys = [seen.headers.get("idempotency-key") for seen in safe_site.seen]
    assert keys[0] is keys[2] is None
    assert keys[1] != keys[3]
    assert [seen.body for seen in safe_site.seen if seen.body] == [b'{"cents":500}'] * 2
    assert b"sk-1234" not in (tmp_path / "shop.db").read_bytes()
