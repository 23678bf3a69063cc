"""The page against strangers, and against those who write what a question says or who answer it."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from lambda_workflow_services.approval import Choice, Decision

from lambda_workflow.model.tokens import make_token
from tests.aws.deployed import take
from tests.aws.server.process import Server
from tests.services.approval.stage import (
    HOST,
    MINUTE,
    TABLE,
    Fields,
    Stage,
    decision_of,
    event,
    question,
)

FORM: Final = "application/x-www-form-urlencoded"
HOSTILE: Final = "\"'><script>&lt;</textarea></title><!--]]></style><a onclick=x href=//x>"


def path_of(code: str) -> str:
    return f"/q/{code}"


CODES: Final[dict[str, Callable[[str], str]]] = {
    "cut": lambda code: code[:-1],
    "cut to its id": lambda code: code[:24],
    "longer": lambda code: code + "a",
    "longer by padding": lambda code: code + "=",
    "upper case": lambda code: code.upper(),
    "one letter in upper case": lambda code: code[:-1] + "K" if code[-1] == "k" else code.title(),
    "another last letter": lambda code: code[:-1] + ("b" if code[-1] == "a" else "a"),
    "another first letter": lambda code: ("b" if code[0] == "a" else "a") + code[1:],
    "0 for o and 1 for l": lambda code: code.translate(str.maketrans("ol", "01")),
    "full width": lambda code: chr(ord(code[0]) + 0xFEE0) + code[1:],
    "a line end": lambda code: code + "\n",
    "an end of text": lambda code: code + "\0",
    "a space": lambda code: code + " ",
    "a slash": lambda code: code + "/",
    "a parameter": lambda code: code + ";a",
    "per cent": lambda code: f"%{ord(code[0]):x}{code[1:]}",
    "another folder": lambda code: f"../q/{code}",
    "two slashes": lambda code: f"/{code}",
    "an id of nobody": lambda code: 24 * "a" + code[24:],
    "nothing": lambda code: "",
    "long": lambda code: 100_000 * "a",
}


async def test_a_code_that_is_not_the_links_shows_the_same_nothing(stage: Stage) -> None:
    await stage.ask()
    code = stage.path.rpartition("/")[2]
    form = await stage.form(choice="approve")
    nobody = await stage.get(path_of(64 * "a"))
    assert nobody["statusCode"] == 404
    for name, change in CODES.items():
        if (other := change(code)) == code:  # no letter of it could be mistaken
            continue
        assert await stage.get(path_of(other)) == nobody, name
        stage.path = path_of(other)
        assert await stage.post(form) == nobody, name
    assert "decision" not in await stage.item()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"rawQueryString": "{form}", "body": ""}, 403),
        ({"rawQueryString": "{form}", "body": "", "method": "GET"}, 200),
        ({"query": {"choice": "approve"}, "method": "GET"}, 200),
        ({"method": "GET"}, 200),
        ({"headers": {"x-http-method-override": "POST"}, "method": "GET"}, 200),
        ({"headers": {"content-type": "text/plain"}}, 415),
        ({"headers": {"content-type": "multipart/form-data; boundary=x"}}, 415),
        ({"headers": {"content-type": "application/json"}}, 415),
        ({"headers": {"content-type": f"text/plain, {FORM}"}}, 415),
        ({"headers": {"content-type": FORM, "origin": "https://evil.example.com"}}, 403),
        ({"headers": {"content-type": FORM, "origin": f"https://{HOST}.evil.example.com"}}, 403),
        ({"headers": {"content-type": FORM, "origin": f"http://{HOST}"}}, 403),
        ({"headers": {"content-type": FORM, "origin": ""}}, 403),
        ({"headers": {"content-type": FORM, "sec-fetch-site": "cross-site, same-origin"}}, 403),
        ({"headers": {"content-type": FORM, "sec-fetch-site": ""}}, 403),
        ({"headers": {"content-type": FORM, "host": "evil.example.com"}}, 303),
        ({"isBase64Encoded": "true"}, 400),
        ({"isBase64Encoded": True, "body": "{form}"}, 400),
        ({"isBase64Encoded": False}, 400),
    ],
)
async def test_nothing_but_the_form_sent_as_a_form_decides(
    stage: Stage, change: dict[str, Any], status: int
) -> None:
    await stage.ask()
    form = await stage.form(choice="approve")
    method = change.get("method", "POST")
    body = base64.b64encode(form.encode()).decode()
    sent = {
        **event(method, stage.path, form, Content_Type=FORM),
        "body": body,
        **{name: form if value == "{form}" else value for name, value in change.items()},
    }
    if sent["isBase64Encoded"] is not True:
        sent["body"] = body.rstrip("=")  # base64 that is said to be none
    answer = await stage.page.answer(sent)
    assert answer["statusCode"] == status
    assert ("decision" in await stage.item()) == (status == 303)


class Structure(HTMLParser):
    """The tags of a page and the names of their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(f"{tag} {sorted(name for name, _ in attrs)}")

    def handle_comment(self, data: str) -> None:
        self.tags.append("a comment")


