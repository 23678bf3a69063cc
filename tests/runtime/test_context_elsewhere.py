"""What a context offers to its workflow's code, it refuses to all other code."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import App, Context, Service, Signal, UsageError, workflow
from lambda_workflow.local import Engine

ASK: Service[int, int] = Service("ask", int, int)
TELL: Signal[int] = Signal("tell", int)
OFFERS: dict[str, Callable[[Context], Any]] = {
    "now": lambda ctx: ctx.now(),
    "uuid": lambda ctx: ctx.uuid(),
    "random": lambda ctx: ctx.random.random(),
    "logger": lambda ctx: ctx.logger,
    "history_length": lambda ctx: ctx.history_length,
    "set_status": lambda ctx: ctx.set_status("here"),
    "patched": lambda ctx: ctx.patched("change"),
    "deprecate_patch": lambda ctx: ctx.deprecate_patch("change"),
    "call": lambda ctx: ctx.call(ASK, 1),
    "send": lambda ctx: ctx.send(ASK, 1),
    "step": lambda ctx: ctx.step(len, "abc"),
    "callback": lambda ctx: ctx.callback(),
    "continue_as_new": lambda ctx: ctx.continue_as_new(1),
    "sleep": lambda ctx: ctx.sleep(timedelta(seconds=1)).send(None),
    "wait_signal": lambda ctx: ctx.wait_signal(TELL).send(None),
    "wait_until": lambda ctx: ctx.wait_until(lambda: False).send(None),
    "map": lambda ctx: ctx.map(ASK, [1]).__await__().send(None),
    "scope": lambda ctx: ctx.scope("s").__aenter__().send(None),
}
REFUSAL = "outside of its workflow's code"


def refusal_of(ctx: Context, name: str) -> str:
    """The words of the refusal, empty if there was none."""
    try:
        OFFERS[name](ctx)
    except UsageError as error:
        return str(error)
    return ""


@workflow
async def flow(ctx: Context, n: int) -> list[str]:
    kept.append(ctx)

    def in_thread() -> list[str]:
        return [name for name in OFFERS if REFUSAL not in refusal_of(ctx, name)]

    async def on_loop() -> list[str]:
        return in_thread()

    return [*await ctx.step(in_thread), *await ctx.step(on_loop)]


kept: list[Context] = []


async def test_in_steps_and_after_the_end() -> None:
    kept.clear()
    async with Engine(App("tests", workflows=[flow], services=[ASK]), ":memory:") as engine:
        assert await (await engine.client.start(flow, 1)).result() == []
        for name in OFFERS:
            assert REFUSAL in refusal_of(kept[0], name), name


async def test_in_a_thread_while_the_workflow_runs() -> None:
    found: list[str] = []

    @workflow
    async def threaded(ctx: Context, n: int) -> int:
        def ask() -> None:
            found.extend(name for name in OFFERS if REFUSAL not in refusal_of(ctx, name))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return 1

    app = App("tests", workflows=[threaded], services=[ASK])
    async with Engine(app, ":memory:", guard=False) as engine:
        assert await (await engine.client.start(threaded, 1)).result() == 1
    assert found == []


async def test_conditions_and_queries_may_read() -> None:
    @workflow
    async def reads(ctx: Context, n: int) -> int:
        ctx.state = []
        await ctx.wait_until(lambda: bool(ctx.state) or ctx.now().year > 2000)
        return 1

    @reads.query
    def ask(ctx: Context) -> int:
        return ctx.now().year

    async with Engine(App("tests", workflows=[reads]), ":memory:", check=True) as engine:
        handle = await engine.client.start(reads, 1)
        assert await handle.result() == 1
        assert await handle.query(ask) > 2000


@pytest.mark.parametrize("name", OFFERS)
def test_every_offer_is_of_the_context(name: str) -> None:
    assert hasattr(Context, name)
