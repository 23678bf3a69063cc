"""The page: what a link shows, who may decide, and what is kept when something breaks off."""

from __future__ import annotations

import asyncio
import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lambda_workflow_services.approval import Choice, Decision, requests
from lambda_workflow_services.approval.page import Page
from lambda_workflow_services.approval.settings import read_settings
from lambda_workflow_services.approval.words import WORDS

from lambda_workflow.aws.client import Aws
from lambda_workflow.model.tokens import make_token
from tests.aws.server.process import Server
from tests.services.approval.stage import (
    MINUTE,
    TABLE,
    Fields,
    Stage,
    decision_of,
    question,
)

NEEDS = Path(requests.__file__).with_name("needs.toml")


async def test_a_link_shows_the_question_as_plain_text(stage: Stage) -> None:
    await stage.ask(
        question(
            title='<script>alert("1")</script>',
            text="line one\n<b>line</b> two & more",
            facts={"<i>Amount</i>": '120 "EUR"'},
            choices=(Choice("x", '"><u>Go</u>', approves=True),),
        )
    )
    answer = await stage.get()
    assert answer["statusCode"] == 200
    body = answer["body"]
    for shown in (
        "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;",
        "line one\n&lt;b&gt;line&lt;/b&gt; two &amp; more",
        "&lt;i&gt;Amount&lt;/i&gt;",
        "120 &quot;EUR&quot;",
        "&quot;&gt;&lt;u&gt;Go&lt;/u&gt;",
    ):
        assert shown in body
    assert not [mark for mark in ("<script", "<b>", "<i>", "<u>") if mark in body]


async def test_looking_at_a_link_changes_nothing(stage: Stage) -> None:
    await stage.ask()
    before = await stage.item()
    for method in ("GET", "HEAD", "GET"):
        answer = await stage.get(method=method)
        assert answer["statusCode"] == 200
        assert bool(answer["body"]) == (method == "GET")
    answer = await stage.get(f"{stage.path}?choice=approve&form=x")
    assert Fields(answer["body"]).choices == ["approve", "reject"]
    assert await stage.item() == before
    assert await stage.answers() == []


async def test_a_decision_answers_the_callback_and_leads_back_to_the_page(stage: Stage) -> None:
    await stage.ask()
    answer = await stage.decide("approve", comment=" all\r\nwell ", by=" Grace\u00a0 Hopper ")
    assert (answer["statusCode"], answer["headers"]["Location"]) == (303, "?done")
    (update,) = await stage.answers()
    at = datetime.fromtimestamp(stage.clock.now() / 1000, UTC)
    assert (update.execution_id, update.operation) == ("e", "1")
    assert update.token == make_token("secret", "e", "1")
    assert decision_of(update) == Decision(True, "approve", "all\nwell", "Grace Hopper", at)
    thanks = await stage.get(f"{stage.path}?done")
    assert "Thank you" in thanks["body"]
    later = await stage.get()
    assert "Already decided" in later["body"]
    assert "Grace Hopper" in later["body"]
    assert Fields(later["body"]).choices == []


async def test_after_its_answer_the_callbacks_token_is_forgotten(stage: Stage) -> None:
    await stage.ask()
    assert make_token("secret", "e", "1") in json.dumps(await stage.item())
    await stage.decide()
    assert make_token("secret", "e", "1") not in json.dumps(await stage.item())


async def test_choices_of_its_own_say_whether_they_approve(stage: Stage) -> None:
    choices = (Choice("all", "All of it", True), Choice("half", "Half", True), Choice("no", "No"))
    await stage.ask(question(choices=choices))
    assert Fields((await stage.get())["body"]).choices == ["all", "half", "no"]
    await stage.decide("half")
    (update,) = await stage.answers()
    assert (decision_of(update).approved, decision_of(update).choice) == (True, "half")


async def test_the_same_form_again_changes_nothing(stage: Stage) -> None:
    await stage.ask()
    body = await stage.form(choice="reject", comment="too dear")
    await stage.post(body)
    before = await stage.item()
    stage.clock.time += MINUTE
    again = await stage.post(body)
    assert again["statusCode"] == 303
    assert await stage.item() == before
    assert len(await stage.answers()) == 1


