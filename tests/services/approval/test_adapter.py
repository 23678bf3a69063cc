"""The adapter: what becomes a link, what is refused, and what a repeated task gives."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lambda_workflow_services.approval import Choice, Question, adapter
from lambda_workflow_services.approval.settings import Settings, read_settings

from lambda_workflow import ServiceError, Task
from lambda_workflow.aws.backend import SystemClock
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.tokens import make_token
from tests.aws.server.process import Server
from tests.services.approval.stage import HOST, TABLE, Stage, question

WEEK_MS = 7 * 86_400_000


async def test_a_link_is_of_signs_that_no_mail_program_breaks(stage: Stage) -> None:
    link = await stage.ask()
    assert re.fullmatch(rf"https://{re.escape(HOST)}/q/[a-z2-7]{{64}}", link.url)
    assert question().token not in link.url


async def test_a_repeated_task_gives_the_same_link_and_reopens_nothing(stage: Stage) -> None:
    links = await asyncio.gather(*(stage.ask() for _ in range(3)))
    await stage.decide()
    decided = await stage.item()
    links.append(await stage.ask())
    assert len(set(links)) == 1
    assert await stage.item() == decided


async def test_the_execution_that_replaces_another_one_gets_a_link_of_its_own(
    stage: Stage,
) -> None:
    first = await stage.ask()
    second = await stage.ask(question(token=make_token("another secret", "e", "1")))
    assert first.url != second.url


async def test_a_link_ends_with_the_question_or_after_a_week_and_its_record_later(
    stage: Stage,
) -> None:
    before = SystemClock().now()
    link = await stage.ask()
    item = await stage.item()
    expires = int(item["expires"]["N"])
    assert before + WEEK_MS <= expires <= SystemClock().now() + WEEK_MS
    assert int(link.expires.timestamp() * 1000) == expires
    assert int(item["x"]["N"]) == (expires + WEEK_MS) // 1000
    end = datetime(2026, 12, 1, 12, tzinfo=UTC) + timedelta(days=1)
    assert (await stage.ask(question(expires=end), operation="3")).expires == end


@pytest.mark.parametrize(
    ("fields", "queue_url", "said"),
    [
        ({"token": "tea"}, "in.fifo", "no callback token"),
        ({"token": make_token("secret", "other", "1")}, "in.fifo", "of execution other"),
        ({"token": make_token("", "e", "1")}, "in.fifo", "without a secret"),
        ({}, "", "no FIFO queue"),
        ({}, "standard", "no FIFO queue"),
        ({"expires": datetime(2099, 1, 1, tzinfo=UTC)}, "in.fifo", "more than 366 days"),
    ],
)
async def test_a_question_whose_answer_would_reach_nobody_is_refused(
    stage: Stage, fields: dict[str, Any], queue_url: str, said: str
) -> None:
    task = Task("e", "e/2", "approval", None, 1, queue_url)
    with pytest.raises(ServiceError, match=said) as refused:
        await adapter.approval(question(**fields), task)
    assert (refused.value.type, refused.value.retryable) == ("BadQuestion", False)


@pytest.mark.parametrize(("kind", "count", "again"), [("refuse", 1, False), ("error", 6, True)])
async def test_what_aws_refuses_is_told_to_the_workflow(
    stage: Stage, server: Server, kind: str, count: int, again: bool
) -> None:
    server.fault("dynamodb", "PutItem", kind, name=TABLE, count=count)
    with pytest.raises(ServiceError) as refused:
        await stage.ask()
    assert (refused.value.type, refused.value.retryable) == ("ApprovalNotStored", again)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"title": " "}, "1 to 200 characters"),
        ({"title": 201 * "x"}, "1 to 200 characters"),
        ({"token": ""}, "callback.token"),
        ({"text": 10_001 * "x"}, "longer than 10000"),
        ({"facts": {str(n): "" for n in range(51)}}, "more than 50 facts"),
        ({"facts": {"": "x"}}, "fact ''"),
        ({"facts": {"Sum": 1_001 * "x"}}, "fact 'Sum'"),
        ({"choices": tuple(Choice(str(n), "x") for n in range(7))}, "more than 6 choices"),
        ({"choices": (Choice("a", "x"), Choice("a", "y"))}, "the same value"),
        ({"choices": (Choice("a", "Pay"), Choice("b", "Pay\u200b "))}, "look the same"),
        ({"title": "\u200b\u202e"}, "1 to 200 characters"),
        ({"expires": datetime(2026, 12, 1)}, "no time zone"),  # noqa: DTZ001  # that is the point
        ({"title": "", "token": ""}, "characters; it has no token"),
    ],
)
def test_a_question_that_is_wrong_in_itself_is_refused_where_it_is_written(
    fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Question(**{"title": "Tea?", "token": "t", **fields})


@pytest.mark.parametrize(
    "choice",
    [("", "x"), ("a b", "x"), (65 * "a", "x"), ("a", " "), ("a", 61 * "x"), ("a", "\u200b")],
)
def test_a_choice_needs_a_value_and_a_label(choice: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="choice"):
        Choice(*choice)


def test_settings_that_are_missing_or_wrong_are_all_named() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_settings({"APPROVAL_PUBLIC_URL": "http://example.com"}, needs_url=True)
    assert "APPROVAL_TABLE is not set" in str(refused.value)
    assert "APPROVAL_PUBLIC_URL is 'http://example.com'" in str(refused.value)
    with pytest.raises(ConfigurationError, match="APPROVAL_URL is not set"):
        read_settings({"APPROVAL_TABLE": "t"}, needs_url=True)


@pytest.mark.parametrize(
    "url",
    [
        "x",
        "ftp://example.com",
        "https://",
        "https://example.com/?a",
        "https://example.com:x",
        "//example.com",
    ],
)
def test_an_address_must_be_one_that_people_can_open(url: str) -> None:
    with pytest.raises(ConfigurationError, match="APPROVAL_URL"):
        read_settings({"APPROVAL_TABLE": "t", "APPROVAL_URL": url}, needs_url=True)


def test_the_address_in_front_of_the_page_comes_before_its_own() -> None:
    env = {"APPROVAL_TABLE": "t", "APPROVAL_URL": "https://own.example.com/"}
    front = {**env, "APPROVAL_PUBLIC_URL": "https://Page.example.com/ask/"}
    assert read_settings(env) == Settings("t")
    assert read_settings(env, needs_url=True).link("x") == "https://own.example.com/q/x"
    settings = read_settings(front)
    assert settings.link("x") == "https://Page.example.com/ask/q/x"
    assert (settings.origin, settings.path) == ("https://page.example.com", "/ask/q/")
