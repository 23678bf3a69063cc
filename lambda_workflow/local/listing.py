"""The listing: headers as rows of `executions`, and pages of them."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.local.change import Row
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json, dumps, loads
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import Header, Page, Query

COLUMNS: Final = (
    "execution_id, workflow, status, started_at, turn, closed_at, reason, usage, custom, tags, memo"
)
PAGE_MAX: Final = 1000  # headers; a larger page holds up the reader's thread


def encode_header(header: Header) -> Row:
    """The row of a header, in the order of COLUMNS."""
    return (
        header.execution_id,
        header.workflow,
        header.status.value,
        header.started_at,
        header.turn,
        header.closed_at,
        header.reason,
        json.dumps(header.usage.to_json()),
        _text(header.custom),
        _text(dict(header.tags) or None),
        _text(header.memo),
    )


def decode_header(row: Row) -> Header:
    """The header of a row."""
    execution_id, workflow, status, started_at, turn, closed_at, reason, usage, *told = row
    custom, tags, memo = (None if text is None else loads(text) for text in told)
    return Header(
        execution_id,
        workflow,
        Status(status),
        started_at,
        turn,
        closed_at,
        reason,
        Usage(*json.loads(usage)),
        custom,
        tags or {},
        memo,
    )


def select_header(execution_id: str, connection: sqlite3.Connection) -> Header | None:
    """The header of an execution; a mere claim has none."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM executions WHERE execution_id=? AND turn > 0", (execution_id,)
    ).fetchone()
    return decode_header(row) if row else None


def select_page(query: Query, connection: sqlite3.Connection) -> Page:
    """A page of the listing, newest first.

    Raises:
        ConfigurationError: the cursor is none of an earlier page.
    """
    terms: list[tuple[str, Any]] = []
    if query.workflow is not None:
        terms.append(("workflow=?", [query.workflow]))
    if query.status is not None:
        terms.append(("status=?", [query.status.value]))
    if query.started_after is not None:
        terms.append(("started_at>?", [query.started_after]))
    if query.started_before is not None:
        terms.append(("started_at<?", [query.started_before]))
    for name, value in query.tags.items():
        found = "EXISTS (SELECT 1 FROM json_each(executions.tags) WHERE key=? AND atom=?)"
        terms.append((found, [name, value]))
    if query.cursor is not None:
        terms.append(("(started_at, execution_id) < (?, ?)", _position(query.cursor)))
    where = " AND ".join(["turn > 0", *(term for term, _ in terms)])
    limit = max(1, min(query.limit, PAGE_MAX))
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM executions WHERE {where} "
        "ORDER BY started_at DESC, execution_id DESC LIMIT ?",
        [*(value for _, values in terms for value in values), limit + 1],
    ).fetchall()
    headers = [decode_header(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(headers, None)
    last = headers[-1]
    return Page(headers, f"{last.started_at}/{last.execution_id}")


def _text(value: Json) -> str | None:
    return None if value is None else dumps(value)


def _position(cursor: str) -> list[Any]:
    started_at, _, execution_id = cursor.partition("/")
    if not started_at.isdigit() or not execution_id:
        raise ConfigurationError(
            f"cursor {cursor!r}: pass the `cursor` of the page before as it is"
        )
    return [int(started_at), execution_id]
