"""Shapes of list, tuple, set, frozenset and dict.

Tuples and sets are JSON lists, a set's in the order of its items' canonical texts. JSON's keys are
text: a key type that JSON carries as text is written as it is (`str`, UUID, datetime…), any other
as its JSON text (`1`, `true`, `[1,2]`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lambda_workflow.model.payload_refused import Mismatch, Refused
from lambda_workflow.model.payload_shape import RANK_USUAL, Shape, ShapeOf, label_of
from lambda_workflow.model.payload_shown import at_key, shown
from lambda_workflow.model.payload_text import Json, canonical, loads

_LIST: Final = frozenset({list})
_DICT: Final = frozenset({dict})


class Items:
    """A list, or a tuple, set or frozenset of any length."""

    emits = accepts = _LIST
    keys: None = None
    rank = RANK_USUAL

    def __init__(self, cls: type, item: Any, label: str) -> None:
        self.label = label
        self.value_types = frozenset({cls})
        self._cls: Any = cls
        self._item = item
        self._sorts = issubclass(cls, set | frozenset)

    def link(self, shape_of: ShapeOf) -> None:
        """Find the shape of the items."""
        item = shape_of(self._item)
        self._encode_item, self._decode_item = item.encode, item.decode

    def encode(self, value: Any) -> Json:
        """A list of the items."""
        if not isinstance(value, self._cls):
            raise Mismatch(value, self.label)
        out: list[Json] = []
        try:
            out.extend(map(self._encode_item, value))
        except Refused as refused:
            at = len(out)  # `extend` keeps what came before the item that is refused
            step = f"{{{shown(list(value)[at])}}}" if self._sorts else f"[{at}]"
            refused.inside(step)
            raise
        if self._sorts:
            out.sort(key=canonical)
        return out

    def decode(self, value: Json) -> Any:
        """The items, in the declared class."""
        if type(value) is not list:
            raise Mismatch(value, self.label)
        out: list[Any] = []
        try:
            out.extend(map(self._decode_item, value))
        except Refused as refused:
            refused.inside(f"[{len(out)}]")
            raise
        if self._cls is list:
            return out
        try:
            return self._cls(out)
        except TypeError:  # an untyped item that no set can hold
            raise Mismatch(value, self.label) from None


class Places:
    """A tuple whose every place has a type of its own; a NamedTuple is one with names."""

    emits = accepts = _LIST
    keys: None = None
    rank = RANK_USUAL

    def __init__(self, cls: type, items: tuple[Any, ...], label: str) -> None:
        self.label = label
        self.value_types = frozenset({cls})
        self._cls: Any = cls
        self._items = items
        self._build: Callable[[list[Any]], Any] = getattr(cls, "_make", cls)

    def link(self, shape_of: ShapeOf) -> None:
        """Find the shapes of the places."""
        shapes = [shape_of(item) for item in self._items]
        self._encoders = tuple(shape.encode for shape in shapes)
        self._decoders = tuple(shape.decode for shape in shapes)

    def encode(self, value: Any) -> Json:
        """A list of the places."""
        fits = type(value) is self._cls or (self._cls is tuple and isinstance(value, tuple))
        if not fits or len(value) != len(self._encoders):
            raise Mismatch(value, self.label)
        return self._each(self._encoders, value)

    def decode(self, value: Json) -> Any:
        """The places, in the declared class."""
        if type(value) is not list or len(value) != len(self._decoders):
            raise Mismatch(value, self.label)
        return self._build(self._each(self._decoders, value))

    @staticmethod
    def _each(functions: tuple[Callable[[Any], Any], ...], values: Any) -> list[Any]:
        out: list[Any] = []
        try:
            for function, value in zip(functions, values, strict=True):
                out.append(function(value))
        except Refused as refused:
            refused.inside(f"[{len(out)}]")
            raise
        return out


class Mapped:
    """A dict."""

    emits = accepts = _DICT
    keys: None = None
    rank = RANK_USUAL
    value_types = frozenset({dict})

    def __init__(self, key: Any, item: Any, label: str) -> None:
        self.label = label
        self._key = key
        self._item = item

    def link(self, shape_of: ShapeOf) -> None:
        """Find the shapes of keys and values."""
        key = shape_of(str if self._key in (Any, object) else self._key)
        item = shape_of(self._item)
        self._encode_item, self._decode_item = item.encode, item.decode
        self._encode_key, self._decode_key = key.encode, key.decode
        if key.emits != {str}:
            self._encode_key, self._decode_key = _as_text(key)

    def encode(self, value: Any) -> Json:
        """A dict with text for keys."""
        if not isinstance(value, dict):
            raise Mismatch(value, self.label)
        encode_key, encode_item = self._encode_key, self._encode_item
        out: dict[str, Json] = {}
        key = None
        try:
            for key, item in value.items():
                out[encode_key(key)] = encode_item(item)
        except Refused as refused:
            refused.inside(at_key(key))
            raise
        if len(out) != len(value):
            raise Refused(f"two keys of this {self.label} have the same JSON text")
        return out

    def decode(self, value: Json) -> Any:
        """A dict with the declared keys."""
        if type(value) is not dict:
            raise Mismatch(value, self.label)
        decode_key, decode_item = self._decode_key, self._decode_item
        out: dict[Any, Any] = {}
        key = None
        try:
            for key, item in value.items():
                out[decode_key(key)] = decode_item(item)
        except Refused as refused:
            refused.inside(at_key(key))
            raise
        return out


def _as_text(key: Shape) -> tuple[Callable[[Any], Json], Callable[[Json], Any]]:
    def encode(value: Any) -> Json:
        return canonical(key.encode(value))

    def decode(text: Json) -> Any:
        try:
            value = key.decode(loads(text))
            hash(value)
        except (ValueError, TypeError):
            raise Mismatch(text, f"{key.label} as a JSON text") from None
        return value

    return encode, decode


def container_shape(tp: Any, cls: type, args: tuple[Any, ...]) -> Shape:
    """The shape of a builtin container with its parameters; `list` is `list[Any]`."""
    if not args and tp != tuple[()]:
        args = (Any, ...) if cls is tuple else (str, Any) if cls is dict else (Any,)
    label = f"{cls.__name__}[{', '.join(map(label_of, args)) or '()'}]"
    if cls is dict:
        return Mapped(args[0], args[1], label)
    if cls is not tuple:
        return Items(cls, args[0], label)
    if len(args) == 2 and args[1] is ...:
        return Items(cls, args[0], label)
    return Places(cls, args, label)
