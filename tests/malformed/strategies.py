"""Texts made by Hypothesis: valid JSON documents with parts deleted, replaced or exchanged.

A part may become what `json.dumps` never writes: NaN, 1e400, half a character, a nest of thousands.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_SETTINGS: Final = settings(
    database=None,
    deadline=None,
    derandomize=True,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


def quick(examples: int) -> settings:
    """A property tried on the same examples in each run, few enough for `make test`."""
    return settings(_SETTINGS, max_examples=examples)


def thorough(examples: int) -> settings:
    """A property tried on many examples, other ones in each run."""
    return settings(_SETTINGS, max_examples=examples, derandomize=False)


class Raw(str):
    """JSON, or nearly JSON, that is written as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Raw({self[:12]!r}… of {len(self)})"


RAWS: Final = [
    *map(
        Raw,
        (
            "NaN", "-Infinity", "1e400", "-1e400", "1e308", "1e-400", "-0", "-0.0", "1E5", "1.0",
            "9" * 20, "9" * 400, "9" * 641, "-" + "9" * 700, "9" * 5_000,
            r'"\ud800"', r'"a\udcffb"', r'"\uffff"', r'"\u0000"', r'{"\udfff":1}', '"\U0010ffff"',
            "[" * 150 + "]" * 150, "[" * 201 + "]" * 201, "[" * 974 + "]" * 974,
            "[" * 20_000 + "]" * 20_000, '{"a":' * 201 + "1" + "}" * 201, '{"a":1,"a":2}',
            json.dumps("x" * 1_100), json.dumps("y" * 40_000), json.dumps(["z" * 300] * 200),
            "tru", "", "{", '"',
        ),
    ),
]  # fmt: skip
PLAIN: Final[list[Any]] = [
    None, True, False, 0, 1, -1, 2, 3, 1.5, 2**31, 2**53, 2**63, 2**64, 10**18, "", "a", "1", "e",
    "x y", "é", "\x1f", "e/1", "/", "2~1", "~timeout", "1:timeout", "1:attempt1", "$blob", [], {},
    [[]], [1], [None], ["1"], {"": 0}, {"a": None}, {"$blob": ["k", "d", 1]}, {"$blob": 1},
    {"$plain": 1}, {"type": "Error", "message": "m"},
    {"key": "workflow/0/1", "digest": "d", "bytes": 3},
]  # fmt: skip

values: Final = st.one_of(
    st.sampled_from(PLAIN),
    st.sampled_from(RAWS),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=5,
    ),
)
"""Any JSON value, and what looks like one."""


CHANGES: Final = ("replace", "replace", "replace", "delete", "copy", "wrap", "more")


def write(value: Any) -> str:
    """The JSON text of a value with Raw parts in it."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


Place = tuple[Any, Any]  # a container, and the key or index in it


def places(value: Any) -> list[Place]:
    """Where a value has parts, at any depth."""
    keys = value if isinstance(value, dict) else range(len(value))
    found: list[Place] = []
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


@st.composite
def damaged(draw: st.DrawFn, documents: Sequence[Any], fields: Sequence[str] = ()) -> str:
    """A document with one to three of its parts damaged; now and then its text, too.

    Args:
        fields: names of parts that a document of another kind has.
    """
    document = deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        _damage(draw, document, fields)
    text = write(document)
    if draw(st.integers(0, 15)) == 0:
        text = _torn(draw, text)
    return text


def _damage(draw: st.DrawFn, document: Any, fields: Sequence[str]) -> None:
    found = places(document)
    if fields and (not found or draw(st.integers(0, 4)) == 0):
        document[draw(st.sampled_from(fields))] = deepcopy(draw(values))
        return
    if not found:
        return
    holder, key = draw(st.sampled_from(found))
    match draw(st.sampled_from(CHANGES)):
        case "replace":
            holder[key] = deepcopy(draw(values))
        case "delete":
            del holder[key]
        case "copy":
            other, of = draw(st.sampled_from(found))
            holder[key] = deepcopy(other[of])
        case "wrap":
            holder[key] = [holder[key]]
        case _ if isinstance(holder, list):
            holder.append(deepcopy(draw(values)))
        case _:
            holder[draw(st.text(max_size=3))] = deepcopy(draw(values))


def _torn(draw: st.DrawFn, text: str) -> str:
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 20)))
    return text[:start] + draw(st.text(st.characters(), max_size=3)) + text[end:]


nonsense: Final = st.one_of(
    st.text(st.characters(), max_size=30),
    st.binary(max_size=30).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.binary(max_size=30).map(lambda raw: raw.decode("latin-1")),
    values.map(write),
)
"""A text that is no message of any kind."""
