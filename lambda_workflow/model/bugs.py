"""Which exceptions of workflow code say that the code is wrong."""

from __future__ import annotations

from typing import Any, Final

from lambda_workflow.errors import ConfigurationError, PayloadError, UsageError

BUGS: Final[tuple[type[BaseException], ...]] = (
    NameError,
    AttributeError,
    TypeError,
    LookupError,
    AssertionError,
    ImportError,
    NotImplementedError,
    RecursionError,
    ConfigurationError,
    PayloadError,
    UsageError,
)
"""What BLOCKS an execution, and does not fail it, when its workflow's code raises it.

An exception that comes out of an operation, such as a step's KeyError, is that operation's outcome
and no bug. `App(bugs=…)` and `@workflow(bugs=…)` take other classes: `(*BUGS, ZeroDivisionError)`,
or `()`, with which every exception ends the execution.
"""


def check_bugs(bugs: Any, of: str) -> tuple[type[BaseException], ...]:
    """The classes, if that is what they are.

    Raises:
        ConfigurationError: they are something else.
    """
    if isinstance(bugs, tuple) and all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in bugs
    ):
        return bugs
    raise ConfigurationError(
        f"bugs of {of}: give a tuple of exception classes, such as (*BUGS, ZeroDivisionError), or "
        "() to let every exception end the execution"
    )
