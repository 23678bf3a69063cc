"""A payload that is too large or too deep is an error where it is handed over, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Client,
    Context,
    LimitExceeded,
    PayloadTooLarge,
    Service,
    Status,
    Task,
    Update,
    serve,
    workflow,
)
from lambda_workflow.model import messages as m
from lambda_workflow.model.limits import DEPTH_MAX, PAYLOAD_BYTES_MAX
from lambda_workflow.model.payload_bounds import bounded
from lambda_workflow.runtime.serve import perform
from lambda_workflow.testing.memory import MemoryBlobs
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER

ECHO: Service[Any, Any] = Service("echo", Any, Any)
ASK: Update[int, Any] = Update("ask", int, Any)
HUGE = "x" * PAYLOAD_BYTES_MAX  # with its quotes just over the limit


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


@workflow
async def other(ctx: Context, value: Any) -> Any:
    return None


async def _step(ctx: Context, value: Any) -> None:
    await ctx.step(lambda: value)


async def _call(ctx: Context, value: Any) -> None:
    await ctx.call(ECHO, value)


async def _send(ctx: Context, value: Any) -> None:
    ctx.send(ECHO, value)


async def _child(ctx: Context, value: Any) -> None:
    await ctx.call(other, value)


async def _start(ctx: Context, value: Any) -> None:
    ctx.start(other, value)


async def _status(ctx: Context, value: Any) -> None:
    ctx.set_status(value)


async def _renew(ctx: Context, value: Any) -> None:
    ctx.continue_as_new(value)


WAYS: dict[str, Callable[[Context, Any], Any]] = {
    way.__name__: way for way in (_step, _call, _send, _child, _start, _status, _renew)
}


def value_of(kind: str) -> Any:
    return HUGE if kind == "large" else nested(DEPTH_MAX + 1)


@workflow
async def handing(ctx: Context, asked: Any) -> Any:
    way, kind, is_caught = asked
    try:
        await WAYS[way](ctx, value_of(kind))
    except PayloadTooLarge as error:
        if not is_caught:
            raise
        return [type(error).__name__, str(error), await ctx.call(DOUBLE, 2)]
    return "nothing was refused"


APP = App("sizes", workflows=[handing, other], services=[ECHO, DOUBLE, OTHER])


@pytest.mark.parametrize("kind", ["large", "deep"])
@pytest.mark.parametrize("way", WAYS)
async def test_code_can_take_the_error_and_go_on(make_host: MakeHost, way: str, kind: str) -> None:
    host = make_host(APP, check=True)
    async with asyncio.timeout(20):
        await host.start(handing, [way, kind, True])
        assert host.status() is Status.RUNNING, host.history().turns[-1].reason
        host.deploy(APP, check=True)  # and a replay refuses it too
        (task,) = host.tasks()
        await host.answer(task.task_id.rpartition("/")[2], 4)
    name, text, four = host.outcome()
    assert (name, four) == ("PayloadTooLarge", 4)
    assert (f"{PAYLOAD_BYTES_MAX + 2:,} bytes" if kind == "large" else "200 levels") in text


@pytest.mark.parametrize("way", WAYS)
async def test_where_nobody_takes_it_the_execution_fails(make_host: MakeHost, way: str) -> None:
    host = make_host(APP)
    await host.start(handing, [way, "large", False])
    assert host.status() is Status.FAILED
    assert host.outcome().type.endswith("PayloadTooLarge")
    assert len(host.outcome().message) < 400


@pytest.mark.parametrize("kind", ["large", "deep"])
async def test_a_result_that_is_too_large_fails_the_execution(
    make_host: MakeHost, kind: str
) -> None:
    @workflow
    async def returning(ctx: Context, n: int) -> Any:
        return value_of(kind)

    host = make_host(App("sizes", workflows=[returning]))
    await host.start(returning)
    assert host.status() is Status.FAILED
    assert host.outcome().type == "PayloadTooLarge"


async def test_a_reply_that_is_too_large_is_refused_at_respond(make_host: MakeHost) -> None:
    @workflow
    async def replying(ctx: Context, n: int) -> str:
        async for asked in ctx.updates(ASK):
            try:
                asked.respond(HUGE)
            except PayloadTooLarge:
                asked.respond("smaller")
                return "refused"
        return ""

    host = make_host(App("sizes", workflows=[replying]))
    await host.start(replying)
    await host.send(m.UpdateRequest("e", "ask", 1, "u1"))
    assert host.outcome() == "refused"


@pytest.mark.parametrize("kind", ["large", "deep"])
async def test_an_adapter_whose_result_is_too_large_has_failed_for_good(kind: str) -> None:
    @serve(ECHO)
    async def echo(what: Any) -> Any:
        return value_of(kind)

    update = await perform(echo, Task("e", "e/1", "echo", 1, 1, "memory://inbox"), MemoryBlobs())
    assert update.failure is not None
    assert update.failure.type == "PayloadTooLarge"
    assert not update.failure.retryable


async def test_a_client_is_refused_where_it_asks(make_host: MakeHost) -> None:
    host = make_host(APP)
    client = Client(APP, host.memory.backend)
    with pytest.raises(PayloadTooLarge, match="limit is 16,777,216"):
        await client.start(other, HUGE)
    with pytest.raises(PayloadTooLarge, match="200 levels"):
        await client.start(other, nested(DEPTH_MAX + 1))


@pytest.mark.parametrize("value", [nested(DEPTH_MAX), [{"a": nested(DEPTH_MAX - 2)}], 1, None, []])
def test_what_keeps_to_the_limits_is_let_through(value: Any) -> None:
    assert bounded(value, "it") is value


@pytest.mark.parametrize("value", ["\x01" * (PAYLOAD_BYTES_MAX // 6 + 1), ["世" * 6_000_000]])
def test_bytes_are_counted_as_they_are_written(value: Any) -> None:
    with pytest.raises(LimitExceeded, match="it: "):
        bounded(value, "it")


def test_a_text_just_within_the_limit_is_let_through() -> None:
    text = "x" * (PAYLOAD_BYTES_MAX - 2)
    assert bounded(text, "it") is text
