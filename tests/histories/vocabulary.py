"""One workflow that does everything, and its recording.

python -m tests.histories.vocabulary > FILE
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import timedelta

from lambda_workflow import (
    App,
    Client,
    Context,
    RetryPolicy,
    Service,
    ServiceError,
    Signal,
    Task,
    Update,
    serve,
    workflow,
)
from lambda_workflow.local import Engine, SkippingClock

QUICK = RetryPolicy(attempts=3, initial=timedelta(seconds=1))
ECHO = Service("echo", str, str, retry=QUICK)
NOTE: Service[str, None] = Service("note", str, None)
WORD = Signal("word", str)
SUM = Update("sum", list[int], int)
TOKENS: asyncio.Queue[str] = asyncio.Queue()


@dataclass(frozen=True)
class Stage:
    """What the status says."""

    name: str


@workflow
async def child(ctx: Context, text: str) -> str:
    """Another execution."""
    return await ctx.call(ECHO, text)


@workflow
async def vocabulary(ctx: Context, run: int) -> list[object]:
    """Everything that a history can hold, but an end in failure."""
    ctx.set_status(Stage("begun"))
    if run == 1:
        await ctx.sleep(timedelta(seconds=1))
        ctx.continue_as_new(2)
    async with ctx.scope("calls"):
        one, two = await asyncio.gather(ctx.call(ECHO, "a"), ctx.call(child, "b"))
    ctx.send(NOTE, "on the way")
    ctx.start(child, "c", id=f"{ctx.execution_id}-detached")
    callback = ctx.callback(int, timeout=timedelta(days=3), name="answer")
    await ctx.call(NOTE, callback.token)
    answer = await callback
    word = await ctx.wait_signal(WORD)
    async for update in ctx.updates(SUM):
        update.respond(sum(update.payload))
        break
    try:
        async with asyncio.timeout(1):
            await ctx.wait_signal(WORD)
    except TimeoutError:
        late = True
    mapped = (await ctx.map(ECHO, ["x", "y", "z"], limit=2)).results()
    stepped = await ctx.step(lambda: [1, 2], at_most_once=True, name="once")
    patched = ctx.patched("golden")
    ctx.set_status(Stage("done"))
    return [one, two, answer, word, late, *mapped, stepped, patched, ctx.random.random()]


@serve(ECHO)
async def echo(text: str, task: Task) -> str:
    """The first attempt of "a" fails."""
    if text == "a" and task.attempt == 1:
        raise ServiceError("once more", type="Flaky")
    return text


@serve(NOTE)
async def note(text: str) -> None:
    """Keeps the callback's token."""
    if text != "on the way":
        TOKENS.put_nowait(text)


app = App("vocabulary", workflows=[vocabulary, child], adapters=[echo, note])


async def play(client: Client) -> list[object]:
    """Run it, with all that it waits for from outside."""
    handle = await client.start(vocabulary, 1, execution_id="vocabulary")
    await client.complete_callback(await TOKENS.get(), 42)
    await client.signal("vocabulary", WORD, "hello")
    assert await client.update("vocabulary", SUM, [1, 2, 3]) == 6
    return await handle.result()


async def _record() -> str:
    async with Engine(app, ":memory:", clock=SkippingClock()) as engine:
        await play(engine.client)
        return await engine.client.export("vocabulary")


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(_record()))
