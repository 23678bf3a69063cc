"""The id of an execution that has expired is free, whatever DynamoDB has deleted of it by then."""

from __future__ import annotations

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

WORD: Signal[int] = Signal("word", int)


@workflow
async def adds(ctx: Context, n: int) -> int:
    async for word in ctx.signals(WORD):
        if word == 0:
            break
        n += word
    return n


app = App("expired", workflows=[adds])


class Life:
    """An execution on DynamoDB, each of its turns made by a worker that knows nothing."""

    def __init__(self, config: Any, aws: Aws) -> None:
        self.config = config
        self.clock = ShiftedClock()
        self.backend = aws_backend(app, config, aws, clock=self.clock)
        self.client = Client(app, self.backend)

    async def send(self, *messages: m.Message) -> None:
        turns = Turns(app, self.backend, live_max=0)
        await turns.run("e", [Arrival(message) for message in messages])

    async def live(self, start: int, *words: int) -> None:
        await self.send(m.Request("e", "adds", start))
        for number, word in enumerate(words):
            await self.send(m.Signal("e", "word", word, f"{start}.{number}"))


@pytest.fixture
async def life(server: Server) -> AsyncIterator[Life]:
    aws = Aws()
    yield Life(await deploy((), scheduler=False), aws)
    await aws.close()


@pytest.mark.parametrize("is_deleted", [False, True], ids=["nothing deleted", "both ends deleted"])
@pytest.mark.parametrize("words", [(), (1,), (1, 2, 3, 0)])
async def test_an_id_can_be_used_again_once_its_execution_has_expired(
    server: Server, life: Life, words: tuple[int, ...], is_deleted: bool
) -> None:
    await life.live(10, 5, 6, 7, 0)
    assert (await life.client.describe("e")).status is Status.COMPLETED
    days = life.config.retention_days + 2
    life.clock.shift += days * 86_400_000
    if is_deleted:  # the items between first and last are kept for the horizon
        server.advance(timedelta(days=days).total_seconds())
    await life.live(100, *words)
    history = await life.client.history("e")
    assert [turn.number for turn in history.turns] == [*range(1, len(words) + 2)]
    assert history.started is not None
    assert history.started.request == 100
    header = await life.client.describe("e")
    assert header.status is (Status.COMPLETED if 0 in words else Status.RUNNING)
    assert header.execution_id in {one.execution_id for one in (await life.client.list()).headers}
    if 0 in words:
        assert await life.client.result("e") == 100 + sum(words)
