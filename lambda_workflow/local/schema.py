"""The file: its tables, its version, how it is opened, and what its errors mean.

Laws
 1. `turns` is the truth. A row is written once and never changed.
 2. What is still to be done stands in `messages`, `tasks` and `timers`; a row goes in the very
    transaction that stores what came of it.
 3. `executions.owner` and `tasks.owner` name an engine. An owner that is missing from `engines` is
    none: deleting one row there gives back all that the engine held.
 4. Ids of messages and engines grow and are never used twice.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from lambda_workflow.errors import BackendError, ConfigurationError

DEFAULT_PATH: Final = "lambda-workflow.db"  # in the working directory, and not hidden: it is state
MEMORY: Final = ":memory:"
BUSY_SECONDS: Final = 10.0  # a healthy commit of another process takes milliseconds
_RACE_SECONDS: Final = 0.01
APPLICATION_ID: Final = 0x4C574631  # "LWF1" in the file's header: tells our files from others'

_FIRST: Final = (
    """CREATE TABLE turns (
        execution_id TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,
        PRIMARY KEY (execution_id, number)) WITHOUT ROWID""",
    # A row with turn 0 is a claim on an execution that has no turn yet.
    """CREATE TABLE executions (
        execution_id TEXT NOT NULL PRIMARY KEY, owner INTEGER, workflow TEXT NOT NULL, status TEXT,
        started_at INTEGER, turn INTEGER NOT NULL DEFAULT 0, closed_at INTEGER, reason TEXT,
        usage TEXT) WITHOUT ROWID""",
    "CREATE INDEX executions_time ON executions (started_at, execution_id) WHERE turn > 0",
    """CREATE INDEX executions_status ON executions (status, started_at, execution_id)
        WHERE turn > 0""",
    """CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT, execution_id TEXT NOT NULL, body TEXT NOT NULL)""",
    """CREATE TABLE tasks (
        task_id TEXT NOT NULL, attempt INTEGER NOT NULL, service TEXT NOT NULL, owner INTEGER,
        body TEXT NOT NULL, PRIMARY KEY (task_id, attempt)) WITHOUT ROWID""",
    "CREATE INDEX tasks_free ON tasks (service) WHERE owner IS NULL",
    # The time comes first in the key: one range scan finds what is due, without an index.
    """CREATE TABLE timers (
        due INTEGER NOT NULL, execution_id TEXT NOT NULL, operation TEXT NOT NULL,
        PRIMARY KEY (due, execution_id, operation)) WITHOUT ROWID""",
    "CREATE TABLE responses (execution_id TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE blobs (key TEXT NOT NULL PRIMARY KEY, content BLOB NOT NULL)",
    """CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, execution_id TEXT NOT NULL,
        reason TEXT NOT NULL, body TEXT NOT NULL)""",
    """CREATE TABLE engines (
        id INTEGER PRIMARY KEY AUTOINCREMENT, process TEXT NOT NULL, beat INTEGER NOT NULL,
        workflows TEXT NOT NULL, services TEXT NOT NULL)""",
)
_TOLD: Final = tuple(  # JSON, or NULL where there is none
    f"ALTER TABLE executions ADD COLUMN {name} TEXT" for name in ("custom", "tags", "memo")
)
_RUNS: Final = (
    # Where a later run of an execution begins: turns before that are not needed to go on.
    """CREATE TABLE runs (
        execution_id TEXT NOT NULL, turn INTEGER NOT NULL,
        PRIMARY KEY (execution_id, turn)) WITHOUT ROWID""",
)
# Each entry brings a file from the version of its index to the next; entries are only ever added.
MIGRATIONS: Final = (_FIRST, _TOLD, _RUNS)
SCHEMA_VERSION: Final = len(MIGRATIONS)

_ADVICE: Final = {
    sqlite3.SQLITE_BUSY: f"another process has held it locked for {BUSY_SECONDS:g} s: end that "
    "process, or wait and try again",
    sqlite3.SQLITE_LOCKED: "it is locked within this process: try again",
    sqlite3.SQLITE_READONLY: "it cannot be written: check owner and permissions of the file, of "
    "the files -wal and -shm next to it, and of their folder",
    sqlite3.SQLITE_PERM: "access is denied: check owner and permissions of the file and its folder",
    sqlite3.SQLITE_IOERR: "the disk failed at it: check the system log; nothing acknowledged is "
    "lost",
    sqlite3.SQLITE_CORRUPT: "it is damaged: keep a copy, try `sqlite3 FILE .recover`, or take the "
    "last backup",
    sqlite3.SQLITE_NOTADB: "it is no SQLite file: name another path",
    sqlite3.SQLITE_FULL: "the disk is full: make room, and it goes on by itself",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or created: check that the folder exists and "
    "can be written",
}


def explain(error: sqlite3.Error, path: str) -> BackendError:
    """The error of a SQLite error: which file, what happened, what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    advice = _ADVICE.get(code, "an unexpected SQLite error")
    return BackendError(f"{path}: {advice} ({error})")


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Bring a file to this version's schema, creating it when it is empty.

    Raises:
        ConfigurationError: it belongs to another program, or to a newer release of this one.
        BackendError: it cannot be read or written; says what to do.
    """
    # Where two processes make one file at the same moment, the change to WAL mode fails at once
    # instead of waiting its turn as all else does.
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            _prepare(connection, path)
        except sqlite3.Error as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > end:
                raise explain(error, path) from error
            time.sleep(_RACE_SECONDS)
        else:
            return
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def resolve(path: str | os.PathLike[str] | None) -> str:
    """The absolute path of a file, the default one for None; `:memory:` stays as it is."""
    text = os.fspath(path) if path is not None else DEFAULT_PATH
    return text if text == MEMORY else str(Path(text).absolute())


def version_of(connection: sqlite3.Connection, path: str) -> int:
    """The version of the file's schema, 0 when it is empty; the file is ours, or this raises."""
    version = _number(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (tables or version) and _number(connection, "application_id") != APPLICATION_ID:
        raise ConfigurationError(
            f"{path}: a SQLite file of another program; nothing was changed. Name another path"
        )
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path}: its schema is version {version}, and this release of lambda-workflow knows "
            f"up to {SCHEMA_VERSION}: install the newer release that wrote it, or name another file"
        )
    return version


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    if version_of(connection, path) != SCHEMA_VERSION:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal" and path != MEMORY:
            raise BackendError(
                f"{path}: its file system cannot share memory between processes (SQLite stays in "
                f"{mode} mode): put the file on a local disk"
            )
        connection.execute("BEGIN IMMEDIATE")
        _migrate(connection, path)
        connection.execute("COMMIT")


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    version = version_of(connection, path)  # again, under the lock
    for statement in (line for script in MIGRATIONS[version:] for line in script):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
