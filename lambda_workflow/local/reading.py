"""What is read by its key: turns, responses, blobs; each row is checked, see `damage`."""

from __future__ import annotations

from typing import Final

from lambda_workflow.local.damage import FileConnection, wrong_type
from lambda_workflow.model.payload import loads

_KNOWN: Final = (
    "SELECT (SELECT max(turn) FROM runs WHERE execution_id=:id), "
    "(SELECT turn FROM executions WHERE execution_id=:id)"
)
_TURNS: Final = "SELECT number, text FROM turns WHERE execution_id=? AND number>=? ORDER BY number"


def select_turns(execution_id: str, whole: bool, connection: FileConnection) -> list[str]:
    """The records of an execution's present run, or of all its runs, oldest first.

    Raises:
        DamagedRow: one of them is missing, or is of a wrong type.
    """
    begins, listed = connection.execute(_KNOWN, {"id": execution_id}).fetchone()
    begins = None if whole else begins
    if begins is not None and type(begins) is not int:
        raise connection.damage("runs", (execution_id,), "column turn holds no whole number")
    texts: list[str] = []
    expected = begins or 1
    # What is no number stands behind all numbers, and so is found here too.
    for number, text in connection.execute(_TURNS, (execution_id, expected)):
        if number != expected or type(text) is not str:
            why = "there is no such row" if number != expected else "column text holds no text"
            raise connection.damage("turns", (execution_id, expected), why)
        texts.append(text)
        expected += 1
    known = max(begins or 0, listed if type(listed) is int else 0)
    if known >= expected:
        why = "there is no such row, and tables runs or executions have it"
        raise connection.damage("turns", (execution_id, expected), why)
    return texts


def select_responses(limit: int, connection: FileConnection) -> list[tuple[str, str]]:
    """Outcomes, oldest first, as execution id and wire text; what is no message is skipped."""
    found: list[tuple[str, str]] = []
    for execution_id, body in connection.execute(
        "SELECT execution_id, body FROM responses ORDER BY rowid"
    ):
        why = wrong_type(execution_id=(execution_id, str), body=(body, str))
        if not why and not _is_object(body):
            why = "column body is no JSON object"
        if why:
            connection.tell(connection.damage("responses", (execution_id,), why))
            continue
        found.append((execution_id, body))
        if len(found) == limit:
            break
    return found


def select_blob(key: str, connection: FileConnection) -> bytes | None:
    """The content of a key; None if there is none.

    Raises:
        DamagedRow: it is no bytes.
    """
    row = connection.execute("SELECT content FROM blobs WHERE key=?", (key,)).fetchone()
    if row is not None and type(row[0]) is not bytes:
        raise connection.damage("blobs", (key,), "column content holds no bytes")
    return None if row is None else row[0]


def _is_object(body: str) -> bool:
    try:
        return isinstance(loads(body), dict)
    except ValueError:
        return False