async def _pages(stage: Stage, text: str) -> list[str]:
    """Every page that has a text from outside, with this one in each place."""
    name = text[:60]
    choices = (Choice("a", name, approves=True), Choice("b", f"{name[:59]}."))
    asked = question(title=text, text=text, facts={name: text}, choices=choices)
    await stage.ask(asked, operation=str(len(text)))
    typed = {"comment": text, "by": text}
    pages = [await stage.get(), await stage.decide("none", **typed)]
    body = await stage.form(choice="a", **typed)
    other = body.replace("choice=a", "choice=b")
    await stage.post(body)
    pages += [await stage.get(), await stage.get(f"{stage.path}?done"), await stage.post(other)]
    assert [page["statusCode"] for page in pages] == [200, 422, 200, 200, 409]
    return [page["body"] for page in pages]


async def test_no_text_from_outside_becomes_a_tag_or_an_attribute(stage: Stage) -> None:
    plain = [Structure(page).tags for page in await _pages(stage, "x" * len(HOSTILE) + "x")]
    hostile = [Structure(page).tags for page in await _pages(stage, HOSTILE)]
    assert hostile == plain
    assert all(len(tags) > 10 for tags in plain)


async def test_what_is_read_is_what_was_sent_in_its_order(stage: Stage) -> None:
    turned = "pay \u202e0021\u202c \u2067EUR\u2069 \x00\x1b[2J\x9b now"
    for page in await _pages(stage, turned):
        assert "pay 0021 EUR [2J now" in page
        assert not [sign for sign in "\u202e\u202c\u2067\u2069\x00\x1b\x9b" if sign in page]
    (update,) = await stage.answers()
    assert decision_of(update).comment == "pay 0021 EUR [2J now"
    assert decision_of(update).by == "pay 0021 EUR [2J now"


async def test_a_comment_has_no_sign_that_the_queue_refuses(stage: Stage) -> None:
    await stage.ask()
    assert (await stage.decide("approve", comment="\uffff\ufffe\u2028"))["statusCode"] == 303
    (message,) = await take(stage.queue_url)
    assert not [sign for sign in message["Body"] if sign in "\uffff\ufffe" or sign < " "]


