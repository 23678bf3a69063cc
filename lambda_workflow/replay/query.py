"""Queries: functions that read what a workflow keeps, by a replay that can change nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import Context as Variables
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, get_type_hints

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.ids import check_name
from lambda_workflow.model.payload import Codec, Json, codec_for

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution

Arg = TypeVar("Arg")
Res = TypeVar("Res")


class Query(Generic[Arg, Res]):
    """A question to an execution; made by `@workflow.query`, asked by `Client.query`."""

    def __init__(self, workflow: str, function: Callable[..., Any]) -> None:
        names = list(inspect.signature(function).parameters)
        if inspect.iscoroutinefunction(function) or len(names) not in (1, 2):
            raise ConfigurationError(
                f"query {function.__name__!r} of workflow {workflow!r} must be a plain function of "
                "the context, and of one argument if it needs one"
            )
        self.name: Final = check_name("query", function.__name__)
        self.workflow: Final = workflow
        self.function: Final = function
        self.__doc__ = function.__doc__
        self._argument = names[1] if len(names) == 2 else None
        self._codecs: tuple[Codec[Any], Codec[Any]] | None = None

    def __call__(self, *args: Any) -> Any:
        """The function itself."""
        return self.function(*args)

    def __repr__(self) -> str:
        return f"Query({self.name!r} of {self.workflow!r})"

    def ask(self, execution: Execution, argument: Json) -> Json:
        """Answer from an execution that has been replayed.

        Raises:
            DecodeError, EncodeError: the argument or the answer is not of its type.
            WorkflowError: the function tries to change something.
        """
        takes, gives = self._types()
        args: list[Any] = [execution.context]
        if self._argument is not None:
            args.append(takes.decode(argument, f"argument of query {self.name}"))
        frozen, execution.loop.frozen = execution.loop.frozen, True
        execution.read_only = True
        try:
            answer = Variables().run(self.function, *args)
        finally:
            execution.read_only, execution.loop.frozen = False, frozen
        return gives.encode(answer, f"answer of query {self.name}")

    def encode(self, argument: Arg) -> Json:
        """The argument as JSON; raises EncodeError."""
        return self._types()[0].encode(argument, f"argument of query {self.name}")

    def decode(self, answer: Json) -> Res:
        """The answer of its type."""
        decoded: Res = self._types()[1].decode(answer, f"answer of query {self.name}")
        return decoded

    def _types(self) -> tuple[Codec[Any], Codec[Any]]:
        if self._codecs is None:
            try:
                hints = get_type_hints(self.function, include_extras=True)
            except NameError:
                annotations = self.function.__annotations__
                hints = {k: v for k, v in annotations.items() if not isinstance(v, str)}
            argument = hints.get(self._argument or "", Any)
            self._codecs = codec_for(argument), codec_for(hints.get("return", Any))
        return self._codecs
