"""Whether a value that went through JSON and back is still the value it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cached_property
from types import GetSetDescriptorType
from typing import Any, Final

from lambda_workflow.model.payload_refused import Refused
from lambda_workflow.model.payload_shown import at_key, shown


def exactly(back: Any, given: Any) -> bool:
    """Whether two values are equal and of the same types throughout."""
    return difference(back, given, narrowed=False) is None


def difference(back: Any, given: Any, *, narrowed: bool = True) -> Refused | None:
    """The first place where a value came back as another one, or None.

    With `narrowed`, a subclass of a builtin may have come back as the builtin, and an int as a
    float: that is what the declared type asked for.
    """
    if type(back) is not type(given) and not (narrowed and _narrows(back, given)):
        return _changed(back, given)
    if isinstance(back, dict):
        return _of_mappings(back, given, narrowed)
    if isinstance(back, list | tuple):
        if len(back) != len(given):
            return _changed(back, given)
        steps = ((f"[{at}]", *pair) for at, pair in enumerate(zip(back, given, strict=True)))
        return _first(steps, narrowed)
    if isinstance(back, set | frozenset):
        return _of_sets(back, given, narrowed)
    if (record := _parts(back)) is not None:
        return _of_mappings(record, _parts(given) or {}, narrowed, record=True)
    return None if _equal(back, given) else _changed(back, given)


def _narrows(back: Any, given: Any) -> bool:
    kind = type(back)
    if hasattr(kind, "__pydantic_generic_metadata__"):
        return kind.__pydantic_generic_metadata__["origin"] is type(given)
    return kind.__module__ == "builtins" and (
        isinstance(given, kind) or (kind is float and type(given) is int and back == given)
    )


def _equal(back: Any, given: Any) -> bool:
    if back == given:
        return True
    # In the hour that a zone repeats, aware datetimes of two zones never compare equal.
    return (
        isinstance(back, datetime)
        and back.tzinfo is not None
        and given.tzinfo is not None
        and back.astimezone(UTC) == given.astimezone(UTC)
    )


def _parts(value: Any) -> dict[str, Any] | None:
    """The fields of a record, and what it has beside them; without its caches."""
    cls = type(value)
    if names := getattr(cls, "__pydantic_fields__", None):
        state = {name: getattr(value, name, _ABSENT) for name in names}
        state |= getattr(value, "__pydantic_extra__", None) or {}
        if is_dataclass(value):
            return state | Beyond(cls, names).of(value)
        return state | (getattr(value, "__pydantic_private__", None) or {})
    if is_dataclass(value):
        own = {field.name: getattr(value, field.name, _ABSENT) for field in fields(value)}
        return own | Beyond(cls, own).of(value)
    return None


class Beyond:
    """The attributes of a dataclass that are no fields: the JSON does not have them.

    A `cached_property` is computed again. What the class's own code sets at its birth comes back;
    anything else would be lost.
    """

    def __init__(self, cls: type, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        slots = {slot for base in cls.__mro__ for slot in _slots(base)}
        self._slots = tuple(sorted(slots - self._names - {"__dict__", "__weakref__"}))
        self.has_slots = bool(self._slots)
        self._label = cls.__qualname__

    def of(self, value: Any) -> dict[str, Any]:
        """These attributes of a value."""
        cls, kept = type(value), getattr(value, "__dict__", {})
        found = {
            name: item
            for name, item in kept.items()
            if name not in self._names
            and not name.startswith("__pydantic")
            and not isinstance(getattr(cls, name, None), cached_property)
        }
        return found | {slot: getattr(value, slot) for slot in self._slots if hasattr(value, slot)}

    def check(self, value: Any) -> None:
        """Refuse a value that has any; raises Refused."""
        kept = getattr(value, "__dict__", _NONE)
        if (self._slots or not kept.keys() <= self._names) and (found := self.of(value)):
            raise Refused(
                f"no field of {self._label}, and would be lost: declare it as one"
            ).inside(f".{min(found)}")


def has_plain_attributes(cls: type, names: Iterable[str]) -> bool:
    """Whether these attributes of a value are what its `__dict__` has, and always have one."""
    reading: Any = cls.__getattribute__
    if not cls.__dictoffset__ or reading is not object.__getattribute__:
        return False
    spaces = [vars(base) for base in cls.__mro__]
    found = [space[name] for name in (*names, "__dict__") for space in spaces if name in space]
    return not any(_is_owner(one) for one in found if type(one) is not GetSetDescriptorType)


def _is_owner(attribute: object) -> bool:
    """Whether it answers for an attribute before the value's own `__dict__` does."""
    return hasattr(type(attribute), "__set__") or hasattr(type(attribute), "__delete__")


def _slots(cls: type) -> Iterable[str]:
    slots = vars(cls).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


_ABSENT = object()
_NONE: Final[dict[str, Any]] = {}


def _of_mappings(
    back: Mapping[Any, Any], given: Mapping[Any, Any], narrowed: bool, record: bool = False
) -> Refused | None:
    if record and (lost := given.keys() ^ back.keys()):
        return Refused("no field, and would be lost: declare it as one").inside(f".{min(lost)}")
    if len(back) != len(given):
        return _changed(back, given)
    own = {key: key for key in given}
    for key, value in back.items():
        if key not in own or (type(key) is not type(own[key]) and not narrowed):
            return _changed(back, given)
        if (found := difference(value, given[key], narrowed=narrowed)) is not None:
            return found.inside(f".{key}" if record else at_key(key))
    return None


def _of_sets(back: Any, given: Any, narrowed: bool) -> Refused | None:
    if len(back) != len(given):
        return _changed(back, given)
    own = {item: item for item in given}
    if any(item not in own for item in back):
        return _changed(back, given)
    return _first(((f"{{{shown(item)}}}", item, own[item]) for item in back), narrowed)


def _first(steps: Iterable[tuple[str, Any, Any]], narrowed: bool) -> Refused | None:
    for step, back, given in steps:
        if (found := difference(back, given, narrowed=narrowed)) is not None:
            return found.inside(step)
    return None


def _changed(back: Any, given: Any) -> Refused:
    if hasattr(given, "get_secret_value"):
        name = type(given).__name__
        return Refused(
            f"found {name}, which is written as asterisks: declare str, or a {name} with a "
            "serializer of its own that writes the secret"
        )
    return Refused(
        f"found {shown(given)}, which comes back from JSON as {_other(back, given)}; "
        "allowed is what comes back as it was"
    )


def _other(back: Any, given: Any) -> str:
    told = shown(back)
    return told if told != shown(given) else f"another {type(back).__name__}"
