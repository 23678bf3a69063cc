"""A workflow: a coroutine function with a name, and the types that go in and come out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, get_type_hints, overload

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.arguments import check_type, named
from lambda_workflow.model.bugs import check_bugs
from lambda_workflow.model.ids import NAME_CHARACTERS_MAX, check_name
from lambda_workflow.model.payload import Codec, codec_for
from lambda_workflow.replay.query import Query

if TYPE_CHECKING:
    from lambda_workflow.replay.context import Context

Arg = TypeVar("Arg")
T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")
A = TypeVar("A")

_VERSION: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{NAME_CHARACTERS_MAX}}}")


class Workflow(Generic[In, Out]):
    """What `@workflow` makes of a function; register it with an `App`.

    Attributes:
        name: the name it is started by; the function's own unless given.
        version: which of the codes of this name it is; empty where there is but one.
        function: the coroutine function itself, to be called with a Context and the request.
        bugs: the exceptions of its code that block an execution; None for those of its App.
    """

    def __init__(
        self,
        function: Callable[[Context, In], Coroutine[Any, Any, Out]],
        name: str | None,
        version: str = "",
        bugs: tuple[type[BaseException], ...] | None = None,
    ) -> None:
        given: object = function
        if not inspect.iscoroutinefunction(given):
            hint = ': its name is given by name=, as in @workflow(name="…")'
            raise ConfigurationError(
                f"@workflow: {named(given)} is no `async def` function"
                f"{hint if isinstance(given, str) else ''}; a workflow is written as "
                "`async def name(ctx: Context, request: Request)`"
            )
        if len(inspect.signature(function).parameters) != 2:
            raise ConfigurationError(
                f"workflow {function.__name__!r} must take exactly two parameters, "
                "the context and the request: `async def name(ctx: Context, request: Request)`"
            )
        self.function: Final = function
        self.name: Final = check_name("workflow", name or function.__name__)
        self.version: Final = check_version(self.name, version)
        self.bugs: Final = None if bugs is None else check_bugs(bugs, f"workflow {self.name!r}")
        self.__doc__ = function.__doc__
        self._codecs: tuple[Codec[Any], Codec[Any]] | None = None
        self.queries: Final[dict[str, Query[Any, Any]]] = {}

    @overload
    def query(self, function: Callable[[Context], T], /) -> Query[None, T]: ...
    @overload
    def query(self, function: Callable[[Context, Arg], T], /) -> Query[Arg, T]: ...
    def query(self, function: Callable[..., Any], /) -> Query[Any, Any]:
        """Make a query of a function: `@order.query`, asked by `Client.query`.

        The function gets the Context as the workflow has left it (`ctx.state` is whatever the
        workflow keeps there) and, if it takes one, an argument. It may read; it can change nothing.

        Raises:
            ConfigurationError: it is a coroutine function, has other parameters, or its name is
                taken.
        """
        made: Query[Any, Any] = Query(self.name, function)
        if made.name in self.queries:
            raise ConfigurationError(f"workflow {self.name!r} has two queries {made.name!r}")
        self.queries[made.name] = made
        return made

    async def __call__(self, ctx: Context, request: In) -> Out:
        """Run the code as a part of another workflow."""
        return await self.function(ctx, request)

    @property
    def request_codec(self) -> Codec[Any]:
        """Of the second parameter's type; any JSON value where it has no annotation."""
        return self._types()[0]

    @property
    def result_codec(self) -> Codec[Any]:
        """Of the return type; any JSON value where it has no annotation."""
        return self._types()[1]

    def _types(self) -> tuple[Codec[Any], Codec[Any]]:
        if self._codecs is None:
            names = list(inspect.signature(self.function).parameters)
            try:
                hints = get_type_hints(self.function, include_extras=True)
            except NameError:
                # the context's or a local type cannot be looked up by name: take what is there
                hints = {
                    k: v for k, v in self.function.__annotations__.items() if not isinstance(v, str)
                }
                if len(hints) < len(self.function.__annotations__) - 1:
                    raise ConfigurationError(
                        f"workflow {self.name!r}: its annotations cannot be resolved; define the "
                        "request and result types at module level"
                    ) from None
            self._codecs = codec_for(hints.get(names[1], Any)), codec_for(hints.get("return", Any))
        return self._codecs

    def __repr__(self) -> str:
        version = f", version={self.version!r}" if self.version else ""
        return f"Workflow({self.name!r}{version})"


