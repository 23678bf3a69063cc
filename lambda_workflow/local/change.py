"""What one caller wants written, as rows by statement, so that many callers' rows go in together.

Laws
 1. A group is written all or none; a change that cannot be written harms no other of its group.
 2. A turn whose number is taken by another text is a Conflict; by the same text it is stored
    already, and its effects with it: they are not stored again.
 3. A change of an engine that is no longer registered is refused: another engine owns its work.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.errors import BackendError, Conflict

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A statement over many rows: each row's placeholders stand between head and tail."""

    head: str
    row: str
    tail: str = ""
    between: str = ","

    def over(self, rows: int) -> str:
        """Its text for this many rows."""
        return f"{self.head} {self.between.join([self.row] * rows)}{self.tail}"


PUT_TURN: Final = Statement("INSERT INTO turns (execution_id, number, text) VALUES", "(?,?,?)")
PUT_RUN: Final = Statement("INSERT INTO runs (execution_id, turn) VALUES", "(?,?)")
# With OR each row is looked up by its key; `IN (VALUES …)` over several columns reads the table.
DROP_TASK: Final = Statement("DELETE FROM tasks WHERE", "(task_id=? AND attempt=?)", between=" OR ")
DROP_TIMER: Final = Statement(
    "DELETE FROM timers WHERE", "(due=? AND execution_id=? AND operation=?)", between=" OR "
)
DROP_MESSAGE: Final = Statement("DELETE FROM messages WHERE id IN (", "?", ")")
PUT_TASK: Final = Statement(
    "INSERT INTO tasks (task_id, attempt, service, owner, body) VALUES",
    "(?,?,?,?,?)",
    " ON CONFLICT DO NOTHING",
)
POSTPONE_TASK: Final = Statement(
    PUT_TASK.head,
    PUT_TASK.row,
    " ON CONFLICT (task_id, attempt) DO UPDATE SET body=excluded.body, owner=excluded.owner",
)
FREE_TASK: Final = Statement(
    "UPDATE tasks SET owner=NULL WHERE", "(task_id=? AND attempt=?)", between=" OR "
)
PUT_TIMER: Final = Statement(
    "INSERT INTO timers (due, execution_id, operation) VALUES",
    "(?,?,?)",
    " ON CONFLICT DO NOTHING",
)
PUT_MESSAGE: Final = Statement("INSERT INTO messages (execution_id, body) VALUES", "(?,?)")
PUT_HEADER: Final = Statement(
    "INSERT INTO executions (execution_id, workflow, status, started_at, turn, closed_at, reason, "
    "usage, custom, tags, memo) VALUES",
    "(?,?,?,?,?,?,?,?,?,?,?)",
    " ON CONFLICT (execution_id) DO UPDATE SET workflow=excluded.workflow, "
    "status=excluded.status, started_at=excluded.started_at, turn=excluded.turn, "
    "closed_at=excluded.closed_at, reason=excluded.reason, usage=excluded.usage, "
    "custom=excluded.custom, tags=excluded.tags, memo=excluded.memo "
    "WHERE excluded.turn >= executions.turn",
)
PUT_RESPONSE: Final = Statement(
    "INSERT INTO responses (execution_id, body) VALUES",
    "(?,?)",
    " ON CONFLICT (execution_id) DO UPDATE SET body=excluded.body",  # of what replaced it
)
DROP_RESPONSE: Final = Statement("DELETE FROM responses WHERE execution_id IN (", "?", ")")
PUT_BLOB: Final = Statement(
    "INSERT INTO blobs (key, content) VALUES", "(?,?)", " ON CONFLICT DO NOTHING"
)
BURY: Final = Statement(
    "INSERT INTO dead_letters (at, execution_id, reason, body) VALUES", "(?,?,?,?)"
)

# Drops come before puts: what is sent anew within a group shall stay.
_ORDER: Final = (
    PUT_TURN,
    PUT_RUN,
    DROP_TASK,
    DROP_MESSAGE,
    DROP_TIMER,
    DROP_RESPONSE,
    PUT_TASK,
    POSTPONE_TASK,
    FREE_TASK,
    PUT_TIMER,
    PUT_MESSAGE,
    PUT_HEADER,
    PUT_RESPONSE,
    PUT_BLOB,
    BURY,
)
# Each size is one prepared statement; one statement over many rows lets go of the interpreter's
# lock, and waits to have it back, once instead of once a row.
_SIZES: Final = (64, 16, 4, 1)


@dataclass(frozen=True, slots=True)
class Change:
    """Rows to be written together. `owner` is the engine that writes; None for a mere client."""

    rows: dict[Statement, list[Row]]
    owner: int | None = None


def write_group(
    connection: sqlite3.Connection, changes: Sequence[Change]
) -> list[Exception | None]:
    """Write changes in one transaction, and say for each what hindered it.

    Raises:
        sqlite3.Error: nothing was written: locked, full, damaged…
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            _check_owners(connection, changes)
            merged: dict[Statement, list[Row]] = defaultdict(list)
            for change in changes:
                for statement, rows in change.rows.items():
                    merged[statement] += rows
            _write(connection, merged)
        except sqlite3.OperationalError:
            raise
        except Exception:  # noqa: BLE001  # whatever it is, it belongs to one of them: find which
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [_write_alone(connection, change) for change in changes]
        else:
            outcomes = [None] * len(changes)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return outcomes


def _write_alone(connection: sqlite3.Connection, change: Change) -> Exception | None:
    connection.execute("SAVEPOINT alone")
    try:
        _check_owners(connection, [change])
        rows = change.rows
        if _stored(connection, rows.get(PUT_TURN, ())):
            drops = (DROP_TASK, DROP_MESSAGE, DROP_TIMER)
            rows = {statement: rows[statement] for statement in drops if statement in rows}
        _write(connection, rows)
    except sqlite3.OperationalError:
        raise
    except Exception as error:  # noqa: BLE001  # goes to the caller whose change it is
        connection.execute("ROLLBACK TO alone")
        connection.execute("RELEASE alone")
        return error
    connection.execute("RELEASE alone")
    return None


def _write(connection: sqlite3.Connection, rows: dict[Statement, list[Row]]) -> None:
    for statement in _ORDER:
        if todo := rows.get(statement):
            start = 0
            while start < len(todo):
                size = next(size for size in _SIZES if size <= len(todo) - start)
                part = todo[start : start + size]
                start += size
                values = [value for row in part for value in row]
                connection.execute(statement.over(size), values)


def _stored(connection: sqlite3.Connection, turns: Iterable[Row]) -> bool:
    for execution_id, number, text in turns:
        found = connection.execute(
            "SELECT text FROM turns WHERE execution_id=? AND number=?", (execution_id, number)
        ).fetchone()
        if found is None:
            continue
        if found[0] == text:
            return True
        raise Conflict(
            f"turn {number} of execution {execution_id} is stored already: another worker was "
            "first; load the history and try again"
        )
    return False


def _check_owners(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    for owner in {change.owner for change in changes} - {None}:
        if not connection.execute("SELECT 1 FROM engines WHERE id=?", (owner,)).fetchone():
            raise BackendError(
                f"engine {owner} was taken for dead, and another engine on this file goes on with "
                "its executions; this write was refused"
            )
