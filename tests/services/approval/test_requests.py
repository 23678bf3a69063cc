"""The page's requests: what of HTTP it takes, from whom, and with which headers it answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from lambda_workflow_services.approval.requests import BODY_BYTES_MAX

from tests.services.approval.stage import Fields, Stage, decision_of, event


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
async def test_a_form_of_another_site_decides_nothing(
    stage: Stage, headers: dict[str, str]
) -> None:
    await stage.ask()
    answer = await stage.post(await stage.form(choice="approve"), **headers)
    assert answer["statusCode"] == 403
    assert "decision" not in await stage.item()


@pytest.mark.parametrize("nonce", ["", "a", 40 * "a", "ü\ud800"])
async def test_a_form_without_the_links_nonce_decides_nothing(stage: Stage, nonce: str) -> None:
    await stage.ask()
    body = urlencode({"form": nonce, "choice": "approve"}, errors="surrogatepass")
    assert (await stage.post(body))["statusCode"] in (400, 403)
    assert "decision" not in await stage.item()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"body": "x" * (BODY_BYTES_MAX + 1), "isBase64Encoded": False}, 413),
        ({"body": "x" * (2 * BODY_BYTES_MAX)}, 413),
        ({"body": "no base64!"}, 400),
        ({"body": "choice", "isBase64Encoded": False}, 400),
        ({"body": "choice=%ff", "isBase64Encoded": False}, 400),
        ({"body": "choice=a&choice=b", "isBase64Encoded": False}, 400),
        ({"body": "&".join(f"a{n}=1" for n in range(11)), "isBase64Encoded": False}, 400),
        ({"headers": {"content-type": "application/json"}}, 415),
        ({"headers": {}}, 415),
        ({"body": None}, 403),
    ],
)
async def test_a_body_that_is_not_of_the_pages_form_is_refused(
    stage: Stage, change: dict[str, Any], status: int
) -> None:
    await stage.ask()
    form = {"Content_Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    answer = await stage.page.answer({**event("POST", stage.path, "a=b", **form), **change})
    assert answer["statusCode"] == status
    assert "decision" not in await stage.item()


async def test_a_body_counts_as_text_as_well_as_in_base64(stage: Stage) -> None:
    await stage.ask()
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    plain = event("POST", stage.path, "", **form)
    plain["body"] = await stage.form(choice="approve", comment="Grüße")
    assert (await stage.page.answer(plain))["statusCode"] == 303
    (update,) = await stage.answers()
    assert decision_of(update).comment == "Grüße"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", ""])
async def test_other_methods_are_not_allowed(stage: Stage, method: str) -> None:
    await stage.ask()
    answer = await stage.get(method=method)
    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, "GET, HEAD, POST")
    assert (await stage.get("/", method=method))["statusCode"] == 404


async def test_every_answer_has_the_headers_that_protect_it(stage: Stage) -> None:
    await stage.ask()
    body = await stage.form(choice="approve")
    first = await stage.get()
    answers = [first, await stage.get("/"), await stage.post("x=1"), await stage.post(body)]
    answers += [await stage.get(), await stage.get(method="PUT")]
    assert [a["statusCode"] for a in answers] == [200, 404, 403, 303, 200, 405]
    for answer in answers:
        headers = answer["headers"]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Set-Cookie" not in headers
        assert "cookies" not in answer


async def test_behind_a_load_balancer_or_another_address_it_is_the_same_page(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.ask()
    stage.page._settings = replace(stage.page._settings, url="https://app.example.org/ask")
    path = f"/ask{stage.path}"
    balanced = {
        "requestContext": {"elb": {"targetGroupArn": "arn"}},
        "httpMethod": "GET",
        "path": path,
        "queryStringParameters": {"done": ""},
        "headers": {"host": "app.example.org"},
        "body": "",
        "isBase64Encoded": False,
    }
    shown = await stage.page.answer(balanced)
    assert (shown["statusCode"], shown["statusDescription"]) == (200, "200 OK")
    body = urlencode({**Fields(shown["body"]).hidden, "choice": "approve"})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    own = {"origin": "https://app.example.org", **headers}
    foreign = {"origin": "https://page.example.com", **headers}
    sent = {**balanced, "httpMethod": "POST", "body": body}
    assert (await stage.page.answer({**sent, "headers": foreign}))["statusCode"] == 403
    assert (await stage.page.answer({**sent, "headers": own}))["statusCode"] == 303
    assert "Thank you" in (await stage.page.answer(balanced))["body"]
    assert (await stage.get())["statusCode"] == 404  # without the address's path


async def test_an_event_of_another_kind_is_not_understood(stage: Stage) -> None:
    answer = await stage.page.answer({"Records": []})
    assert answer["statusCode"] == 400
