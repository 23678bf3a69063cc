"""What an event's detail must be like: a part of EventBridge's own pattern language.

A path is the names from the detail inwards, with dots between: "order.id"; a dot in a name is
written `\\.`. Lists on the way, and at its end, stand for each of their elements, as in
EventBridge: it is enough if one fits. A condition is a value, or a list of values and operators of
which one must hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

OPERATORS: Final = ("prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists")
PATHS_MAX: Final = 50  # a wait of more is looked through for each event of its type

_DOT: Final = re.compile(r"(?<!\\)\.")
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def check_match(match: Mapping[str, Any]) -> None:
    """See that a match is one.

    Raises:
        ValueError: names the path and what is wrong there.
    """
    if len(match) > PATHS_MAX:
        raise ValueError(f"{len(match)} paths: at most {PATHS_MAX}")
    for path, condition in match.items():
        if not all(_DOT.split(path)):
            raise ValueError(f"path {path!r}: names with dots between, such as 'order.id'")
        if condition == [] or condition == {}:
            raise ValueError(f"{path}: nothing can match {condition!r}")
        for item in condition if isinstance(condition, list) else [condition]:
            if why := _wrong(item):
                raise ValueError(f"{path}: {why}")


def fits(match: Mapping[str, Any], detail: object) -> bool:
    """Whether all conditions of a match hold for a detail."""
    return all(_holds(condition, list(_found(path, detail))) for path, condition in match.items())


def _wrong(item: object) -> str:
    if isinstance(item, list):
        return "a list within a list"
    if not isinstance(item, dict):
        return ""
    if len(item) != 1 or not set(item) <= set(OPERATORS):
        names = ", ".join(map(repr, item))
        return f"{names} is not supported: use one of {', '.join(OPERATORS)}"
    ((name, wanted),) = item.items()
    if name == "exists":
        return "" if isinstance(wanted, bool) else "'exists' takes true or false"
    if name == "numeric":
        return _wrong_numbers(wanted)
    if name == "anything-but":
        values = wanted if isinstance(wanted, list) else [wanted]
        plain = all(not isinstance(value, dict | list) for value in values)
        return "" if values and plain else "'anything-but' takes a value or a list of values"
    return "" if isinstance(wanted, str) else f"'{name}' takes a text"


def _wrong_numbers(wanted: object) -> str:
    form = "'numeric' takes one or two comparisons, such as ['>', 0, '<=', 5]"
    if not isinstance(wanted, list) or len(wanted) not in (2, 4):
        return form
    signs, numbers = wanted[::2], wanted[1::2]
    fine = all(sign in _COMPARE for sign in signs) and all(map(_is_number, numbers))
    return "" if fine else form


def _found(path: str, detail: object) -> Iterator[object]:
    places: list[object] = [detail]
    for name in _DOT.split(path):
        key = name.replace("\\.", ".")
        within = [place for place in _flat(places) if isinstance(place, dict)]
        places = [place[key] for place in within if key in place]
    return (value for value in _flat(places) if not isinstance(value, dict))


def _flat(values: list[object]) -> Iterator[object]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _holds(condition: Any, values: list[object]) -> bool:
    items = condition if isinstance(condition, list) else [condition]
    return any(_item_holds(item, values) for item in items)


def _item_holds(item: Any, values: list[object]) -> bool:
    if not isinstance(item, dict):
        return any(_same(item, value) for value in values)
    ((name, wanted),) = item.items()
    if name == "exists":
        return bool(values) is wanted
    return any(_operator(name, wanted, value) for value in values)


def _operator(name: str, wanted: Any, value: object) -> bool:
    if name == "anything-but":
        unwanted = wanted if isinstance(wanted, list) else [wanted]
        return not any(_same(one, value) for one in unwanted)
    if name == "numeric":
        pairs = zip(wanted[::2], wanted[1::2], strict=True)
        return isinstance(value, int | float) and _is_number(value) and all(
            _COMPARE[sign](value, number) for sign, number in pairs
        )  # fmt: skip
    if not isinstance(value, str):
        return False
    if name == "equals-ignore-case":
        return value.casefold() == str(wanted).casefold()
    text = str(wanted)
    return value.startswith(text) if name == "prefix" else value.endswith(text)


def _same(one: object, other: object) -> bool:
    """JSON's equality: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
