"""From a type to its shape."""

from __future__ import annotations

from collections.abc import (
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from enum import Enum
from functools import reduce
from operator import or_
from types import GenericAlias, NoneType
from typing import (
    Annotated,
    Any,
    Final,
    ForwardRef,
    Literal,
    NewType,
    TypeVar,
    get_args,
    get_origin,
)

from lambda_workflow.model.payload_containers import container_shape
from lambda_workflow.model.payload_foreign import Foreign, annotated_shape
from lambda_workflow.model.payload_models import Model
from lambda_workflow.model.payload_records import Structured, Typed, named_shape
from lambda_workflow.model.payload_refused import Refused
from lambda_workflow.model.payload_scalars import SCALARS, enum_shape, literal_shape
from lambda_workflow.model.payload_shape import UNIONS, Shape, label_of
from lambda_workflow.model.payload_union import Union

_BUILTIN: Final = (list, tuple, set, frozenset, dict)
_UNTYPED: Final = (Any, object)


def shape_of(tp: Any) -> Shape:
    """Compile a type.

    Raises:
        Refused: a part of it cannot be carried as JSON, or an annotation cannot be resolved.
    """
    return _Compiler().shape_of(tp)


class _Compiler:
    """One compilation; remembers what it made, because a type may contain itself."""

    def __init__(self) -> None:
        self._made: dict[Any, Shape] = {}
        self._kept: list[Any] = []  # what is remembered by its id must stay alive

    def shape_of(self, tp: Any) -> Shape:
        tp = _resolved(tp)
        key = self._key(tp)
        if (made := self._made.get(key)) is None:
            made = self._make(tp)
            self._made[key] = made
            made.link(self.shape_of)
        return made

    def _key(self, tp: Any) -> Any:
        try:
            hash(tp)
        except TypeError:
            self._kept.append(tp)
            return id(tp)
        return tp

    def _make(self, tp: Any) -> Shape:
        if (scalar := SCALARS.get(self._key(tp))) is not None:
            return scalar
        origin, args = get_origin(tp), get_args(tp)
        cls = origin or tp
        if origin in UNIONS:
            return self._union(args)
        if origin is Annotated:
            return annotated_shape(tp, self.shape_of)
        if origin is Literal:
            return literal_shape(args, label_of(tp), self.shape_of)
        if cls in _BUILTIN:
            return container_shape(tp, cls, args)
        if (concrete := _concrete(cls, args)) is not None:
            return self._make(_resolved(concrete))
        if hasattr(cls, "__pydantic_fields__") and isinstance(tp, type):
            return Model(tp)
        if isinstance(cls, type):
            return _of_class(tp, cls)
        return _foreign(tp)

    def _union(self, args: tuple[Any, ...]) -> Shape:
        members = _flat(args)
        if set(map(_id_of_untyped, members)) <= {Any, NoneType}:
            return SCALARS[Any]
        shapes = [self.shape_of(member) for member in members]
        if len(shapes) == 1:
            return shapes[0]
        return Union(shapes, [_qualified(member) for member in members])


def _of_class(tp: Any, cls: type) -> Shape:
    if issubclass(cls, Enum):
        return enum_shape(cls)
    if issubclass(cls, dict) and hasattr(cls, "__required_keys__"):  # typing_extensions' as well
        return Typed(tp)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return named_shape(cls, tp)
    if is_dataclass(cls):
        return Structured(tp)
    return _foreign(tp)


def _foreign(tp: Any) -> Shape:
    if isinstance(tp, str | ForwardRef):
        raise Refused(f"the annotation {tp!r} is text: name the type itself")
    return Foreign(tp)


def _resolved(tp: Any) -> Any:
    """The type that a name stands for: of an alias, a NewType, a type variable."""
    while True:
        if tp is None:
            return NoneType
        if isinstance(tp, NewType):
            tp = tp.__supertype__
        elif isinstance(tp, TypeVar):
            limits = tp.__constraints__ or (tp.__bound__ or Any,)
            tp = reduce(or_, limits)
        elif type(tp).__name__ == "TypeAliasType":
            tp = tp.__value__
        elif type(get_origin(tp)).__name__ == "TypeAliasType":
            tp = get_origin(tp).__value__[get_args(tp)]
        else:
            return tp


def _flat(args: tuple[Any, ...]) -> list[Any]:
    """The members of a union, those of unions behind an alias among them, each once."""
    found: list[Any] = []
    for arg in map(_resolved, args):
        members = _flat(get_args(arg)) if get_origin(arg) in UNIONS else [arg]
        found += [member for member in members if member not in found]
    return found


def _id_of_untyped(tp: Any) -> Any:
    return Any if tp in _UNTYPED else tp


def _concrete(cls: Any, args: tuple[Any, ...]) -> Any:
    """What stands for an abstract container; a tuple given as a Sequence comes back as a tuple."""
    if cls in (Mapping, MutableMapping):
        return GenericAlias(dict, args or (str, Any))
    item = args[0] if args else Any
    if cls in (Sequence, Collection, Iterable):
        return GenericAlias(list, item) | GenericAlias(tuple, (item, ...))
    if cls is AbstractSet:
        return GenericAlias(set, item) | GenericAlias(frozenset, item)
    if cls is MutableSequence:
        return GenericAlias(list, item)
    return GenericAlias(set, item) if cls is MutableSet else None


def _qualified(tp: Any) -> str:
    cls = get_origin(tp) or tp
    return f"{getattr(cls, '__module__', '')}.{label_of(tp)}"
