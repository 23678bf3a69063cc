"""Sections of a TOML file → frozen dataclasses; what means nothing is refused, and named.

A field's default says what it takes. Where that is not enough, its metadata has a reader:
`field(…, metadata=read_by(reader))`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from lambda_workflow.errors import ConfigurationError

T = TypeVar("T")
# What stands there already, what is given, and where: the value.
Reader = Callable[[Any, Any, str], Any]

READER: Final = "reader"
HIDDEN: Final = {"hidden": True}  # the metadata of a field that no file sets
KINDS: Final = {str: "a text", int: "a whole number", bool: "true or false",
                tuple: "a list of texts"}  # fmt: skip


def read_by(reader: Reader) -> Mapping[str, Reader]:
    """The metadata of a field that is read by a reader of its own."""
    return {READER: reader}


def section(defaults: T, given: Any, where: str) -> T:
    """`defaults` with what is given in their place.

    Raises:
        ConfigurationError: a name is unknown, or a value of another kind.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{where} is {given!r}: make it a section")
    fields = {f.name: f for f in dataclasses.fields(defaults) if f.metadata != HIDDEN}  # type: ignore[arg-type]  # a dataclass
    chosen: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            raise ConfigurationError(
                f"{where}: {name} is no option; those there are: {', '.join(fields)}"
            )
        known = getattr(defaults, name)
        if reader := fields[name].metadata.get(READER):
            chosen[name] = reader(known, value, f"{where}: {name}")
        else:
            chosen[name] = _plain(known, value, f"{where}: {name}")
    return dataclasses.replace(defaults, **chosen)  # type: ignore[type-var]  # a dataclass


def _plain(known: Any, value: Any, where: str) -> Any:
    if isinstance(known, tuple) and isinstance(value, list):
        value = tuple(value)
    if type(value) is not type(known) or (
        isinstance(value, tuple) and not all(isinstance(item, str) for item in value)
    ):
        raise ConfigurationError(f"{where} is {value!r}: it must be {KINDS[type(known)]}")
    return value


def text(known: Any, value: Any, where: str) -> str:
    """A text where none may stand."""
    return str(_plain("", value, where))


def whole(known: Any, value: Any, where: str) -> int:
    """A whole number."""
    return int(_plain(0, value, where))


def one(kind: Callable[[], Any]) -> Reader:
    """A section within; what stands there already is overridden name by name."""
    return lambda known, value, where: section(known or kind(), value, where)


def many(kind: Callable[[], Any]) -> Reader:
    """Sections `[[…]]`, which are added to those that stand there."""

    def read(known: Any, value: Any, where: str) -> Any:
        if not isinstance(value, list):
            raise ConfigurationError(f"{where} is {value!r}: write it as [[…]], as often as needed")
        made = tuple(section(kind(), item, where) for item in value)
        return known + tuple(item for item in made if item not in known)

    return read


def named(known: Any, value: Any, where: str) -> Mapping[str, Any]:
    """Sections with a name each, as given; what is in them is read later."""
    word = where.rpartition(" ")[2]
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        raise ConfigurationError(f"{where}: write [{word}.NAME] above what belongs to it")
    return value
