"""The engine moves aside what fails the same way each time; the execution and the rest go on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import App, Context, Signal, workflow
from lambda_workflow.local import Engine, SkippingClock
from lambda_workflow.local import change as c
from lambda_workflow.model import messages as m
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.wire import render
from tests.notes import Notes
from tests.patience import patience

WORD: Signal[Any] = Signal("word", Any)


@workflow
async def hears(ctx: Context, n: int) -> list[Any]:
    return [await ctx.wait_signal(WORD) for _ in range(n)]


APP = App("aside", workflows=[hears])
NOWHERE = BlobRef("none/such", "0" * 16, 40_000)


async def put(engine: Engine, *bodies: tuple[str, str]) -> None:
    await engine._file.writer.write(c.Change({c.PUT_MESSAGE: list(bodies)}))
    engine._scout.wake()


async def letters(engine: Engine) -> list[tuple[str, str, str]]:
    def select(connection: Any) -> Any:
        return connection.execute("SELECT execution_id, reason, body FROM dead_letters").fetchall()

    return list(await engine._file.reader.call(select))


async def test_a_reference_to_nothing_is_moved_aside_and_its_neighbours_arrive(
    tmp_path: Path,
) -> None:
    notes = Notes()
    async with (
        asyncio.timeout(patience(20)),
        Engine(APP, tmp_path / "f.db", observer=notes) as engine,
    ):
        handle = await engine.client.start(hears, 3, execution_id="e")
        poison = render(m.Signal("e", "word", NOWHERE, "s2"))
        await put(
            engine,
            ("e", render(m.Signal("e", "word", "a", "s1"))),
            ("e", poison),
            ("e", render(m.Signal("e", "word", "b", "s3"))),
        )
        await handle.signal(WORD, "c", id="s4")
        assert await handle.result(timedelta(seconds=15)) == ["a", "b", "c"]
        ((execution_id, reason, body),) = await letters(engine)
    assert (execution_id, body) == ("e", poison)
    assert reason.startswith("BlobMissing: ")
    (told,) = notes.of("dead_letter")
    assert told.fields == {"reason": reason, "message": "Signal"}
    assert len(notes.of("failed")) <= 3


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"type":"Signal","execution_id":"e","name":"word","id":"s","payload":1e400}', "larger"),
        (
            '{"type":"Signal","execution_id":"e","name":"word","id":"s","payload":'
            + "[" * 400 + "]" * 400 + "}",
            "200 levels",
        ),
        ("{", "not JSON"),
    ],
)  # fmt: skip
async def test_what_cannot_be_parsed_is_moved_aside_at_once(body: str, told: str) -> None:
    async with asyncio.timeout(patience(20)), Engine(APP, ":memory:", observer=Notes()) as engine:
        handle = await engine.client.start(hears, 1, execution_id="e")
        await put(engine, ("e", body))
        await handle.signal(WORD, "good")
        assert await handle.result(timedelta(seconds=15)) == ["good"]
        ((_, reason, kept),) = await letters(engine)
    assert told in reason
    assert kept == body


@workflow
async def naps(ctx: Context, n: int) -> float:
    begin = ctx.now()
    await ctx.sleep(timedelta(hours=n))
    return (ctx.now() - begin) / timedelta(hours=1)


async def test_a_timer_s_message_an_hour_early_wakes_nothing(tmp_path: Path) -> None:
    notes = Notes()
    clock = SkippingClock()
    app = App("early", workflows=[naps])
    async with (
        asyncio.timeout(patience(20)),
        Engine(app, tmp_path / "f.db", observer=notes) as engine,
    ):
        await engine.client.start(naps, 1, execution_id="e")
        while (timer := engine._alarm.next_due()) is None:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
        await put(engine, ("e", render(m.Timer("e", "1", timer))))
        while not notes.of("late"):  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
    async with asyncio.timeout(patience(20)), Engine(app, tmp_path / "f.db", clock=clock) as engine:
        assert await engine.client.result("e") >= 1
