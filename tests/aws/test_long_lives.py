"""Executions that live for years: what is renewed, what may expire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import App, Context, Signal, Status, workflow
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.model import messages as m
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.turns import Turns
from tests.aws.deployed import ShiftedClock, deploy
from tests.aws.server.process import Server

DAY_MS = 86_400_000
WORD: Signal[int] = Signal("word", int)


@workflow
async def listens(ctx: Context, n: int) -> int:
    """A run for each even number, one for ever for the odd ones; 0 ends it."""
    async for word in ctx.signals(WORD):
        if word == 0:
            break
        n += word
        if word % 2 == 0:
            ctx.continue_as_new(n)
    return n


app = App("years", workflows=[listens])


class Years:
    """An execution on DynamoDB, its turns made by workers that know nothing."""

    def __init__(self, server: Server, aws: Aws, config: Any) -> None:
        self.clock = ShiftedClock()
        self.server = server
        self.backend = aws_backend(app, config, aws, clock=self.clock)
        self.client = Client(app, self.backend)

    async def send(self, message: m.Message) -> None:
        turns = Turns(app, self.backend, live_max=0)
        await turns.run("e", [Arrival(message)])

    async def days(self, count: int) -> None:
        """Let them pass, and let the table delete what has expired."""
        self.clock.shift += count * DAY_MS
        self.server.advance(timedelta(days=count).total_seconds())


@pytest.fixture
async def years(server: Server) -> AsyncIterator[Years]:
    aws = Aws()
    yield Years(server, aws, await deploy((), scheduler=False))
    await aws.close()


@pytest.mark.parametrize(("word", "runs"), [(2, 21), (1, 1)])
async def test_an_execution_lives_as_long_as_it_wakes_now_and_then(
    years: Years, word: int, runs: int
) -> None:
    await years.send(m.Request("e", "listens", 0))
    for number in range(20):
        await years.days(390)
        await years.send(m.Signal("e", "word", word, f"s{number}"))
    header = await years.client.describe("e")
    assert header.status is Status.RUNNING
    await years.send(m.Signal("e", "word", 0, "end"))
    assert await years.client.result("e") == 20 * word
    history = await years.client.history("e")
    assert history.started is not None
    assert history.started.run.number == runs
    assert history.turns[-1].status is Status.COMPLETED
    if runs == 1:
        assert len(history.turns) == 22
    else:  # those of the last years
        assert 4 <= len(history.turns) < 10
        assert history.turns[0].events[0] == next(iter(history.events()))


async def test_a_young_run_of_an_old_execution_renews_nothing(years: Years) -> None:
    await years.send(m.Request("e", "listens", 0))
    for number in range(4):
        await years.days(390)
        await years.send(m.Signal("e", "word", 2, f"s{number}"))
    before = len(years.server.requests("dynamodb"))
    await years.send(m.Signal("e", "word", 1, "last"))
    made = [request.operation for request in years.server.requests("dynamodb")[before:]]
    assert made == ["Query", "PutItem"]


async def test_what_has_expired_is_gone(years: Years) -> None:
    await years.send(m.Request("e", "listens", 0))
    await years.send(m.Signal("e", "word", 2, "a"))
    await years.days(801)
    assert await years.backend.store.header("e") is None
    assert list((await years.backend.store.load("e")).texts) == []
    assert list((await years.backend.store.load("e", whole=True)).texts) == []


async def test_a_load_that_ends_where_the_present_run_begins_leaves_nothing_to_the_event_loop(
    years: Years,
) -> None:
    await years.send(m.Request("e", "listens", 0))
    await years.send(m.Signal("e", "word", 2, "s"))
    before = asyncio.all_tasks()
    loaded = await years.backend.store.load("e")
    assert len(loaded.texts) == 1
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
