"""Group commit: many callers, one transaction, and nobody suffers for another."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lambda_workflow.errors import BackendError, Conflict
from lambda_workflow.local import change as c
from lambda_workflow.local import registry
from lambda_workflow.local.sqlite import SqliteFile
from lambda_workflow.local.worker import Worker


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    opened = SqliteFile(tmp_path / "file.db")
    yield opened
    await opened.aclose()


def turn(execution_id: str, number: int, text: str, owner: int | None = None) -> c.Change:
    task = (f"{execution_id}/{number}", 1, "mail", None, text)
    return c.Change({c.PUT_TURN: [(execution_id, number, text)], c.PUT_TASK: [task]}, owner)


async def hold(worker: Worker) -> threading.Event:
    """Keep a worker busy until the event is set, so that what is asked of it meanwhile waits."""
    begun, release = threading.Event(), threading.Event()

    def work(_: sqlite3.Connection) -> None:
        begun.set()
        release.wait()

    held = worker.call(work)
    await asyncio.to_thread(begun.wait)
    assert not held.done()
    return release


async def count(file: SqliteFile, table: str) -> int:
    return await file.reader.call(
        lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    )


async def test_changes_that_wait_share_one_transaction(file: SqliteFile, tmp_path: Path) -> None:
    release = await hold(file.writer)
    writes = [file.writer.write(turn(f"e{n}", 1, "text")) for n in range(100)]
    other = sqlite3.connect(tmp_path / "file.db")
    versions = {other.execute("PRAGMA data_version").fetchone()[0]}
    release.set()
    for write in writes:
        await write
        versions.add(other.execute("PRAGMA data_version").fetchone()[0])
    other.close()
    assert len(versions) == 2
    assert await count(file, "turns") == await count(file, "tasks") == 100


async def test_a_conflict_in_a_group_harms_no_other(file: SqliteFile) -> None:
    await file.writer.write(turn("taken", 1, "first"))
    release = await hold(file.writer)
    writes = [file.writer.write(turn(f"e{n}", 1, "text")) for n in range(20)]
    writes.insert(7, file.writer.write(turn("taken", 1, "second")))
    writes.insert(9, file.writer.write(turn("taken", 2, "after it")))
    release.set()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes) if outcome is not None] == [7]
    assert isinstance(outcomes[7], Conflict)
    assert await count(file, "turns") == await count(file, "tasks") == 22


async def test_of_equal_numbers_in_one_group_the_first_wins(file: SqliteFile) -> None:
    release = await hold(file.writer)
    writes = [file.writer.write(turn("e", 1, f"text {n}")) for n in range(3)]
    release.set()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert outcomes[0] is None
    assert [type(outcome) for outcome in outcomes[1:]] == [Conflict, Conflict]


async def test_a_repeated_record_stores_its_effects_once_and_answers_its_receipts(
    file: SqliteFile,
) -> None:
    await file.writer.write(c.Change({c.PUT_MESSAGE: [("e", "one"), ("e", "two")]}))
    await file.writer.write(turn("e", 1, "text"))
    await file.writer.write(c.Change({c.DROP_TASK: [("e/1", 1)]}))  # its task was performed
    again = turn("e", 1, "text")
    again.rows[c.DROP_MESSAGE] = [(1,)]
    await file.writer.write(again)
    assert await count(file, "tasks") == 0
    assert await count(file, "messages") == 1


async def test_what_cannot_be_written_at_all_fails_alone(file: SqliteFile) -> None:
    release = await hold(file.writer)
    writes = [file.writer.write(turn(f"e{n}", 1, "\ud800" if n == 2 else "text")) for n in range(5)]
    release.set()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes) if outcome is not None] == [2]
    assert isinstance(outcomes[2], UnicodeEncodeError)
    assert await count(file, "turns") == 4


async def test_an_engine_that_was_struck_out_writes_nothing(file: SqliteFile) -> None:
    dead = await file.writer.call(lambda db: registry.register((), (), db))
    live = await file.writer.call(lambda db: registry.register((), (), db))
    await file.writer.call(lambda db: registry.remove([dead], db))
    release = await hold(file.writer)
    writes = [file.writer.write(turn("e", 1, "late", dead))]
    writes.append(file.writer.write(turn("f", 1, "text", live)))
    release.set()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(outcomes[0], BackendError)
    assert "taken for dead" in str(outcomes[0])
    assert outcomes[1] is None
    assert await count(file, "turns") == 1


@pytest.mark.parametrize("rows", [1, 3, 16, 63, 64, 65, 500])
async def test_any_number_of_rows_goes_in_and_out(file: SqliteFile, rows: int) -> None:
    tasks: list[c.Row] = [(f"e/{n}", 1 + n % 3, "mail", None, "{}") for n in range(rows)]
    timers: list[c.Row] = [(n % 7, "e", str(n)) for n in range(rows)]
    messages: list[c.Row] = [("e", str(n)) for n in range(rows)]
    await file.writer.write(
        c.Change({c.PUT_TASK: tasks, c.PUT_TIMER: timers, c.PUT_MESSAGE: messages})
    )
    assert [await count(file, table) for table in ("tasks", "timers", "messages")] == [rows] * 3
    drops: dict[c.Statement, list[c.Row]] = {
        c.DROP_TASK: [row[:2] for row in tasks[1:]],
        c.DROP_TIMER: timers[1:],
        c.DROP_MESSAGE: [(n,) for n in range(2, rows + 1)],
    }
    await file.writer.write(c.Change(drops))
    assert [await count(file, table) for table in ("tasks", "timers", "messages")] == [1] * 3


def test_many_rows_are_found_by_their_keys_and_not_by_a_scan(tmp_path: Path) -> None:
    SqliteFile(tmp_path / "file.db").close()
    connection = sqlite3.connect(tmp_path / "file.db")
    try:
        for statement in (c.DROP_TASK, c.DROP_TIMER, c.DROP_MESSAGE):
            places = statement.row.count("?") * 64
            sql = f"EXPLAIN QUERY PLAN {statement.over(64)}"
            plan = [row[3] for row in connection.execute(sql, [0] * places)]
            assert any(line.startswith("SEARCH") for line in plan), plan
            assert not any(line.startswith("SCAN") for line in plan), plan
    finally:
        connection.close()


async def test_a_cancelled_caller_leaves_the_writer_alone(file: SqliteFile) -> None:
    release = await hold(file.writer)
    given_up = file.writer.write(turn("e", 1, "text"))
    kept = file.writer.write(turn("f", 1, "text"))
    given_up.cancel()
    release.set()
    await kept
    assert await count(file, "turns") == 2


async def test_a_transaction_left_open_is_rolled_back(file: SqliteFile) -> None:
    def forgetful(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO blobs VALUES ('key', x'00')")

    await file.writer.call(forgetful)
    await file.writer.write(turn("e", 1, "text"))
    assert await count(file, "blobs") == 0


async def test_a_function_that_raises_raises_at_its_caller(file: SqliteFile) -> None:
    with pytest.raises(ZeroDivisionError):
        await file.writer.call(lambda _: 1 // 0)
    await file.writer.write(turn("e", 1, "text"))


async def test_a_file_that_another_process_locks_is_waited_for(
    file: SqliteFile, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "file.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    write = file.writer.write(turn("e", 1, "text"))
    await count(file, "turns")  # readers are not kept waiting
    assert not write.done()
    other.execute("COMMIT")
    other.close()
    await write


async def test_closing_finishes_what_was_asked_for(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "file.db")
    writes = [file.writer.write(turn(f"e{n}", 1, "text")) for n in range(50)]
    await file.aclose()
    await asyncio.gather(*writes)