async def test_every_answer_there_is_cannot_be_framed_kept_or_sniffed(
    stage: Stage, server: Server
) -> None:
    end = datetime.fromtimestamp(stage.clock.now() / 1000, UTC) + timedelta(minutes=5)
    await stage.ask(question(expires=end))
    form = await stage.form(choice="approve")
    answers = [
        await stage.page.answer({"requestContext": {}}),
        await stage.get("/q/x"),
        await stage.get(method="DELETE"),
        await stage.post(form, Content_Type="text/plain"),
        await stage.post("x" * 100_000),
        await stage.post(form, Origin="null"),
        await stage.decide("none"),
    ]
    server.fault("dynamodb", "UpdateItem", "error", name=TABLE, count=6)
    answers += [await stage.post(form), await stage.post(form), await stage.decide("reject")]
    stage.clock.time += 6 * MINUTE
    answers += [await stage.get(), await stage.get(method="HEAD")]
    statuses = [answer["statusCode"] for answer in answers]
    assert statuses == [400, 404, 405, 415, 413, 403, 422, 503, 303, 403, 410, 410]
    code = stage.path.rpartition("/")[2]
    for answer in answers:
        assert answer["headers"]["Cache-Control"] == "no-store"
        assert answer["headers"]["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer["headers"]["Content-Security-Policy"]
        assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
        assert code not in str(answer)
        assert not [name for name in answer["headers"] if name.lower().startswith("access-control")]


async def test_logs_have_neither_the_link_nor_the_token_nor_what_was_typed(
    stage: Stage, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "lambda_workflow"):
        await stage.ask()
        form = await stage.form(choice="approve", comment="between us", by="Grace")
        server.fault("sqs", "SendMessageBatch", "error", name="in.fifo", count=6)
        assert (await stage.post(form))["statusCode"] == 503
        server.fault("dynamodb", "UpdateItem", "error", name=TABLE, count=6)
        assert (await stage.get())["statusCode"] == 200
        assert (await stage.post(form))["statusCode"] == 303
    assert len(caplog.records) >= 4
    code, nonce = stage.path.rpartition("/")[2], form.partition("form=")[2][:40]
    for hidden in (code, code[24:], nonce, make_token("secret", "e", "1"), "between us", "Grace"):
        assert hidden not in caplog.text


async def test_a_question_that_is_asked_again_in_other_words_stays_the_first(stage: Stage) -> None:
    first = await stage.ask(question(title="May Ada buy books?"))
    again = await stage.ask(question(title="May Ada have the house?", choices=(Choice("x", "No"),)))
    assert again == first
    shown = (await stage.get())["body"]
    assert "books" in shown
    assert "house" not in shown
    assert Fields(shown).choices == ["approve", "reject"]


async def test_a_record_that_its_time_has_removed_meanwhile_is_not_made_anew(stage: Stage) -> None:
    await stage.ask()
    form = await stage.form(choice="approve")
    id_ = stage.path.rpartition("/")[2][:24]
    found = await stage.page._table.get(id_)
    assert found is not None
    await stage.aws.call("dynamodb", "DeleteItem", TableName=TABLE, Key={"id": {"S": id_}})
    assert (await stage.post(form))["statusCode"] == 404
    decision = Decision(True, "approve")
    assert await stage.page._table.decide(found, decision, stage.clock.now()) is None
    assert (await stage.aws.call("dynamodb", "Scan", TableName=TABLE))["Items"] == []


async def test_two_hands_on_one_link_at_its_last_moment(stage: Stage) -> None:
    end = datetime.fromtimestamp(stage.clock.now() / 1000, UTC) + timedelta(minutes=5)
    await stage.ask(question(expires=end))
    yes, no = await stage.form(choice="approve"), await stage.form(choice="reject")
    answers = await asyncio.gather(stage.post(yes), stage.post(no))
    assert sorted(answer["statusCode"] for answer in answers) == [303, 409]
    stage.clock.time += 5 * MINUTE
    assert [(await stage.post(form))["statusCode"] for form in (yes, no)].count(410) >= 1
    assert len({str(update.payload) for update in await stage.answers()}) == 1


async def test_the_nonce_of_a_form_is_not_the_signature_of_its_link(stage: Stage) -> None:
    await stage.ask()
    code = stage.path.rpartition("/")[2]
    body = urlencode({"form": code[24:], "choice": "approve"})
    assert (await stage.post(body))["statusCode"] == 403
    nonce = Fields((await stage.get())["body"]).hidden["form"]
    assert (await stage.get(path_of(code[:24] + nonce)))["statusCode"] == 404
