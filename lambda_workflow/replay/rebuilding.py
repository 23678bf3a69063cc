"""A step's own exception, made again from what the history has of it.

Laws
 1. Where the class takes its recorded arguments, or its own words where none are recorded, and
    says the same then, the exception is of that class.
 2. Else it is a StepFailed that is of the class as well, without the attributes which its own
    constructor sets, so that `except UnicodeDecodeError` takes it; where no class can be derived
    from it, as from pydantic's ValidationError, of the nearest one above.
 3. Histories of semantics 1 get what they got: the class, or a plain StepFailed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from lambda_workflow.errors import StepFailed, StepInterrupted, StepTimedOut
from lambda_workflow.model.events import Failure
from lambda_workflow.model.exception_args import args_from
from lambda_workflow.replay.operations import Step

_NEVER: Final = (StopIteration, StopAsyncIteration)  # no future can carry them


def rebuilt(step: Step[Any], failure: Failure, attempts: int) -> BaseException:
    """The exception that the workflow's code gets."""
    is_new = step.loop_semantics > 1
    found = _class_named(failure.type, nested=is_new)
    kind = {StepInterrupted: StepInterrupted, StepTimedOut: StepTimedOut}.get(found, StepFailed)
    carried = isinstance(found, type) and issubclass(found, Exception)
    facts = {
        "type": failure.type,
        "message": failure.message,
        "details": failure.details,
        "stack": failure.stack,
        "attempts": attempts,
        "operation": step.operation,
    }
    text = (
        f"step {step.name!r} (operation {step.operation}) failed with {failure.type}: "
        f"{failure.message}"
    )
    if kind is not StepFailed or not carried or issubclass(found, _NEVER):
        return kind(text, **facts)
    same = _same(found, failure, is_new=is_new)
    if same is not None:
        return same
    return (_stand_in(found, text, facts) if is_new else None) or StepFailed(text, **facts)


def _class_named(name: str, *, nested: bool) -> Any:
    """What a failure's type names; `nested`: also within a class, as `orders.Order.NotFound`."""
    module, _, rest = name.rpartition(".")
    path = [rest]
    while nested and module and module not in sys.modules:
        module, _, outer = module.rpartition(".")
        path.insert(0, outer)
    found: Any = sys.modules.get(module or "builtins")
    for part in path:
        found = getattr(found, part, None)
    return found


def _same(found: type[Exception], failure: Failure, *, is_new: bool) -> Exception | None:
    """Law 1."""
    for args in _tries(found, failure, is_new=is_new):
        try:
            error = found(*args)
            if str(error) == failure.message:
                return error
        except Exception:  # noqa: BLE001  # a constructor of its own: see law 2
            continue
    return None


def _tries(found: type[Exception], failure: Failure, *, is_new: bool) -> Iterator[tuple[Any, ...]]:
    """What the class may take; a KeyError's message is the `repr` of its key."""
    message = failure.message
    if is_new and (given := args_from(failure.args)) is not None:
        yield given
    if not message:
        yield ()
    elif is_new and found.__str__ is KeyError.__str__:
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            yield (ast.literal_eval(message),)
    else:
        yield (message,)


def _stand_in(found: type[Exception], text: str, facts: dict[str, Any]) -> Exception | None:
    """Law 2."""
    for base in found.__mro__:
        if base is Exception:
            return None
        try:
            kind: Any = type(found.__name__, (StepFailed, base), dict(_PLAIN))
            error: Exception = kind(text, **facts)
            if str(error) == text:
                return error
        except Exception:  # noqa: BLE001  # a class that cannot be derived from, or made so
            continue
    return None


def _plain_init(self: StepFailed, text: str, **facts: Any) -> None:
    """Keep the words and the facts, and let the class's own constructor be: it takes others."""
    Exception.__init__(self, text)
    self.__dict__.update(facts)


_PLAIN: Final = {"__init__": _plain_init, "__str__": Exception.__str__}
