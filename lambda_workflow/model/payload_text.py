"""JSON values and JSON text: one writer, one reader, one canonical form.

1. A JSON value is None, a bool, an int, a finite float, a str that UTF-8 can write, or a list or
   dict (with str keys) of JSON values; exactly these classes, no subclass.
2. `loads(dumps(value))` is `value` again. NaN and the infinities are no JSON and never written.
3. Two values are the same JSON if their canonical texts are equal: 1, 1.0 and true all differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from math import isfinite
from typing import Any, Final, NoReturn, TypeAlias

from lambda_workflow.model.limits import DEPTH_MAX, INT_DIGITS_MAX
from lambda_workflow.model.payload_refused import Mismatch, Refused
from lambda_workflow.model.payload_shown import at_key

__all__ = [
    "INT_DIGITS_MAX",
    "Json",
    "canonical",
    "dumps",
    "fingerprint",
    "loads",
    "loads_recorded",
    "same_json",
]

# A JSON value. Any, because a recursive alias makes every caller fight dict's invariance.
Json: TypeAlias = Any

_INT_BOUND: Final = 10**INT_DIGITS_MAX

JSON_ALLOWED: Final = "a JSON value (None, bool, int, float, str, list, dict with str keys)"

_FINGERPRINT_BYTES: Final = 8  # tells a changed payload from the recorded one; no adversary here

# Cycles are found when a value is encoded, so the writer need not look for them again.
_write: Final[Callable[[Json], str]] = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode
_write_sorted: Final[Callable[[Json], str]] = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
).encode


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _float(text: str) -> float:
    value = float(text)
    if isfinite(value):
        return value
    raise ValueError("a number is larger than a float can be")


def _int(text: str) -> int:
    if len(text) <= INT_DIGITS_MAX or len(text.lstrip("-")) <= INT_DIGITS_MAX:
        return int(text)
    raise ValueError(f"a whole number has more than {INT_DIGITS_MAX} digits")


_read: Final = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_float, parse_int=_int
).decode
_read_short: Final = json.JSONDecoder(
    parse_constant=_refuse_constant,
    parse_float=_float,  # no int in it can be too long
).decode
_read_recorded: Final = json.JSONDecoder(parse_constant=_refuse_constant).decode


def dumps(value: Json) -> str:
    """The compact JSON text of a JSON value, keys in the order they have.

    U+FFFE and U+FFFF are escaped: SQS refuses or replaces them (`SendMessage`: the characters that
    a message may have).

    Raises:
        ValueError: a float is NaN or infinite.
        TypeError: it is no JSON value; `Codec.encode` makes one of a typed value.
    """
    text = _write(value)
    if "\ufffe" in text or "\uffff" in text:
        text = text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
    return text


def loads(text: str | bytes) -> Json:
    """The JSON value of a JSON text from outside; bytes are UTF-8.

    Raises:
        ValueError: it is not JSON, holds NaN or Infinity, a number that no Python can hold or
            print, a surrogate that is half a character, or nests too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode()
    value = _parsed(text, _read if len(text) > INT_DIGITS_MAX else _read_short)
    levels = DEPTH_MAX + ENVELOPE_LEVELS
    # no text nests deeper than it has brackets
    if (
        len(text) > levels
        and text.count("[") + text.count("{") > levels
        and not is_within_depth(value, levels)
    ):
        raise ValueError(_TOO_DEEP)
    return value


def loads_recorded(text: str) -> Json:
    """The JSON value of a text that this package has written: its limits were kept then.

    Raises:
        ValueError: it is not JSON after all, or holds half a character.
    """
    return _parsed(text, _read_recorded)


def _parsed(text: str, read: Callable[[str], Json]) -> Json:
    try:
        value = read(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if "\\ud" in text or "\\uD" in text:
        _write(value).encode()
    return value


ENVELOPE_LEVELS: Final = 2  # around a payload in a message: the message, and `options` or `error`
_TOO_DEEP: Final = f"the JSON text nests too deeply to be read: {DEPTH_MAX} levels are the limit"


def canonical(value: Json) -> str:
    """The one JSON text that all equal values have: compact, keys sorted."""
    return _write_sorted(value)


def fingerprint(value: Json) -> str:
    """A digest of the canonical text: 16 hexadecimal characters, the same in every process."""
    return blake2b(_write_sorted(value).encode(), digest_size=_FINGERPRINT_BYTES).hexdigest()


def same_json(a: Json, b: Json) -> bool:
    """Whether two JSON values have the same canonical text, without writing it."""
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is dict:
        return len(a) == len(b) and all(key in b and same_json(a[key], b[key]) for key in a)
    if kind is list:
        return len(a) == len(b) and all(map(same_json, a, b))
    if kind is float:
        return bool(a == b) and repr(a) == repr(b)  # 0.0 == -0.0, but their texts differ
    return bool(a == b)


def is_within_depth(value: Json, most: int) -> bool:
    """Whether lists and dicts nest at most so many levels; takes no stack, however deep it is."""
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(most):
        if not level:
            return True
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
    return not level


_CONTAINERS: Final = frozenset({dict, list})


def plain(value: Any) -> Json:
    """A copy of a JSON value that shares no list or dict with it.

    Raises:
        Refused: something in it is no JSON value; has the path.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return plain_text(value)
    if kind is int:
        return plain_int(value)
    if kind is float:
        return plain_float(value)
    if kind is dict:
        return _plain_dict(value)
    if kind is list:
        return _plain_list(value)
    raise Mismatch(value, JSON_ALLOWED)


def _plain_dict(value: dict[Any, Any]) -> dict[str, Json]:
    out: dict[str, Json] = {}
    key = None
    try:
        for key, item in value.items():
            if type(key) is not str:
                raise Mismatch(key, "str as the key of untyped JSON")
            if not key.isascii():
                plain_text(key)
            # The usual leaves are not worth a call.
            kind = type(item)
            if (kind is str and item.isascii()) or item is None or kind is bool:
                out[key] = item
            elif kind is int:
                out[key] = plain_int(item)
            else:
                out[key] = plain(item)
    except Refused as refused:
        refused.inside(at_key(key))
        raise
    return out


def _plain_list(value: list[Any]) -> list[Json]:
    out: list[Json] = []
    try:
        out.extend(map(plain, value))
    except Refused as refused:  # `extend` keeps what came before the item that is refused
        refused.inside(f"[{len(out)}]")
        raise
    return out


def plain_text(value: str) -> str:
    """The str itself, if UTF-8 can write it: half a surrogate pair would break every store."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Mismatch(value, "text without half a surrogate pair") from None
    return value


def plain_int(value: int) -> int:
    """The int itself, if its text is not longer than Python reads back everywhere."""
    if -_INT_BOUND < value < _INT_BOUND:
        return value
    raise Refused(f"found an int too long to print, allowed int of {INT_DIGITS_MAX} digits at most")


def plain_float(value: float) -> float:
    """The float itself, if it is finite: JSON knows no other."""
    if isfinite(value):
        return value
    raise Mismatch(value, "a finite float (JSON has no NaN and no infinity; None may stand for it)")
