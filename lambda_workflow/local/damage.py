"""Rows that cannot be read: damaged by a disk, another program or a hand.

Laws
 1. A damaged row is named, by table and key, never by its values.
 2. It ends no engine, and harms no row beside it: a listing and a scan skip it with a warning, once
    for each connection; what asks for that very row is refused with an error.
 3. It stays where it is for a hand to mend, unless it is moved to `dead_letters` as it is.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import Any, Final

from lambda_workflow.errors import BackendError

KEY_CHARACTERS_MAX: Final = 150
TOLD_MAX: Final = 10_000  # rows that a connection remembers to have warned of
_log = logging.getLogger("lambda_workflow")


class DamagedRow(BackendError):
    """A row of the file that cannot be read; the message names table and key."""


class FileConnection(sqlite3.Connection):
    """A connection that knows its file, and the damage that it has told of."""

    path: str
    told: set[str]

    def damage(self, table: str, key: tuple[Any, ...], why: str) -> DamagedRow:
        """The error of a row."""
        return DamagedRow(
            f"{self.path}: the row {_shown(key)} of table {table} is damaged: {why}. Other rows "
            "are not harmed; mend the row from a backup, or delete it"
        )

    def tell(self, damage: DamagedRow) -> None:
        """Warn of a row that is skipped."""
        words = str(damage)
        if words not in self.told and len(self.told) < TOLD_MAX:
            self.told.add(words)
            _log.warning("%s. It is skipped", words)


def text_or_bytes(raw: bytes) -> str | bytes:
    """A text column's value; bytes, which no reader takes for text, where it is not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def wrong_type(**columns: tuple[Any, type]) -> str:
    """Which of a row's columns is of another type than it must be; empty if none is."""
    for name, (value, kind) in columns.items():
        if type(value) is not kind:
            return f"column {name} holds {type(value).__name__} where {kind.__name__} belongs"
    return ""


def names_in(
    connection: FileConnection, engine: object, column: str, text: object
) -> frozenset[str]:
    """The names that a row of `engines` keeps as JSON; none, with a warning, if it is damaged."""
    try:
        names = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        why = f"column {column} is no JSON array of names"
        connection.tell(connection.damage("engines", (engine,), why))
        return frozenset()
    return frozenset(names)


def _shown(key: tuple[Any, ...]) -> str:
    words = ", ".join(repr(part) for part in key)
    if len(words) > KEY_CHARACTERS_MAX:
        words = f"{words[:KEY_CHARACTERS_MAX]}…"
    return f"({words})"
