"""Shapes of single values: numbers, text, bytes, times, ids, enums, literals.

Dates and times are ISO 8601 in the extended form (`2026-01-31T12:00:00Z`, `P1DT2H`), Decimal and
UUID are text, bytes are base64: as pydantic writes them, so that both read each other's JSON.
The patterns are our own, because what `fromisoformat` takes grows with Python's versions.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from types import NoneType
from typing import Any, Final
from uuid import UUID

from lambda_workflow.model.payload_refused import Mismatch, Refused
from lambda_workflow.model.payload_shape import (
    ANY_JSON,
    RANK_BYTES,
    RANK_FORMAT,
    RANK_NAMED,
    RANK_USUAL,
    ShapeOf,
)
from lambda_workflow.model.payload_text import (
    Json,
    plain,
    plain_float,
    plain_int,
    plain_text,
)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A shape without parts."""

    label: str
    encode: Callable[[Any], Json]
    decode: Callable[[Json], Any]
    value_types: frozenset[type] | None
    emits: frozenset[type]
    accepts: frozenset[type]
    rank: int = RANK_USUAL
    keys: None = None

    def link(self, shape_of: ShapeOf) -> None:
        """No parts."""


def _encode_none(value: Any) -> Json:
    if value is not None:
        raise Mismatch(value, "None")
    return None


def _encode_bool(value: Any) -> Json:
    if value is True or value is False:
        return value
    raise Mismatch(value, "bool")


def _encode_int(value: Any) -> Json:
    if type(value) is not int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Mismatch(value, "int")
        value = int.__int__(value)
    return plain_int(value)


def _decode_int(value: Json) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)  # writers without an integer type send 3.0
    raise Mismatch(value, "int")


def _encode_float(value: Any) -> Json:
    if type(value) is float:
        return plain_float(value)
    if isinstance(value, float):
        return plain_float(float.__float__(value))
    return _float_of_int(value)


def _decode_float(value: Json) -> float:
    return plain_float(value) if type(value) is float else _float_of_int(value)


def _float_of_int(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Mismatch(value, "float")
    try:
        if (number := float(value)) == value:
            return number
    except OverflowError:
        pass
    raise Mismatch(value, "float (this int has more digits than a float keeps)")


def _encode_str(value: Any) -> Json:
    if type(value) is not str:
        if not isinstance(value, str):
            raise Mismatch(value, "str")
        value = str.__str__(value)
    return value if value.isascii() else plain_text(value)


def _decode_str(value: Json) -> str:
    if type(value) is str:
        return value
    raise Mismatch(value, "str")


def _encode_bytes(value: Any) -> Json:
    if not isinstance(value, bytes):
        raise Mismatch(value, "bytes")
    return b2a_base64(value, newline=False).decode("ascii")


def _read_bytes(text: str) -> bytes:
    return a2b_base64(text, strict_mode=True)


_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"(?:[01]\d|2[0-3]):\d\d(?::\d\d(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?"
_is_date: Final = re.compile(_DATE, re.ASCII).fullmatch
_is_time: Final = re.compile(_TIME, re.ASCII).fullmatch
_is_datetime: Final = re.compile(f"{_DATE}[Tt ]{_TIME}", re.ASCII).fullmatch
_is_decimal: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII).fullmatch
_as_duration: Final = re.compile(
    r"([+-]?)P(?:(\d+)Y)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,6})\d*)?S)?)?",
    re.ASCII,
).fullmatch


def _zulu(text: str) -> str:
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _write_datetime(value: datetime) -> str:
    text = datetime.isoformat(value)
    if value.tzinfo is not None and text[-6] not in "+-" and value.utcoffset() is not None:
        text = datetime.isoformat(value.astimezone(UTC))  # ISO 8601 has no seconds in an offset
    return _zulu(text)


def _read_datetime(text: str) -> datetime:
    if not _is_datetime(text):
        raise ValueError
    return datetime.fromisoformat(text.upper())