@pytest.mark.parametrize("other", [{"choice": "approve"}, {"comment": "no!"}, {"by": "Alan"}])
async def test_another_decision_is_told_of_the_first(stage: Stage, other: dict[str, str]) -> None:
    await stage.ask()
    form = {"choice": "reject", "comment": "no", "by": "Ada"}
    first, second = await stage.form(**form), await stage.form(**{**form, **other})
    await stage.post(first)
    before = await stage.item()
    answer = await stage.post(second)
    assert answer["statusCode"] == 409
    assert "Your answer was not recorded" in answer["body"]
    assert "Reject" in answer["body"]
    assert "Ada" in answer["body"]
    assert await stage.item() == before
    assert len(await stage.answers()) == 1


async def test_of_decisions_at_the_same_time_one_counts(stage: Stage) -> None:
    await stage.ask()
    forms = [await stage.form(choice=c, by=str(n)) for n in range(4) for c in ("approve", "reject")]
    answers = await asyncio.gather(*map(stage.post, forms))
    assert sorted(a["statusCode"] for a in answers) == [303] + 7 * [409]
    assert len({str(update.payload) for update in await stage.answers()}) == 1


async def test_an_answer_that_could_not_be_sent_is_sent_by_the_next_look(
    stage: Stage, server: Server
) -> None:
    await stage.ask()
    server.fault("sqs", "SendMessageBatch", "error", name="in.fifo", count=6)
    answer = await stage.decide("approve", comment="yes")
    assert answer["statusCode"] == 503
    assert "Your decision is kept" in answer["body"]
    assert await stage.answers() == []
    assert (await stage.get())["statusCode"] == 200
    (update,) = await stage.answers()
    assert decision_of(update).comment == "yes"


@pytest.mark.parametrize("by", ["same form", "other form", "late look"])
async def test_a_crash_after_the_decision_loses_nothing(stage: Stage, by: str) -> None:
    await stage.ask()
    same, other = await stage.form(choice="approve"), await stage.form(choice="reject")
    code = stage.path.rpartition("/")[2]
    table = stage.page._table
    record = await table.get(code[:24])
    assert record is not None
    decision = Decision(True, "approve", "", "", datetime.fromtimestamp(1_800_000_000, UTC))
    await table.decide(record, decision, stage.clock.now())  # … and then the function dies
    if by == "late look":
        stage.clock.time += 8 * 24 * 60 * MINUTE
        answer = await stage.get()
    else:
        answer = await stage.post(same if by == "same form" else other)
    assert answer["statusCode"] == {"same form": 303, "other form": 409, "late look": 410}[by]
    (update,) = await stage.answers()
    assert decision_of(update) == decision


async def test_an_answer_that_was_sent_and_not_marked_is_sent_the_same_again(
    stage: Stage, server: Server
) -> None:
    await stage.ask()
    body = await stage.form(choice="approve")
    server.fault("dynamodb", "UpdateItem", "error", name=TABLE, skip=1, count=6)
    assert (await stage.post(body))["statusCode"] == 303
    (first,) = await stage.answers()
    assert "token" in await stage.item()
    assert (await stage.post(body))["statusCode"] == 303
    again = await stage.answers()
    assert again in ([], [first])  # SQS drops it for five minutes, then the execution does


async def test_without_the_table_nothing_is_recorded_and_the_page_says_so(
    stage: Stage, server: Server
) -> None:
    await stage.ask()
    body = await stage.form(choice="approve")
    server.fault("dynamodb", "UpdateItem", "error", name=TABLE, count=6)
    answer = await stage.post(body)
    assert answer["statusCode"] == 503
    assert "Nothing was recorded" in answer["body"]
    assert (await stage.post(body))["statusCode"] == 303


async def test_a_link_ends_and_then_shows_nothing(stage: Stage) -> None:
    end = datetime.fromtimestamp(stage.clock.now() / 1000, UTC) + timedelta(minutes=5)
    await stage.ask(question(expires=end))
    body = await stage.form(choice="approve")
    stage.clock.time += 5 * MINUTE
    for answer in (await stage.get(), await stage.post(body)):
        assert answer["statusCode"] == 410
        assert "expired" in answer["body"]
        assert "books" not in answer["body"]
    assert await stage.answers() == []


async def test_who_decided_in_the_last_second_learns_that_it_counts(stage: Stage) -> None:
    end = datetime.fromtimestamp(stage.clock.now() / 1000, UTC) + timedelta(minutes=5)
    await stage.ask(question(expires=end))
    await stage.decide()
    stage.clock.time += 5 * MINUTE
    answer = await stage.get(f"{stage.path}?done")
    assert answer["statusCode"] == 410
    assert "it counts" in answer["body"]
    assert "books" not in answer["body"]


