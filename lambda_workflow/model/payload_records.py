"""Shapes of dataclasses, TypedDicts and NamedTuples, generic ones with their parameters too.

Reading is tolerant of keys that the record does not know, so that a service may add a field
before its callers know it; writing is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, InitVar, fields
from inspect import get_annotations
from typing import (
    Any,
    Final,
    Generic,
    NotRequired,
    Required,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.payload_compare import Beyond, difference, has_plain_attributes
from lambda_workflow.model.payload_containers import Places
from lambda_workflow.model.payload_refused import Mismatch, Refused
from lambda_workflow.model.payload_shape import RANK_USUAL, ShapeOf, label_of
from lambda_workflow.model.payload_shown import at_key, words_of_error
from lambda_workflow.model.payload_text import Json

_DICT: Final = frozenset({dict})


class Typed:
    """A TypedDict."""

    emits = accepts = value_types = _DICT
    rank = RANK_USUAL

    def __init__(self, tp: Any) -> None:
        self.label = label_of(tp)
        self._hints = field_types(tp)
        self.keys = frozenset(self._hints)
        required = (get_origin(tp) or tp).__required_keys__
        self._required = tuple(
            name for name, hint in self._hints.items() if _is_required(hint, name in required)
        )

    def link(self, shape_of: ShapeOf) -> None:
        """Find the shapes of the fields."""
        shapes = _fields(shape_of, {name: _unwrapped(hint) for name, hint in self._hints.items()})
        self._encoders = {name: encode for name, (encode, _) in shapes.items()}
        self._decoders = {name: decode for name, (_, decode) in shapes.items()}

    def encode(self, value: Any) -> Json:
        """A dict with the declared keys and no other."""
        if not isinstance(value, dict):
            raise Mismatch(value, self.label)
        _check_required(self.label, self._required, value)
        out: dict[str, Json] = {}
        name: Any = None
        try:
            for name, item in value.items():
                if (encode := self._encoders.get(name)) is None:
                    raise Refused(f"{self.label} has no such key")
                out[name] = encode(item)
        except Refused as refused:
            refused.inside(f".{name}" if name in self._encoders else at_key(name))
            raise
        return out

    def decode(self, value: Json) -> Any:
        """A dict with the keys that the type knows."""
        if type(value) is not dict:
            raise Mismatch(value, self.label)
        _check_required(self.label, self._required, value)
        return _decoded(self._decoders, value)


class Structured:
    """A dataclass, made again by its own `__init__`."""

    emits = accepts = _DICT
    rank = RANK_USUAL

    def __init__(self, tp: Any) -> None:
        self.label = label_of(tp)
        self._cls: Any = get_origin(tp) or tp
        self.value_types = frozenset({self._cls})
        self._fields = fields(self._cls)
        hints = field_types(tp)
        self._hints = {field.name: hints[field.name] for field in self._fields}
        self.keys = frozenset(self._hints)
        self._beyond = Beyond(self._cls, self._hints)
        # Code of its own at its birth may change or refuse what is given back to it.
        self._runs_code = (
            hasattr(self._cls, "__post_init__")
            or not self._cls.__dataclass_params__.init
            or any(type(hint) is InitVar for hint in hints.values())
        )
        # Then its attributes are its fields, and nothing else answers for them.
        self._is_plain = (
            not (self._runs_code or self._beyond.has_slots)
            and has_plain_attributes(self._cls, self.keys)
        )  # fmt: skip
        self._required = tuple(
            field.name
            for field in self._fields
            if field.init and field.default is MISSING and field.default_factory is MISSING
        )

    def link(self, shape_of: ShapeOf) -> None:
        """Find the shapes of the fields."""
        shapes = _fields(shape_of, self._hints)
        self._encoders = tuple((name, encode) for name, (encode, _) in shapes.items())
        self._decoders = {f.name: shapes[f.name][1] for f in self._fields if f.init}
        self._late = {f.name: shapes[f.name][1] for f in self._fields if not f.init}

    def encode(self, value: Any) -> Json:
        """A dict of all the fields."""
        if type(value) is not self._cls:
            raise Mismatch(value, self.label)
        out: dict[str, Json] = {}
        name = ""
        try:
            if self._is_plain and (kept := value.__dict__).keys() == self.keys:
                for name, encode in self._encoders:
                    out[name] = encode(kept[name])
                return out
            for name, encode in self._encoders:
                out[name] = encode(getattr(value, name))
        except Refused as refused:
            refused.inside(f".{name}")
            raise
        except AttributeError:
            raise Refused(f"missing: this {self.label} has lost it").inside(f".{name}") from None
        if not self._runs_code:
            self._beyond.check(value)
        elif (changed := difference(self.decode(out), value)) is not None:
            raise changed
        return out

    def decode(self, value: Json) -> Any:
        """The dataclass; keys that it does not know are ignored."""
        if type(value) is not dict:
            raise Mismatch(value, self.label)
        given = _decoded(self._decoders, value)
        if len(given) != len(self._decoders):
            _check_required(self.label, self._required, value)
        try:
            made = self._cls(**given)
        except WorkflowError:
            raise
        except Exception as error:
            raise Refused(f"{self.label} does not accept it: {words_of_error(error)}") from error
        if self._late:
            for name, item in _decoded(self._late, value).items():
                object.__setattr__(made, name, item)
        return made


def named_shape(cls: Any, tp: Any) -> Places:
    """The shape of a NamedTuple: a list, as of the tuple that it is."""
    hints = field_types(tp)
    return Places(cls, tuple(hints.get(name, Any) for name in cls._fields), label_of(tp))


def field_types(tp: Any) -> dict[str, Any]:
    """The resolved annotations of a class, a generic one's with its parameters put in.

    Raises:
        Refused: a name in an annotation cannot be resolved.
    """
    cls = get_origin(tp) or tp
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise Refused(
            f"the annotations of {label_of(tp)} cannot be resolved ({error}): "
            "its types must be defined or imported at the top of its module"
        ) from error
    given = _parameters(tp)
    everywhere = {param: arg for each in reversed(given.values()) for param, arg in each.items()}
    out = {}
    for name, hint in hints.items():
        owner = next((base for base in cls.__mro__ if name in get_annotations(base)), cls)
        out[name] = _filled(hint, everywhere | given.get(owner, {}))
    return out


def _parameters(tp: Any) -> dict[Any, dict[Any, Any]]:
    """By class among a class and its bases: what its type variables stand for."""
    cls = get_origin(tp) or tp
    given = dict(zip(getattr(cls, "__parameters__", ()), get_args(tp), strict=False))
    found = {cls: given}
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        of = get_origin(base) or base
        if isinstance(of, type) and of not in (Generic, object):  # TypedDict is a function
            found |= _parameters(_filled(base, given))
    return found


def _filled(hint: Any, given: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return given.get(hint, hint)
    if given and (params := getattr(hint, "__parameters__", ())):
        return hint[tuple(given.get(param, param) for param in params)]
    return hint


def _is_required(hint: Any, otherwise: bool) -> bool:
    # `__required_keys__` misses qualifiers in annotations that are strings.
    while (origin := get_origin(hint)) is not None:
        if origin is Required:
            return True
        if origin is NotRequired:
            return False
        hint = get_args(hint)[0] if _is_qualifier(origin) else None
    return otherwise


def _unwrapped(hint: Any) -> Any:
    while _is_qualifier(get_origin(hint)):
        (hint,) = get_args(hint)
    return hint


def _is_qualifier(origin: Any) -> bool:
    return origin in (Required, NotRequired, Final) or getattr(origin, "_name", "") == "ReadOnly"


def _fields(
    shape_of: ShapeOf, hints: Mapping[str, Any]
) -> dict[str, tuple[Callable[[Any], Json], Callable[[Json], Any]]]:
    out = {}
    for name, hint in hints.items():
        try:
            shape = shape_of(hint)
        except Refused as refused:
            refused.inside(f".{name}")
            raise
        out[name] = (shape.encode, shape.decode)
    return out


def _check_required(label: str, names: Iterable[str], value: Mapping[str, Any]) -> None:
    for name in names:
        if name not in value:
            raise Refused(f"missing: {label} requires it").inside(f".{name}")


def _decoded(
    decoders: Mapping[str, Callable[[Json], Any]], value: Mapping[str, Json]
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    name = ""
    try:
        for name, decode in decoders.items():
            if name in value:
                out[name] = decode(value[name])
    except Refused as refused:
        refused.inside(f".{name}")
        raise
    return out