def _write_time(value: time) -> str:
    text = time.isoformat(value)
    if text[-6:-5] not in {"+", "-"} and value.utcoffset() is not None:
        raise Mismatch(value, "time with an offset of whole minutes")
    return _zulu(text)


def _read_time(text: str) -> time:
    if not _is_time(text):
        raise ValueError
    return time.fromisoformat(text.upper())


def _encode_date(value: Any) -> Json:
    # A datetime is a date by inheritance; its time would be lost.
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Mismatch(value, "date")
    return date.isoformat(value)


def _read_date(text: str) -> date:
    if not _is_date(text):
        raise ValueError
    return date.fromisoformat(text)


def _write_timedelta(value: timedelta) -> str:
    sign, value = ("-", -value) if value.days < 0 else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06d}".rstrip("0") if value.microseconds else ""
    days = f"{value.days}D" if value.days else ""
    clock = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    if seconds or fraction or not (days or clock):
        clock += f"{seconds}{fraction}S"
    return f"{sign}P{days}{clock and 'T'}{clock}"


def _read_timedelta(text: str) -> timedelta:
    found = _as_duration(text)
    if found is None or text[-1] in "PT":
        raise ValueError
    sign, *texts, fraction = found.groups()
    years, weeks, days, hours, minutes, seconds = (int(part or 0) for part in texts)
    sign = -1 if sign == "-" else 1
    # pydantic writes 365 days as a year
    return timedelta(
        days=sign * (365 * years + 7 * weeks + days),
        seconds=sign * (3600 * hours + 60 * minutes + seconds),
        microseconds=sign * int((fraction or "").ljust(6, "0")),
    )


def _encode_decimal(value: Any) -> Json:
    if not isinstance(value, Decimal):
        raise Mismatch(value, "Decimal")
    if not value.is_finite():
        raise Mismatch(value, "a finite Decimal")
    return Decimal.__str__(value)


def _decode_decimal(value: Json) -> Decimal:
    if type(value) is str and _is_decimal(value):
        return Decimal(value)
    if type(value) is int:
        return Decimal(value)
    if type(value) is float:
        return Decimal(repr(plain_float(value)))
    raise Mismatch(value, "Decimal")


def _writer(cls: type, write: Callable[[Any], str]) -> Callable[[Any], Json]:
    def encode(value: Any) -> Json:
        if isinstance(value, cls):
            return write(value)
        raise Mismatch(value, cls.__name__)

    return encode


def _reader(read: Callable[[str], Any], allowed: str) -> Callable[[Json], Any]:
    def decode(value: Json) -> Any:
        if type(value) is str:
            try:
                return read(value)
            except (ValueError, OverflowError):
                pass
        raise Mismatch(value, allowed)

    return decode


_NUMBERS: Final = frozenset({int, float})
_TEXT: Final = frozenset({str})


def _one(
    cls: type, encode: Callable[[Any], Json], decode: Callable[[Json], Any], accepts: Any = None
) -> Scalar:
    """A type that JSON has."""
    of = frozenset({cls})
    label = "None" if cls is NoneType else cls.__name__
    return Scalar(label, encode, decode, of, of, accepts or of)


def _text(
    cls: type,
    encode: Callable[[Any], Json],
    decode: Callable[[Json], Any],
    *,
    accepts: frozenset[type] = _TEXT,
    rank: int = RANK_FORMAT,
) -> Scalar:
    """A type that JSON carries as text."""
    return Scalar(cls.__name__, encode, decode, frozenset({cls}), _TEXT, accepts, rank)


_read_iso_datetime: Final = _reader(_read_datetime, "datetime as ISO 8601 text")
_read_iso_date: Final = _reader(_read_date, "date as ISO 8601 text")
_read_iso_time: Final = _reader(_read_time, "time as ISO 8601 text")
_read_iso_timedelta: Final = _reader(_read_timedelta, "timedelta as ISO 8601 text")
_read_base64: Final = _reader(_read_bytes, "bytes as base64 text")
_UNTYPED: Final = Scalar("JSON", plain, plain, None, ANY_JSON, ANY_JSON)

