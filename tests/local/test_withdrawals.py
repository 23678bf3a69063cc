"""What withdraws a task finds the engine that is at work on it, whoever runs the workflow."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from lambda_workflow import App, Context, Service, Task, serve, workflow
from lambda_workflow.local import Engine, SqliteFile

WATCH: Service[str, str] = Service("watch", str, str, heartbeat_timeout=timedelta(hours=1))
PATIENCE_SECONDS = 60.0


@workflow
async def gives_up(ctx: Context, what: str) -> str:
    try:
        async with asyncio.timeout(0.5):
            return await ctx.call(WATCH, what)
    except TimeoutError:
        return "gave up"


class Watcher:
    """An App that serves, and what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

        @serve(WATCH)
        async def watch(what: str) -> str:
            self.notes.append("begins")
            try:
                await asyncio.Event().wait()
            finally:
                self.notes.append("broken off")
            return what

        @watch.on_cancel
        async def told(task: Task) -> None:
            self.notes.append("told")

        self.app = App("watchers", workflows=[], adapters=[watch])


async def until_ends(check: Any) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not check():  # noqa: ASYNC110  # several engines have to come to it
            await asyncio.sleep(0.01)


async def rows_of(path: Path) -> int:
    """How many tasks the file still holds."""
    file = SqliteFile(path)
    try:
        return int(
            await file.reader.call(lambda c: c.execute("SELECT count(*) FROM tasks").fetchone()[0])
        )
    finally:
        await file.aclose()


async def test_the_engine_at_work_is_told_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "db"
    asker = App("askers", workflows=[gives_up], services=[WATCH])
    watchers = [Watcher(), Watcher(), Watcher()]
    async with (
        Engine(asker, path) as engine,
        Engine(watchers[0].app, path, grace_seconds=0),
        Engine(watchers[1].app, path, grace_seconds=0),
        Engine(watchers[2].app, path, grace_seconds=0),
    ):
        handles = [await engine.client.start(gives_up, str(n)) for n in range(9)]
        for handle in handles:
            assert await handle.result() == "gave up"
        await until_ends(
            lambda: sum(w.notes.count("broken off") + w.notes.count("told") for w in watchers) == 9
        )
        for watcher in watchers:
            assert watcher.notes.count("broken off") == watcher.notes.count("begins")
            assert "told" not in watcher.notes
    assert await rows_of(path) == 0


async def test_what_was_withdrawn_before_anybody_served_it_is_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "db"
    asker = App("askers", workflows=[gives_up], services=[WATCH])
    async with Engine(asker, path) as engine:
        assert await (await engine.client.start(gives_up, "x")).result() == "gave up"
    assert await rows_of(path) == 2
    watcher = Watcher()
    async with Engine(watcher.app, path):
        await until_ends(lambda: bool(watcher.notes))
    assert watcher.notes == ["told"]
    assert await rows_of(path) == 0


async def test_an_execution_that_has_moved_withdraws_from_the_engine_at_work(
    tmp_path: Path,
) -> None:
    path = tmp_path / "db"
    watcher, successor = Watcher(), Watcher()
    both = App("both", workflows=[gives_up], adapters=list(successor.app.adapters.values()))
    async with Engine(watcher.app, path, grace_seconds=0):
        async with Engine(App("askers", workflows=[gives_up], services=[WATCH]), path) as engine:
            await engine.client.start(gives_up, "x", execution_id="e")
            await until_ends(lambda: watcher.notes == ["begins"])
        async with Engine(both, path) as engine:
            assert await engine.client.result("e") == "gave up"
            await until_ends(lambda: watcher.notes == ["begins", "broken off"])
    assert successor.notes == []
    assert await rows_of(path) == 0
