"""Signals and updates: the named, typed contracts of what a running workflow is told and asked."""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar, get_args, overload

from lambda_workflow.model.arguments import check_type
from lambda_workflow.model.ids import check_name
from lambda_workflow.model.payload import Codec, codec_for

T = TypeVar("T")
Req = TypeVar("Req")
Res = TypeVar("Res")
A = TypeVar("A")


def is_typed(tp: Any) -> bool:
    """Whether a type says of each part of a value more than that it is JSON."""
    if tp in _LOOSE:
        return False
    return all(is_typed(part) for part in get_args(tp))


_LOOSE: Final = (Any, object, dict, list, tuple)


class Signal(Generic[T]):
    """Something that a running workflow may be told: `Client.signal`, `ctx.wait_signal`.

    Args:
        name: 1 to 64 letters, digits, '-' and '_'.
        payload: the type of what is told; None for a signal without a payload.

    Raises:
        ConfigurationError: the name is not legal.
    """

    @overload
    def __init__(self, name: str, payload: type[T]) -> None: ...
    @overload
    def __init__(self: Signal[None], name: str, payload: None) -> None: ...
    @overload
    def __init__(self, name: str, payload: Any) -> None: ...
    def __init__(self, name: str, payload: Any) -> None:
        self.name: Final = check_name("signal", name)
        check_type(payload, f"type of signal {name!r}")
        self.codec: Final[Codec[Any]] = codec_for(payload)

    def accepts(self, payload: T) -> Any:
        """The payload as JSON; raises EncodeError."""
        return self.codec.encode(payload, f"signal {self.name}")

    def __repr__(self) -> str:
        return f"Signal({self.name!r})"


class Update(Generic[Req, Res]):
    """Something that a running workflow may be asked: `Client.update`, `ctx.updates`.

    Args:
        name: 1 to 64 letters, digits, '-' and '_'.
        request: the type of what is asked.
        response: the type of the reply.

    Raises:
        ConfigurationError: the name is not legal.
    """

    @overload
    def __init__(self, name: str, request: type[Req], response: type[Res]) -> None: ...
    @overload
    def __init__(self: Update[A, None], name: str, request: type[A], response: None) -> None: ...
    @overload
    def __init__(self: Update[None, A], name: str, request: None, response: type[A]) -> None: ...
    @overload
    def __init__(self: Update[None, None], name: str, request: None, response: None) -> None: ...
    @overload
    def __init__(self, name: str, request: Any, response: Any) -> None: ...
    def __init__(self, name: str, request: Any, response: Any) -> None:
        self.name: Final = check_name("update", name)
        check_type(request, f"request type of update {name!r}")
        check_type(response, f"response type of update {name!r}")
        self.request_codec: Final[Codec[Any]] = codec_for(request)
        self.response_codec: Final[Codec[Any]] = codec_for(response)

    def accepts(self, payload: Req) -> Any:
        """The request as JSON; raises EncodeError."""
        return self.request_codec.encode(payload, f"update {self.name}")

    def __repr__(self) -> str:
        return f"Update({self.name!r})"
