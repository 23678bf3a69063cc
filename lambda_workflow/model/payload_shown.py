"""Whether texts may have payload values in them: the one place that decides.

Laws
 1. By default no error text, reason, log line or listing has a value of a payload: it has types,
    paths of fields, sizes and digests. The keys of mappings are values too; those of records not.
 2. Within `values_shown()` the texts have the values, cut short. `App(show_values=True)` turns it
    on for the App's turns, adapters and clients, `--values` for one command.
 3. What workflow code sees is the same whatever is turned on, since it may become a command that a
    replay has to make again: no values, but in executions begun before version 2 of the semantics.
 4. A message that other code has put into an exception may have values in it: `words_of_error`
    leaves it out, unless the interpreter writes it of names and types alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from opcode import opmap
from reprlib import Repr
from typing import Final

from lambda_workflow.errors import WorkflowError

_CHARACTERS_MAX: Final = 60  # enough to recognise a value, too little to flood a log
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")  # differs on replay, and says nothing
_repr: Final = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = _CHARACTERS_MAX

_RAISE: Final = opmap["RAISE_VARARGS"]

SHOWS_VALUES: Final[ContextVar[bool]] = ContextVar("lambda_workflow.shows_values", default=False)
_AS_IT_IS: Final = nullcontext()

# Where the interpreter raises these, it writes of names and types.
_OF_NAMES: Final = (AttributeError, NameError, ImportError, TypeError, RecursionError)


def values_shown(shown: bool = True) -> AbstractContextManager[None]:
    """Let texts made in this block have values; with False leave it as it is around it."""
    return texts_for(values=True) if shown else _AS_IT_IS


@contextmanager
def texts_for(*, values: bool) -> Iterator[None]:
    """Let texts made in this block have values, or not, whatever counts around it."""
    token = SHOWS_VALUES.set(values)
    try:
        yield
    finally:
        SHOWS_VALUES.reset(token)


def are_values_shown() -> bool:
    """Whether a text that is made now may have values in it."""
    return SHOWS_VALUES.get()


def kind_of(value: object) -> str:
    """The type of a value, and the length of what has one: `str of 16`."""
    if value is None:
        return "None"
    name = type(value).__name__
    if isinstance(value, str | bytes | list | tuple | dict | set | frozenset):
        return f"{name} of {len(value)}"
    return name


def shown(value: object) -> str:
    """A Python value for a reader: its type, and where values are shown the value, cut short."""
    if value is None or not are_values_shown():
        return kind_of(value)
    return f"{type(value).__name__} {cut(value)}"


def cut(value: object) -> str:
    """The `repr` of a value, cut short, without addresses in memory."""
    return _ADDRESS.sub("", _repr.repr(value))


def at_key(key: object) -> str:
    """The path's step into a mapping: `['EUR']`, or `[str of 3]` where values are not shown."""
    return f"[{cut(key) if are_values_shown() else kind_of(key)}]"


def words_of_error(error: BaseException) -> str:
    """The type of an exception, and its message where that has no value in it (law 4)."""
    name = type(error).__name__
    of_names = type(error) in _OF_NAMES and not _is_raised_by_code(error)
    is_told = of_names or isinstance(error, WorkflowError) or are_values_shown()
    text = str(error) if is_told else ""
    return f"{name}: {text}" if text else name


def _is_raised_by_code(error: BaseException) -> bool:
    """Whether a `raise` statement has raised it, and not the interpreter."""
    trace = error.__traceback__
    if trace is None:
        return True
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == _RAISE
