"""Damaged records in the file of an embedded engine: it goes on, and so do all other executions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_workflow.errors import WorkflowError
from lambda_workflow.local import Engine, SqliteFile
from lambda_workflow.model import messages as m
from lambda_workflow.model.wire import render
from tests.malformed.queue import WAITS
from tests.malformed.samples import APP, FIELDS, NUDGE, bodies, healthy
from tests.malformed.strategies import damaged, nonsense, quick, thorough
from tests.malformed.test_rows import histories
from tests.notes import Notes

WAIT: Final = timedelta(seconds=60)


def check(each: Sequence[Sequence[str]], messages: Sequence[str]) -> None:
    """An engine on a file with damaged executions, and with malformed messages in its inbox."""
    with TemporaryDirectory() as folder:
        asyncio.run(_check(Path(folder) / "file.db", each, messages))


async def _check(path: Path, each: Sequence[Sequence[str]], messages: Sequence[str]) -> None:
    SqliteFile(path).close()
    names = _put(path, each, messages)
    notes = Notes()
    async with Engine(APP, path, observer=notes, grace_seconds=0.1) as engine:
        handle = await engine.client.start(healthy, 4, execution_id="healthy")
        await handle.signal(NUDGE, 1)
        assert await handle.result(WAIT) == 9
        for name in names:
            said = name
            try:
                await engine.client.history(name)
            except WorkflowError as error:
                said = str(error)
            assert name in said
        assert "healthy" in [header.execution_id async for header in engine.client.list_all()]
        await _empty(engine, notes)
        again = await engine.client.start(healthy, 5, signal=(NUDGE, 1))
        assert await again.result(WAIT) == 11


def _put(path: Path, each: Sequence[Sequence[str]], messages: Sequence[str]) -> list[str]:
    names = [f"damaged-{n}" for n in range(len(each))]
    answer, signal = m.Update("x", "2", 5, None, 2), m.Signal("x", "nudge", 7, "n7")
    with closing(sqlite3.connect(path)) as db, db:
        for name, texts in zip(names, each, strict=True):
            rows = [(name, n + 1, text) for n, text in enumerate(texts)]
            db.executemany("INSERT INTO turns (execution_id, number, text) VALUES (?,?,?)", rows)
            db.execute(
                "INSERT INTO executions (execution_id, workflow, status, started_at, turn, usage) "
                "VALUES (?, 'busy', 'RUNNING', 1767225600000, ?, '[0,0,0,0,0,0,0]')",
                (name, len(texts)),
            )
            bodies = [render(replace(message, execution_id=name)) for message in (answer, signal)]
            _tell(db, [(name, body) for body in bodies])
        _tell(db, [("e", body.encode("utf-8", "replace").decode()) for body in messages])
    return names


def _tell(db: sqlite3.Connection, rows: Sequence[tuple[str, str]]) -> None:
    db.executemany("INSERT INTO messages (execution_id, body) VALUES (?,?)", rows)


async def _empty(engine: Engine, notes: Notes) -> None:
    """No message is left that is not for an execution of a later version."""
    for _ in range(1_000):
        rows = await engine._file.reader.call(
            lambda db: db.execute("SELECT DISTINCT execution_id FROM messages").fetchall()
        )
        told = {one.execution_id: str(one.fields) for one in notes.of("failed")}
        left = {name: told.get(name, "") for (name,) in rows}
        if all(WAITS in words for words in left.values()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"messages that come again and again: {left}")


EACH: Final = st.lists(histories(), min_size=6, max_size=12)
MESSAGES: Final = st.lists(damaged(bodies("e"), FIELDS) | nonsense, min_size=6, max_size=12)


@quick(2)
@given(EACH, MESSAGES)
def test_an_engine_goes_on_beside_damaged_records_and_messages(
    each: Sequence[Sequence[str]], messages: Sequence[str]
) -> None:
    check(each, messages)


@pytest.mark.thorough
@thorough(100)
@given(EACH, MESSAGES)
def test_an_engine_goes_on_beside_any_damage(
    each: Sequence[Sequence[str]], messages: Sequence[str]
) -> None:
    check(each, messages)