def broken(code: str) -> list[str]:
    swapped = code[:-1] + ("a" if code[-1] != "a" else "b")
    other_id = ("a" if code[0] != "a" else "b") + code[1:]
    return [swapped, other_id, code[:-1], code[:24], code + "a", code.upper(), "", f"{code}/"]


async def test_forged_and_cut_links_are_nothing_at_all(stage: Stage) -> None:
    await stage.ask()
    unknown = await stage.get("/q/" + 64 * "a")
    assert unknown["statusCode"] == 404
    body = await stage.form(choice="approve")
    for code in broken(stage.path.removeprefix("/q/")):
        for path in (f"/q/{code}", f"/{code}"):
            assert await stage.get(path) == unknown
            stage.path, before = path, stage.path
            assert await stage.post(body) == unknown
            stage.path = before
    for path in ("/", "/favicon.ico", "/robots.txt", "/q", "//", "/q/../q/x"):
        assert await stage.get(path) == unknown
    assert await stage.answers() == []


async def test_the_links_of_two_questions_have_nothing_in_common(stage: Stage) -> None:
    first = (await stage.ask()).url.rpartition("/")[2]
    form = await stage.form(choice="approve")
    second = (await stage.ask(operation="3")).url.rpartition("/")[2]
    mixed = await stage.get(f"/q/{first[:24]}{second[24:]}")
    assert mixed["statusCode"] == 404
    assert (await stage.post(form))["statusCode"] == 403  # the first one's form


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"choice": "maybe"}, "Choose one"),
        ({"choice": ""}, "Choose one"),
        ({"choice": "approve", "comment": 2_001 * "x"}, "The comment is too long"),
        ({"choice": "approve", "by": 101 * "x"}, "The name is too long"),
    ],
)
async def test_a_form_that_cannot_count_comes_back_with_what_was_typed(
    stage: Stage, fields: dict[str, str], said: str
) -> None:
    await stage.ask()
    answer = await stage.decide(**{"comment": "so-so <&>", **fields})
    assert answer["statusCode"] == 422
    assert said in answer["body"]
    assert ("so-so &lt;&amp;&gt;" if "comment" not in fields else "xxx") in answer["body"]
    assert "decision" not in await stage.item()


async def test_the_longest_form_fits(stage: Stage) -> None:
    await stage.ask()
    answer = await stage.decide("approve", comment=2_000 * "🐘", by=100 * "🐘")
    assert answer["statusCode"] == 303
    (update,) = await stage.answers()
    assert decision_of(update).comment == 2_000 * "🐘"


@pytest.mark.parametrize("language", list(WORDS))
async def test_the_page_speaks_the_questions_language(stage: Stage, language: Any) -> None:
    words = WORDS[language]
    await stage.ask(question(language=language))
    body = (await stage.get())["body"]
    assert f'<html lang="{language}">' in body
    assert f">{words.approve}</button>" in body
    assert words.comment in body
    await stage.decide("reject")
    assert words.reject in (await stage.get())["body"]


def test_no_language_lends_sentences_from_another() -> None:
    names = [name for name in WORDS["en"].__slots__ if name.endswith("_text")]
    for name in names:
        assert len({getattr(words, name) for words in WORDS.values()}) == len(WORDS), name


async def test_its_functions_call_what_their_rights_name_and_nothing_else(stage: Stage) -> None:
    needs = tomllib.loads(NEEDS.read_text())["service"]["approval"]
    named = stage.aws.counts.copy()
    await stage.ask()
    assert stage.aws.counts - named == {("dynamodb", "PutItem"): 1}
    assert needs["table"]["actions"] == ["dynamodb:PutItem"]
    stage.page = Page(aws := Aws(), read_settings(), stage.clock)
    await stage.get()  # a scanner
    await stage.decide()
    await stage.get(f"{stage.path}?done")
    await aws.close()
    assert aws.counts == {
        ("dynamodb", "GetItem"): 4,
        ("dynamodb", "UpdateItem"): 2,
        ("sqs", "SendMessageBatch"): 1,
    }
    assert needs["page"]["table_actions"] == ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    assert needs["page"]["posts_results"] is True
