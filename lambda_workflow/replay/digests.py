"""A digest of values, as far as they have a JSON form; see `identity`.

Equal values have equal digests in every process. What has no JSON form counts as nothing, and so
does a mutable object that a global variable holds: a module's state, not the workflow's.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, NamedTuple
from uuid import UUID

DIGEST_BYTES: Final = 6
NODES_MAX: Final = 4_000  # values within values: a millisecond or two
ITEMS_MAX: Final = 1_000  # of one container
CHARACTERS_MAX: Final = 64 * 1024  # of one text
DEPTH_MAX: Final = 40

_blake2b: Final = hashlib.blake2b
_WORD: Final = 1 << 63
_PLAIN: Final = frozenset((int, float, bool, type(None)))
_TEXTUAL: Final = (datetime, date, time, timedelta, Decimal, UUID, PurePath)
_FACTORIES: Final[tuple[Any, ...]] = (list, dict, set, tuple, frozenset, str, int)


class Left:
    """Stands for what counts as nothing."""


class Bound(NamedTuple):
    """What a method is bound to."""

    value: Any


def digest_of(values: Iterable[Any], known: Mapping[str, Any], *, but: object = None) -> str:
    """The digest.

    Args:
        known: global variables of the code that gives the values.
        but: a duration in milliseconds, which is left out in whatever unit it is given.
    """
    out: list[str] = []
    writer: _Writer | None = None
    for value in values:
        kind = type(value)
        if kind is str and len(value) <= CHARACTERS_MAX:
            out.append(f'"{value}')
        elif kind is int and but is None and -_WORD < value < _WORD:
            out.append(repr(value))
        else:
            writer = writer or _Writer(out.append, known, but)
            writer.write(value, 0)
    text = "\x1f".join(out).encode(errors="surrogatepass")
    return _blake2b(text, digest_size=DIGEST_BYTES).hexdigest()


class _Writer:
    def __init__(self, put: Callable[[str], object], known: Mapping[str, Any], but: object) -> None:
        self._put = put
        self._known = known
        self._but = but
        self._left = NODES_MAX

    def text(self, value: str) -> None:
        if len(value) > CHARACTERS_MAX:
            half = CHARACTERS_MAX // 2
            value = f"{value[:half]}\x1d{value[-half:]}\x1d{len(value)}"
        self._put(f'"{value}')

    def write(self, value: Any, depth: int) -> None:
        self._left -= 1
        if self._left < 0 or depth > DEPTH_MAX:
            self._put("…")
            return
        kind = type(value)
        if kind is str:
            self.text(value)
        elif kind in _PLAIN:
            self._plain(value)
        elif isinstance(value, Enum):
            self.write(value.value, depth + 1)
        elif isinstance(value, str | int | float):
            self.write((str if isinstance(value, str) else float)(value), depth + 1)
        elif isinstance(value, bytes | bytearray):
            half = CHARACTERS_MAX // 2
            kept = bytes(value) if len(value) <= CHARACTERS_MAX else value[:half] + value[-half:]
            self._put(f"b{len(value)}:{hashlib.blake2b(kept, digest_size=8).hexdigest()}")
        elif isinstance(value, _TEXTUAL):
            is_duration = self._but is not None and isinstance(value, timedelta)
            self._put("-" if is_duration else str(value))
        else:
            self._composed(value, depth)

    def _plain(self, value: Any) -> None:
        if self._but is not None and _is_duration(value, self._but):
            self._put("-")
        elif type(value) is int and not -_WORD < value < _WORD:
            self._put(hex(value)[:CHARACTERS_MAX])
        else:
            self._put(repr(value))

    def _composed(self, value: Any, depth: int) -> None:
        if type(value) is Bound:
            if _is_value(value.value):
                self.write(value.value, depth)
            else:
                self._put("-")
        elif isinstance(value, tuple):
            self._items(value, depth)
        elif isinstance(value, frozenset):
            self._unordered(value, depth)
        elif depth < 2 and any(held is value for held in self._known.values()):
            self._put("-")
        elif isinstance(value, list):
            self._items(value, depth)
        elif isinstance(value, set):
            self._unordered(value, depth)
        elif isinstance(value, Mapping):
            self._mapping(value, depth)
        elif (fields := _fields(value)) is not None:
            self._mapping(fields, depth)
        else:
            name = getattr(value, "__qualname__", None)
            self._put("-" if name is None or "<" in str(name) else f"@{name}")

    def _items(self, value: Any, depth: int) -> None:
        self._put(f"[{len(value)}")
        if len(value) > ITEMS_MAX:
            half = ITEMS_MAX // 2
            value = [*value[:half], *value[-half:]]
        for item in value:
            self.write(item, depth + 1)

    def _unordered(self, value: Any, depth: int) -> None:
        self._put(f"<{len(value)}")
        if len(value) <= ITEMS_MAX:
            self._put(",".join(sorted(self._apart(item, depth) for item in value)))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> None:
        self._put(f"{{{len(value)}")
        if len(value) > ITEMS_MAX:
            return
        for key in sorted(value, key=str):
            self._put(str(key))
            self.write(value[key], depth + 1)

    def _apart(self, value: Any, depth: int) -> str:
        out: list[str] = []
        self._put, put = out.append, self._put
        try:
            self.write(value, depth + 1)
        finally:
            self._put = put
        return "\x1e".join(out)


def _is_value(value: Any) -> bool:
    """Whether what a method is bound to is a value, and not a thing that does something."""
    if isinstance(value, (str, int, float, bytes, tuple, frozenset, Enum, *_TEXTUAL)):
        return True
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return bool(type(value).__dataclass_params__.frozen)  # type: ignore[attr-defined]
    return isinstance(getattr(type(value), "__pydantic_fields__", None), dict)


def _is_duration(value: Any, milliseconds: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    return any(value * unit == milliseconds for unit in (1, 1000, 60_000, 3_600_000, 86_400_000))


def _fields(value: Any) -> dict[str, Any] | None:
    """The fields of a dataclass or model that have another value than their default."""
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return {
            one.name: found
            for one in dataclasses.fields(kind)
            if (found := getattr(value, one.name, Left)) is not Left
            and not _is_default(found, one.default, one.default_factory)
        }
    fields = getattr(kind, "__pydantic_fields__", None)
    if not isinstance(fields, dict):
        return None
    return {
        name: found
        for name, found in vars(value).items()
        if (one := fields.get(name)) is None
        or not _is_default(found, one.default, one.default_factory)
    }


def _is_default(value: Any, default: Any, factory: Any) -> bool:
    if factory in _FACTORIES:
        return type(value) is factory and not value
    try:
        return type(value) is type(default) and bool(value == default)
    except Exception:  # noqa: BLE001  # an equality of its own
        return False
