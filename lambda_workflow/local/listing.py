"""The listing: headers as rows of `executions`, and pages of them."""

from __future__ import annotations

import json
from typing import Any, Final

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.local.change import Row
from lambda_workflow.local.damage import DamagedRow, FileConnection, wrong_type
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json, dumps
from lambda_workflow.model.payload_text import loads_recorded
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import Header, Page, Query

COLUMNS: Final = (
    "execution_id, workflow, status, started_at, turn, closed_at, reason, usage, custom, tags, memo"
)
TOLD_AT_ONCE: Final = 20  # damaged rows that one listing warns of
_STATUSES: Final = frozenset(status.value for status in Status)
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


def decode_header(row: Row, connection: FileConnection) -> Header:
    """The header of a row.

    Raises:
        DamagedRow: it cannot be read.
    """
    execution_id, workflow, status, started_at, turn, closed_at, reason, usage, *told = row
    why = wrong_type(
        execution_id=(execution_id, str),
        workflow=(workflow, str),
        status=(status, str),
        started_at=(started_at, int),
        turn=(turn, int),
        closed_at=(closed_at or 0, int),
        reason=(reason, str),
        usage=(usage, str),
    )
    if not why and status not in _STATUSES:
        why = "column status holds no status"
    if why:
        raise connection.damage("executions", (execution_id,), why)
    values: list[Any] = []
    try:
        values = [None if text is None else loads_recorded(text) for text in told]
        counted = Usage(*_numbers(json.loads(usage)))
    except (ValueError, TypeError) as error:
        column = "usage" if len(values) == len(told) else "custom, tags or memo"
        why = f"column {column} is not the JSON that belongs there ({type(error).__name__})"
        raise connection.damage("executions", (execution_id,), why) from error
    custom, tags, memo = values
    if not _are_tags(tags or {}):
        raise connection.damage("executions", (execution_id,), "column tags is no object of texts")
    return Header(
        execution_id,
        workflow,
        Status(status),
        started_at,
        turn,
        closed_at,
        reason,
        counted,
        custom,
        tags or {},
        memo,
    )


def _are_tags(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _numbers(value: Any) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(one, int | float) for one in value):
        raise TypeError("no array of numbers")
    return value


def select_header(execution_id: str, connection: FileConnection) -> Header | None:
    """The header of an execution; a mere claim has none.

    Raises:
        DamagedRow: it cannot be read.
    """
    row = connection.execute(
        f"SELECT {COLUMNS} FROM executions WHERE execution_id=? AND turn > 0", (execution_id,)
    ).fetchone()
    return decode_header(row, connection) if row else None


def select_page(query: Query, connection: FileConnection) -> Page:
    """A page of the listing, newest first, without the rows that are damaged.

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
        # A row whose tags are no JSON is let through, to be told of.
        terms.append(
            (f"CASE WHEN json_valid(tags) THEN {found} ELSE tags NOTNULL END", [name, value])
        )
    if query.cursor is None:
        _tell_unsorted(terms, connection)
    terms.append(("typeof(started_at)='integer' AND typeof(execution_id)='text'", []))
    if query.cursor is not None:
        terms.append(("(started_at, execution_id) < (?, ?)", _position(query.cursor)))
    where = " AND ".join(["turn > 0", *(term for term, _ in terms)])
    limit = max(1, min(query.limit, PAGE_MAX))
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM executions WHERE {where} "
        "ORDER BY started_at DESC, execution_id DESC LIMIT ?",
        [*(value for _, values in terms for value in values), limit + 1],
    ).fetchall()
    headers = []
    for row in rows[:limit]:
        try:
            headers.append(decode_header(row, connection))
        except DamagedRow as damage:
            connection.tell(damage)
    if len(rows) <= limit:
        return Page(headers, None)
    last = rows[limit - 1]
    return Page(headers, f"{last[3]}/{last[0]}")


def _tell_unsorted(terms: list[tuple[str, Any]], connection: FileConnection) -> None:
    """Warn of rows that have no place in the order of a listing."""
    unsorted = "NOT (typeof(started_at)='integer' AND typeof(execution_id)='text')"
    where = " AND ".join(
        ["turn > 0", "(started_at ISNULL OR started_at >= '')", *(t for t, _ in terms)]
    )
    rows = connection.execute(
        f"SELECT execution_id FROM executions WHERE {where} AND {unsorted} LIMIT {TOLD_AT_ONCE}",
        [value for _, values in terms for value in values],
    )
    by_key = "SELECT execution_id FROM executions WHERE execution_id >= X'' LIMIT ?"
    for (execution_id,) in connection.execute(by_key, (TOLD_AT_ONCE,)).fetchall():
        why = "column execution_id holds no text"
        connection.tell(connection.damage("executions", (execution_id,), why))
    for (execution_id,) in rows.fetchall():
        why = "column started_at holds no whole number"
        connection.tell(connection.damage("executions", (execution_id,), why))


def _text(value: Json) -> str | None:
    return None if value is None else dumps(value)


def _position(cursor: str) -> list[Any]:
    started_at, slash, execution_id = cursor.partition("/")
    if not slash or not started_at.removeprefix("-").isdecimal():
        raise ConfigurationError(
            f"cursor {cursor!r}: pass the `cursor` of the page before as it is"
        )
    return [int(started_at), execution_id]
