"""What `ctx.step` asks of a function before it runs: asked once of a function of a module."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any, Final, NamedTuple, get_type_hints

from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.ids import display_name
from lambda_workflow.model.payload import Codec, codec_for

FUNCTION: Final = "the function itself; what it is to be called with comes after it"
_FUNCTIONS_MAX: Final = 512
_UNRESOLVED: Final = (NameError, TypeError, AttributeError)


class Facts(NamedTuple):
    """What is known of a step's function.

    Attributes:
        name: what the history shows, unless the step has a name of its own.
        is_async: whether calling it gives a coroutine.
        codec: of its result, by its return annotation.
    """

    name: str
    is_async: bool
    codec: Codec[Any]


def facts_of(function: Callable[..., Any]) -> Facts:
    """The facts.

    Raises:
        ConfigurationError: it cannot be called.
    """
    try:
        if type(function) is FunctionType and "<" not in function.__qualname__:
            return _kept(function)
        return _facts(function)
    except _UNRESOLVED:  # its annotations name what is not there, or not there yet
        return Facts(_name(function), inspect.iscoroutinefunction(function), codec_for(Any))


def _facts(function: Callable[..., Any]) -> Facts:
    check_kind(function, Callable, "the work of ctx.step", FUNCTION)  # type: ignore[arg-type]  # isinstance takes it
    codec = codec_for(get_type_hints(function, include_extras=True).get("return", Any))
    return Facts(_name(function), inspect.iscoroutinefunction(function), codec)


_kept: Final = lru_cache(_FUNCTIONS_MAX)(_facts)  # what raises is asked again


def _name(function: Callable[..., Any]) -> str:
    return display_name("step", getattr(function, "__name__", "step").strip("<>"))
