"""Functions of a wrong kind, refused before they are called, in words that say what to write."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar, cast

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.arguments import named

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form:
    """What a function has to look like.

    Attributes:
        what: where it is given, such as `map 'resize'`.
        takes: what it is called with, in words.
        write: a line of code that is right.
    """

    what: str
    takes: str
    write: str

    def check(self, function: Any, *arguments: object) -> None:
        """Refuse what cannot be called with these arguments, or gives nothing to be awaited.

        Raises:
            ConfigurationError: says what to write.
        """
        if inspect.isasyncgenfunction(function):
            self._refuse(f"{named(function)} is an async generator, which has no result")
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # of C code, which hides it
            return
        try:
            signature.bind(*arguments)
        except TypeError:
            found = _parameters(signature)
            self._refuse(f"{named(function)} takes {found}, and is called with {self.takes}")
        first = next(iter(signature.parameters.values()), None)
        if first is not None and first.default not in (inspect.Parameter.empty, None):
            self._refuse(
                f"{named(function)} takes {_parameters(signature)}, and the context would replace "
                f"the default of '{first.name}': let the context be the first parameter"
            )

    def awaitable(self, given: T, function: Any) -> T:
        """What a function has given, if it can be awaited.

        Raises:
            ConfigurationError: says what to write.
        """
        if not inspect.isawaitable(given):
            kind = type(given).__name__
            self._refuse(f"{named(function)} has returned {kind}, which cannot be awaited")
        return given

    def called(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> Awaitable[T]:
        """Call it, and look at what it gives; raises as `awaitable` does."""
        return self.awaitable(function(*arguments), function)

    def _refuse(self, why: str) -> NoReturn:
        raise ConfigurationError(f"{self.what}: {why}: write {self.write}")


def form_of(what: str, function: object, names: Sequence[str], takes: str = "") -> Form:
    """The form of an async function of the context and further arguments.

    Args:
        names: of the further parameters.
        takes: what they are, in words.
    """
    name = getattr(function, "__name__", "")
    shown = name if name.isidentifier() else "work"
    words = f"the context and {takes}" if names else "the context alone"
    return Form(what, words, f"`async def {shown}({', '.join(['ctx', *names])}): …`")


def form_with(what: str, function: object, arguments: Sequence[object]) -> Form:
    """The form of an async function of the context and the arguments that were given with it."""
    names = [f"argument{number}" for number in range(1, len(arguments) + 1)]
    return form_of(what, function, names, "the arguments that follow it")


def _parameters(signature: inspect.Signature) -> str:
    names = [str(parameter).partition(":")[0] for parameter in signature.parameters.values()]
    return f"({', '.join(names)})" if names else "no parameters"


def show_as(public: str, *classes: type) -> None:
    """Let Python's own errors name a public class where a method stands in a part of it."""
    for cls in classes:
        for name, function in vars(cls).items():
            if inspect.isfunction(function):
                cast("Any", function).__qualname__ = f"{public}.{name}"
