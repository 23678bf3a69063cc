"""Opening a file: what is made of it, and what is refused with which words."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lambda_workflow.errors import BackendError, ConfigurationError
from lambda_workflow.local.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, explain
from lambda_workflow.local.sqlite import SqliteFile
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.ports import Header, Query


def pragma(path: Path, name: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        connection.close()


def script(path: Path, text: str) -> None:
    connection = sqlite3.connect(path)
    try:
        connection.executescript(text)
    finally:
        connection.close()


def test_a_new_file_gets_the_schema_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    SqliteFile(path).close()
    assert pragma(path, "user_version") == SCHEMA_VERSION
    assert pragma(path, "journal_mode") == "wal"


async def test_the_writer_syncs_each_commit(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "new.db")
    try:
        full = await file.writer.call(lambda c: c.execute("PRAGMA synchronous").fetchone()[0])
    finally:
        await file.aclose()
    assert full == 2


def test_a_file_is_opened_again_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "again.db"
    SqliteFile(path).close()
    script(path, "INSERT INTO blobs VALUES ('kept', x'00')")
    SqliteFile(path).close()
    assert pragma(path, "user_version") == SCHEMA_VERSION


def test_many_may_make_one_file_at_the_same_moment(tmp_path: Path) -> None:
    for round_ in range(20):
        path = tmp_path / f"{round_}.db"
        ready = threading.Barrier(6)

        def open_and_close(path: Path = path, ready: threading.Barrier = ready) -> None:
            ready.wait()
            SqliteFile(path).close()

        with ThreadPoolExecutor(6) as pool:
            for opening in [pool.submit(open_and_close) for _ in range(6)]:
                opening.result()
        assert pragma(path, "user_version") == SCHEMA_VERSION


def test_the_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    SqliteFile(path).close()
    script(path, f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    with pytest.raises(ConfigurationError, match="install the newer release") as caught:
        SqliteFile(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION, SCHEMA_VERSION + 1])
def test_the_file_of_another_program_is_refused_and_left_alone(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "theirs.db"
    script(path, f"CREATE TABLE theirs (x); PRAGMA user_version={version}")
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="another program"):
        SqliteFile(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, " * 100)
    with pytest.raises(BackendError, match="no SQLite file"):
        SqliteFile(path)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "file.db"
    with pytest.raises(BackendError, match="check that the folder exists") as caught:
        SqliteFile(path)
    assert str(path) in str(caught.value)


async def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    SqliteFile(path).close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\x55" * (len(content) - 4096))
    file = SqliteFile(path)
    try:
        with pytest.raises(BackendError, match="damaged"):
            await file.backend.store.load("any")
    finally:
        await file.aclose()


async def test_a_full_disk_says_so_and_is_got_over(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "full.db")
    try:
        pages = await file.writer.call(
            lambda c: c.execute("PRAGMA max_page_count=1").fetchone()[0]  # sets it as low as can be
        )
        with pytest.raises(BackendError, match="disk is full"):
            await file.backend.blobs.put("large", b"x" * 1_000_000)
        await file.writer.call(lambda c: c.execute(f"PRAGMA max_page_count={pages + 1000}"))
        await file.backend.blobs.put("large", b"x" * 1_000_000)
        assert len(await file.backend.blobs.get("large")) == 1_000_000
    finally:
        await file.aclose()


def test_every_error_names_the_file_and_what_to_do() -> None:
    assert "/some/file.db" in str(explain(sqlite3.OperationalError("odd"), "/some/file.db"))


async def test_a_memory_file_keeps_nothing() -> None:
    for _ in range(2):
        file = SqliteFile(":memory:")
        try:
            with pytest.raises(BackendError, match="no blob"):
                await file.backend.blobs.get("key")
            await file.backend.blobs.put("key", b"content")
            assert await file.backend.blobs.get("key") == b"content"
        finally:
            await file.aclose()


async def test_a_closed_file_says_that_it_is_closed(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "closed.db")
    await file.aclose()
    await file.aclose()
    with pytest.raises(BackendError, match="is closed"):
        await file.backend.store.load("any")


async def test_a_file_of_the_first_release_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "first.db"
    row = "('e', NULL, 'flow', 'COMPLETED', 5, 2, 9, '', '[0, 0, 0, 0, 0, 0]')"
    script(path, f"{';'.join(MIGRATIONS[0])}; INSERT INTO executions VALUES {row};")
    script(path, f"PRAGMA user_version=1; PRAGMA application_id={APPLICATION_ID}")
    file = SqliteFile(path)
    try:
        assert pragma(path, "user_version") == SCHEMA_VERSION
        header = Header("e", "flow", Status.COMPLETED, 5, 2, 9)
        assert await file.backend.store.header("e") == header
        assert (await file.backend.store.list(Query(tags={"team": "blue"}))).headers == []
        await file.backend.store.put_header(replace(header, tags={"team": "blue"}))
        (found,) = (await file.backend.store.list(Query(tags={"team": "blue"}))).headers
        assert found.tags == {"team": "blue"}
    finally:
        await file.aclose()