SCALARS: Final[dict[Any, Scalar]] = {
    NoneType: _one(NoneType, _encode_none, _encode_none),
    bool: _one(bool, _encode_bool, _encode_bool),
    int: _one(int, _encode_int, _decode_int, _NUMBERS),
    float: _one(float, _encode_float, _decode_float, _NUMBERS),
    str: _one(str, _encode_str, _decode_str),
    bytes: _text(bytes, _encode_bytes, _read_base64, rank=RANK_BYTES),
    datetime: _text(datetime, _writer(datetime, _write_datetime), _read_iso_datetime),
    date: _text(date, _encode_date, _read_iso_date),
    time: _text(time, _writer(time, _write_time), _read_iso_time),
    timedelta: _text(timedelta, _writer(timedelta, _write_timedelta), _read_iso_timedelta),
    UUID: _text(UUID, _writer(UUID, str), _reader(UUID, "UUID as text")),
    Decimal: _text(Decimal, _encode_decimal, _decode_decimal, accepts=_TEXT | _NUMBERS),
    Any: _UNTYPED,
    object: _UNTYPED,
}

# What may stand for a member of an enum.
_NAMING: Final[frozenset[type]] = frozenset({str, int, bool, float, NoneType})


def enum_shape(cls: type[Enum]) -> Scalar:
    """An enum by its members' values, or by their names where a value is no single JSON value."""
    if issubclass(cls, Flag):
        return _flag_shape(cls)
    by_value = all(type(member.value) in _NAMING for member in cls)
    write = {member: plain(member.value) if by_value else member.name for member in cls}
    read = {(type(text), text): member for member, text in write.items()}
    emits = frozenset({kind for kind, _ in read})
    guesses = getattr(cls._missing_, "__func__", None) is not getattr(Enum._missing_, "__func__", 0)
    accepts = _NAMING if guesses else emits
    allowed = f"{cls.__name__} ({', '.join(repr(text) for text in write.values())})"

    def encode(value: Any) -> Json:
        if type(value) is cls:
            return write[value]
        raise Mismatch(value, cls.__name__)

    def decode(value: Json) -> Any:
        kind = type(value)
        if kind in accepts:
            if (member := read.get((kind, value))) is not None:
                return member
            if guesses:
                try:
                    return cls(value)
                except (ValueError, TypeError):
                    pass
        raise Mismatch(value, allowed)

    return Scalar(cls.__name__, encode, decode, frozenset({cls}), emits, accepts, RANK_NAMED)


def _flag_shape(cls: type[Flag]) -> Scalar:
    def encode(value: Any) -> Json:
        if type(value) is cls:
            return plain_int(value.value)
        raise Mismatch(value, cls.__name__)

    def decode(value: Json) -> Any:
        if type(value) is int:
            try:
                return cls(value)
            except ValueError:
                pass
        raise Mismatch(value, f"{cls.__name__} (an int of its flags)")

    whole = frozenset({int})
    return Scalar(cls.__name__, encode, decode, frozenset({cls}), whole, whole, RANK_NAMED)


def literal_shape(values: tuple[Any, ...], label: str, shape_of: ShapeOf) -> Scalar:
    """A Literal: each value as its own type writes it."""
    write = {(type(value), value): shape_of(type(value)).encode(value) for value in values}
    read = {(type(text), text): value for (_, value), text in write.items()}
    if len(read) != len(write):
        raise Refused(f"two values of {label} have the same JSON: nothing can tell them apart")

    def encode(value: Any) -> Json:
        try:
            return write[type(value), value]
        except (KeyError, TypeError):
            raise Mismatch(value, label) from None

    def decode(value: Json) -> Any:
        try:
            return read[type(value), value]
        except (KeyError, TypeError):
            raise Mismatch(value, label) from None

    emits = frozenset({kind for kind, _ in read})
    types = frozenset(kind for kind, _ in write)
    return Scalar(label, encode, decode, types, emits, emits, RANK_NAMED)