class RemoteWorkflow(Generic[In, Out]):
    """A workflow of another App: its name, its types, and the App whose queue it listens on.

    On AWS the queue's URL stands in `LAMBDA_WORKFLOW_APP_<APP>_QUEUE_URL`; on a laptop the engine
    runs both Apps.

    Raises:
        ConfigurationError: a name is not legal.
    """

    @overload
    def __init__(self, name: str, request: type[In], result: type[Out], *, app: str) -> None: ...
    @overload
    def __init__(
        self: RemoteWorkflow[A, None], name: str, request: type[A], result: None, *, app: str
    ) -> None: ...
    @overload
    def __init__(
        self: RemoteWorkflow[None, A], name: str, request: None, result: type[A], *, app: str
    ) -> None: ...
    @overload
    def __init__(
        self: RemoteWorkflow[None, None], name: str, request: None, result: None, *, app: str
    ) -> None: ...
    @overload
    def __init__(self, name: str, request: Any, result: Any, *, app: str) -> None: ...
    def __init__(self, name: str, request: Any, result: Any, *, app: str) -> None:
        self.name: Final = check_name("workflow", name)
        self.app: Final = check_name("app", app)
        check_type(request, f"request type of workflow {name!r}")
        check_type(result, f"result type of workflow {name!r}")
        self.request_codec: Final[Codec[Any]] = codec_for(request)
        self.result_codec: Final[Codec[Any]] = codec_for(result)

    def __repr__(self) -> str:
        return f"RemoteWorkflow({self.name!r}, app={self.app!r})"


@overload
def workflow(
    function: Callable[[Context, In], Coroutine[Any, Any, Out]], /
) -> Workflow[In, Out]: ...
@overload
def workflow(
    *,
    name: str | None = ...,
    version: str = ...,
    bugs: tuple[type[BaseException], ...] | None = ...,
) -> Callable[[Callable[[Context, In], Coroutine[Any, Any, Out]]], Workflow[In, Out]]: ...
def workflow(
    function: Any = None, /, *,
    name: str | None = None, version: str = "", bugs: tuple[type[BaseException], ...] | None = None,
) -> Any:  # fmt: skip
    """Make a workflow of an `async def` function that takes a Context and a request.

    Args:
        name: the name it is started by, 1 to 64 letters, digits, '-' and '_'.
        version: 1 to 64 letters, digits, '-', '_' and '.'. An execution keeps to the version it
            began with; list the old and the new one in the App, the newest last.
        bugs: the exceptions of its code that block an execution; those of its App if not given.

    Raises:
        ConfigurationError: it is no coroutine function, or has other parameters, or a bad name.
    """
    if function is not None:
        return Workflow(function, name)
    return lambda function: Workflow(function, name, version, bugs)


def check_version(workflow: str, version: str) -> str:
    """Return the version if it is a legal one, or empty.

    Raises:
        ConfigurationError: it is too long, or has a character other than A-Z a-z 0-9 - _ and dot.
    """
    text: object = version  # a number is an easy mistake, and no checker may be at hand
    if not isinstance(text, str) or (text and not _VERSION.fullmatch(text)):
        raise ConfigurationError(
            f"workflow {workflow!r}: version {version!r}: use a text of 1 to "
            f"{NAME_CHARACTERS_MAX} letters, digits, '-', '_' and '.', such as \"2\""
        )
    return version


StepFunction = Callable[..., Awaitable[Any] | Any]
