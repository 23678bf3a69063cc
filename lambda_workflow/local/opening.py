"""Opening the file: to read and write, or only to read where it cannot be written.

Laws
 1. A file that cannot be written is opened all the same if it exists, and each write says why not.
 2. What SQLite has not yet brought from the file `-wal` into the file itself is never left out: a
    file is read without that (as immutable) only where there is none.
 3. The open file is known by device and inode. Where the path leads to another file, or to none,
    nothing is read or written any more: it would be lost, or of a file that nobody sees.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lambda_workflow.errors import BackendError, ConfigurationError
from lambda_workflow.local.damage import FileConnection, text_or_bytes
from lambda_workflow.local.schema import (
    BUSY_SECONDS,
    MEMORY,
    SCHEMA_VERSION,
    explain,
    prepare,
    version_of,
)

_UNWRITABLE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


@dataclass(frozen=True, slots=True)
class Opened:
    """A file's connections; `reading` is None where one connection has to do for both."""

    writing: FileConnection
    reading: FileConnection | None
    place: Place


@dataclass(frozen=True, slots=True)
class Place:
    """The open file, and where it was found."""

    path: str
    device: int = 0
    inode: int = 0

    def check(self) -> None:
        """See to it that the path still leads to the open file.

        Raises:
            BackendError: it does not.
        """
        if not self.inode:
            return
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            what = "deleted or moved"
        except OSError:
            return  # it cannot be looked at now, which says nothing of the file
        else:
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                return
            what = "replaced by another file"
        raise BackendError(
            f"{self.path} was {what} while it was open: nothing is read or written, for it would "
            "be lost. Put the very file back (by moving it), or end what has it open and start anew"
        )


def open_file(path: str) -> Opened:
    """Open a file, creating it or bringing it to this version's schema.

    Raises:
        ConfigurationError: it belongs to another program or a newer release, or is of an older
            schema and cannot be written.
        BackendError: it cannot be read; says what to do.
    """
    try:
        writing = _prepared(connect(path), path)
    except BackendError as error:
        code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
        if code not in _UNWRITABLE or not Path(path).is_file():
            raise
        return _open_to_read(path, error)
    if path == MEMORY:
        return Opened(writing, None, Place(path))
    try:
        return Opened(writing, connect(path, reads_only=True), _place(path))
    except BaseException:
        writing.close()
        raise


def connect(path: str, *, reads_only: bool = False, how: str = "") -> FileConnection:
    """Open a connection; the caller begins and ends transactions itself.

    Args:
        how: parameters of SQLite's URI, such as `mode=ro`.

    Raises:
        BackendError: it cannot be opened, or is no database; says what to do.
    """
    try:
        connection: FileConnection = sqlite3.connect(
            f"file:{quote(path)}?{how}" if how else path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            factory=FileConnection,
            uri=bool(how),
        )
        connection.path, connection.told = path, set()
        connection.text_factory = text_or_bytes
        connection.execute("PRAGMA synchronous=FULL")
        if reads_only:
            connection.execute("PRAGMA query_only=ON")
    except sqlite3.Error as error:
        raise explain(error, path) from error
    return connection


def _prepared(connection: FileConnection, path: str) -> FileConnection:
    try:
        prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_to_read(path: str, unwritable: BackendError) -> Opened:
    log = Path(f"{path}-wal")
    is_whole = not log.exists() or log.stat().st_size == 0
    for how in ("mode=ro", "immutable=1") if is_whole else ("mode=ro",):
        try:
            connection = connect(path, how=how)
        except BackendError:
            continue
        try:
            version = version_of(connection, path)
        except sqlite3.Error:
            connection.close()
            continue
        except BaseException:
            connection.close()
            raise
        if version != SCHEMA_VERSION:
            connection.close()
            raise ConfigurationError(
                f"{path}: its schema is version {version}, this release reads {SCHEMA_VERSION}, "
                "and the file cannot be written: open it once where it can, or open a copy"
            )
        return Opened(connection, None, _place(path))
    raise unwritable


def _place(path: str) -> Place:
    found = os.stat(path)
    return Place(path, found.st_dev, found.st_ino)
