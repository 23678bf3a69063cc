"""The typed payload codec: a value of a declared type to a JSON value, and back.

1. What is encoded comes back equal and of its declared type, unions included, or is refused when
   it is encoded, with the path of the offending field.
2. Encoding is deterministic across processes. Nothing is pickled.
3. Nothing is compiled, and pydantic is not loaded, before the first value asks for it.

The forms: what JSON has is itself; NaN and the infinities are refused; times are ISO 8601 text,
Decimal and UUID text, bytes base64 text; an enum is its member's value; tuples, sets and
NamedTuples are lists; dataclasses, TypedDicts and models are objects. A union's value is tagged
(`{"$type": "bytes", "value": "…"}`) only where it would otherwise come back as another member.
`Any`, `object` and unparametrised containers hold plain JSON values alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar, overload

from lambda_workflow.errors import DecodeError, EncodeError, PayloadError
from lambda_workflow.model.payload_compile import shape_of
from lambda_workflow.model.payload_refused import Refused
from lambda_workflow.model.payload_shown import are_values_shown
from lambda_workflow.model.payload_text import (
    Json,
    canonical,
    dumps,
    fingerprint,
    loads,
    same_json,
)

__all__ = [
    "Codec",
    "Json",
    "canonical",
    "codec_for",
    "dumps",
    "fingerprint",
    "loads",
    "same_json",
]

T = TypeVar("T")

_CODECS_MAX: Final = 4096  # more than an App has types; types made in a loop must not fill memory
_TOO_DEEP: Final = "nests too deeply, or contains itself"


class Codec(Generic[T]):
    """Writes and reads the values of one type; make it with `codec_for`."""

    __slots__ = ("_decode", "_encode", "type")

    def __init__(self, tp: Any) -> None:
        self.type: Final = tp
        self._encode: Callable[[Any], Json] = self._compile_and_encode
        self._decode: Callable[[Json], Any] = self._compile_and_decode

    def encode(self, value: T, where: str = "payload") -> Json:
        """The JSON value of a value; shares no list or dict with it.

        Args:
            value: must be of the codec's type throughout.
            where: what the value is called at the root of an error's path.

        Raises:
            EncodeError: it is not, or it would not come back as it is: has the path of the field,
                what was found and what is allowed.
        """
        try:
            return self._encode(value)
        except Refused as refused:
            raise EncodeError(refused.told(where)) from _cause(refused)
        except RecursionError:
            raise EncodeError(f"{where}: {_TOO_DEEP}") from None

    def decode(self, value: Json, where: str = "payload") -> T:
        """The value in a JSON value; shares no list or dict with it.

        Raises:
            DecodeError: it is not of the codec's type: has the path of the field, what was found
                and what is allowed.
        """
        try:
            decoded: T = self._decode(value)
        except Refused as refused:
            raise DecodeError(refused.told(where)) from _cause(refused)
        except RecursionError:
            raise DecodeError(f"{where}: {_TOO_DEEP}") from None
        return decoded

    def prepare(self) -> None:
        """Compile now what the first value would compile: to fail early, or before a snapshot.

        Raises:
            PayloadError: the type, or a part of it, cannot be a payload.
        """
        try:
            self._compile()
        except Refused as refused:
            raise PayloadError(refused.told(f"type {self!r}")) from refused.__cause__

    def _compile(self) -> None:
        shape = shape_of(self.type)
        self._encode, self._decode = shape.encode, shape.decode

    def _compile_and_encode(self, value: Any) -> Json:
        self._compile()
        return self._encode(value)

    def _compile_and_decode(self, value: Json) -> Any:
        self._compile()
        return self._decode(value)

    def __repr__(self) -> str:
        return f"Codec({self.type!r})"


def _cause(refused: Refused) -> BaseException | None:
    """What pydantic or a validator has raised; its text, which a traceback has, has the values."""
    return refused.__cause__ if are_values_shown() else None


@overload
def codec_for(tp: type[T]) -> Codec[T]: ...
@overload
def codec_for(tp: Any) -> Codec[Any]: ...
def codec_for(tp: Any) -> Codec[Any]:
    """The codec of a type; costs next to nothing until its first value.

    Args:
        tp: any annotation: a class, `list[Order]`, `Order | None`, `Any`…
    """
    try:
        return _cached(tp)
    except TypeError:  # an unhashable type, such as Annotated[int, {}]
        return Codec(tp)


@lru_cache(_CODECS_MAX)
def _cached(tp: Any) -> Codec[Any]:
    return Codec(tp)
