"""Ids and names: which are legal, and how one is derived from another.

There are two kinds of names. An identifier (`check_name`) is part of a queue's name, an execution's
id or a message, and is refused where these cannot carry it. A display name (`display_name`) is what
the history shows of an operation or group: any text, which is made to fit, as it is often made of
data, and no workflow may fail by it.

An execution id becomes an SQS FIFO MessageGroupId, which allows 128 characters of letters, digits
and punctuation, and no space (SQS documentation, `SendMessage`). An operation id is the path of the
task that started it and a counter within that task: `3`, `2.1`. A task id, which a service sees,
is `<execution id>/<operation id>`: unique everywhere, and so fit to be an idempotency key.
On AWS a table keeps other items beside those of executions; their prefixes no execution id has.
"""

from __future__ import annotations

import hashlib
import string
from typing import Final

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.bounded import encodable
from lambda_workflow.model.limits import (
    DISPLAY_NAME_CHARACTERS_MAX,
    EXECUTION_ID_CHARACTERS_MAX,
    ID_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
)

__all__ = [
    "BLOB_PREFIX", "EXECUTION_ID_CHARACTERS_MAX", "NAME_CHARACTERS_MAX", "TASK_PREFIX",
    "check_execution_id", "check_name", "check_text", "deduplication_id", "display_name",
    "operation_of", "run_of", "run_prefix", "task_id",
]  # fmt: skip

BLOB_PREFIX: Final = "blob:"  # of the items that hold large payloads
TASK_PREFIX: Final = "task:"  # … and of those by which service functions know a task again
_RUN_DIGITS_MAX: Final = 12  # anybody may send an id of any length
_GROUP_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + string.punctuation)
_NAME_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + "-_")


def check_execution_id(execution_id: str) -> str:
    """Return the id if SQS takes it as a MessageGroupId, and it is no other item's key.

    Raises:
        ConfigurationError: it is empty, too long, has a character that SQS refuses, or begins as
            the table's other items do.
    """
    check_kind(execution_id, str, "execution id", "text, such as str(id)")
    if not 0 < len(execution_id) <= EXECUTION_ID_CHARACTERS_MAX:
        raise ConfigurationError(
            f"execution id of {len(execution_id)} characters: it must have 1 to "
            f"{EXECUTION_ID_CHARACTERS_MAX}, the limit of an SQS message group id"
        )
    if bad := sorted(set(execution_id) - _GROUP_CHARACTERS):
        raise ConfigurationError(
            f"execution id {execution_id!r} has {bad[0]!r}: use letters, digits and punctuation, "
            "no space (it becomes an SQS message group id)"
        )
    if execution_id.startswith((BLOB_PREFIX, TASK_PREFIX)):
        prefix = execution_id.partition(":")[0]
        raise ConfigurationError(
            f"execution id {execution_id!r} begins with '{prefix}:', as other items of the table "
            f"do: choose another beginning, such as '{prefix}-'"
        )
    return execution_id


def check_name(kind: str, name: str) -> str:
    """Return the name of a workflow, service, signal, … if queues and messages can carry it.

    Raises:
        ConfigurationError: it is empty, too long, or has a character other than A-Z a-z 0-9 - _.
    """
    check_kind(name, str, f"{kind} name", "text")
    if not 0 < len(name) <= NAME_CHARACTERS_MAX or set(name) - _NAME_CHARACTERS:
        raise ConfigurationError(
            f"{kind} name {name!r}: use 1 to {NAME_CHARACTERS_MAX} letters, digits, '-' and '_'"
        )
    return name


def display_name(kind: str, name: str) -> str:
    r"""The name of a step, call, group, … as the history shows it: printable, of bounded length.

    What cannot be printed is escaped (`\n`, `\x1b`), and a long name ends in `…`. A name that was
    made so stays as it is.

    Raises:
        ConfigurationError: it is no text.
    """
    if type(name) is str and len(name) <= DISPLAY_NAME_CHARACTERS_MAX and name.isprintable():
        return name
    check_kind(name, str, f"{kind} name", "text")
    if len(name) > DISPLAY_NAME_CHARACTERS_MAX:
        return display_name(kind, f"{name[: DISPLAY_NAME_CHARACTERS_MAX - 1]}…")
    shown = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in name
    )
    return display_name(kind, shown)


def check_text(what: str, text: str, most: int = ID_CHARACTERS_MAX) -> str:
    """Return a text of the caller's if it can be sent and recorded.

    Raises:
        ConfigurationError: it is too long, no text, or has half a character (a lone surrogate).
    """
    check_kind(text, str, what, "text")
    if len(text) > most:
        raise ConfigurationError(f"{what} has {len(text):,} characters: it may have {most:,}")
    if encodable(text) is not text:
        raise ConfigurationError(f"{what} has half a character (a lone surrogate) in it")
    return text


def task_id(execution_id: str, operation: str) -> str:
    """The id a service knows a call by, the same for every attempt."""
    return f"{execution_id}/{operation}"


def operation_of(task: str) -> str:
    """The operation id within a task id; a bare operation id is returned as it is."""
    return task.rpartition("/")[2]


def run_prefix(run: int) -> str:
    """What the operation ids of a run begin with: nothing in the first, `2~` in the second."""
    return "" if run == 1 else f"{run}~"


def run_of(operation: str) -> int:
    """The run that an operation belongs to."""
    run, mark, _ = operation.partition("~")
    is_number = run.isascii() and run.isdigit() and len(run) <= _RUN_DIGITS_MAX
    return int(run) if mark and is_number else 1


def deduplication_id(*parts: object) -> str:
    """A stable SQS MessageDeduplicationId: the parts when they fit, else their digest."""
    text = ":".join(map(str, parts))
    if len(text) <= EXECUTION_ID_CHARACTERS_MAX and not set(text) - _GROUP_CHARACTERS:
        return text
    return hashlib.sha256(text.encode()).hexdigest()
