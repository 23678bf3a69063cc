"""Semantics that peers get wrong: code that a deploy has changed under a running execution.

Requirement 11-1 of AWS's conformance tests is that a step where a wait was is refused. Here every
command is compared with its payload, so that two unnamed calls of one service cannot swap results.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import App, Client, Context, Signal, Status, workflow
from lambda_workflow.local import Engine
from tests.peers.family import LOG
from tests.peers.services import ADAPTERS, NOTE, TRY, Note, Try

GO: Signal[int] = Signal("go", int)
Code = Callable[[Context, str], Coroutine[Any, Any, list[Any]]]


async def told(ctx: Context, *said: Any) -> list[Any]:
    ctx.set_status("waiting")
    await ctx.wait_signal(GO)
    return list(said)


async def two_calls(ctx: Context, key: str) -> list[Any]:
    first = await ctx.call(NOTE, Note(key, "first"))
    return await told(ctx, first, await ctx.call(NOTE, Note(key, "second")))


async def swapped(ctx: Context, key: str) -> list[Any]:
    second = await ctx.call(NOTE, Note(key, "second"))
    return await told(ctx, await ctx.call(NOTE, Note(key, "first")), second)


async def no_longer_reached(ctx: Context, key: str) -> list[Any]:
    return await told(ctx, await ctx.call(NOTE, Note(key, "first")))


async def another_service(ctx: Context, key: str) -> list[Any]:
    first = await ctx.call(NOTE, Note(key, "first"))
    return await told(ctx, first, await ctx.call(TRY, Try(key, 0)))


async def a_step_for_a_call(ctx: Context, key: str) -> list[Any]:
    first = await ctx.call(NOTE, Note(key, "first"))
    return await told(ctx, first, await ctx.step(str.upper, "second"))


async def side_by_side(ctx: Context, key: str) -> list[Any]:
    both = [ctx.call(NOTE, Note(key, text)) for text in ("first", "second")]
    return await told(ctx, *await asyncio.gather(*both))


async def side_by_side_swapped(ctx: Context, key: str) -> list[Any]:
    both = [ctx.call(NOTE, Note(key, text)) for text in ("second", "first")]
    return await told(ctx, *await asyncio.gather(*both))


def app(code: Code) -> App:
    return App("redeployed", workflows=[workflow(name="flow")(code)], adapters=ADAPTERS)


async def until(client: Client, status: Status, custom: object = None) -> str:
    """Wait until the execution stands so; its reason."""
    deadline = time.monotonic() + 30
    while True:
        header = await client.backend.store.header("e")
        if header is not None and header.status is status and custom in (None, header.custom):
            return header.reason
        assert time.monotonic() < deadline, header
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (two_calls, swapped, ["str of 5", "str of 6", "`note`"]),
        (two_calls, no_longer_reached, ["no longer reaches `note`", "operation 2"]),
        (two_calls, another_service, ["calls `try`", "`note`"]),
        (two_calls, a_step_for_a_call, ["runs step `upper`", "`note`"]),
        (side_by_side, side_by_side_swapped, ["str of 5", "str of 6"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_changed_execution_is_blocked_and_nothing_is_lost(
    tmp_path: Path, old: Code, new: Code, words: list[str]
) -> None:
    """The words name the line and both sides; the code of before goes on with what was kept."""
    LOG.clear()
    async with Engine(before := app(old), tmp_path / "db") as engine:
        flow = before.workflows["flow"]
        await engine.client.start(flow, "key", execution_id="e")
        await until(engine.client, Status.RUNNING, "waiting")
    async with Engine(app(new), tmp_path / "db") as engine:
        await engine.client.signal("e", GO, 1)
        reason = await until(engine.client, Status.BLOCKED)
        assert all(word in reason for word in words), reason
        assert "test_redeployed.py:" in reason or "workflow `flow`" in reason
    assert sorted(LOG["key"]) == ["first", "second"]  # nothing was sent again, nothing new
    async with Engine(before, tmp_path / "db") as engine:
        await engine.client.redrive("e")
        assert await engine.client.result("e") == ["FIRST", "SECOND"]
    assert sorted(LOG["key"]) == ["first", "second"]
