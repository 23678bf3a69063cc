"""Values of a stack that are known only once it is deployed, and the reasons of those that are not.

A template language renders them; nothing here knows which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Attribute = Literal["arn", "name", "streams", "url"]
BuiltinName = Literal["account", "partition", "region", "suffix"]


@dataclass(frozen=True, slots=True)
class Ref:
    """What a resource of the stack is called: by its ARN, its name or its URL."""

    id: str
    attribute: Attribute


@dataclass(frozen=True, slots=True)
class Parameter:
    """What whoever deploys the stack says; `default` None: it must be said."""

    id: str
    about: str
    default: str | None = None
    pattern: str = ""
    length_max: int = 0


@dataclass(frozen=True, slots=True)
class Param:
    """The value of a parameter."""

    id: str


@dataclass(frozen=True, slots=True)
class Builtin:
    """What the place is called that the stack is deployed to."""

    name: BuiltinName


@dataclass(frozen=True, slots=True)
class UrlOfArn:
    """The URL of a queue of another stack, whose ARN a parameter has."""

    arn: Param


@dataclass(frozen=True, slots=True)
class ListOf:
    """One parameter's value as a list; empty where the parameter is."""

    param: Param


@dataclass(frozen=True, slots=True)
class Split:
    """A parameter with commas in it, as the list that it stands for."""

    param: Param


@dataclass(frozen=True, slots=True)
class When:
    """A value that is there only where these parameters are not empty."""

    params: tuple[Param, ...]
    value: Any


@dataclass(frozen=True, slots=True)
class Text:
    """Parts that make one string."""

    parts: tuple[str | Ref | Param | Builtin, ...]


@dataclass(frozen=True, slots=True)
class Because:
    """A value, and why it is this one: a comment of the template."""

    value: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Json:
    """A tree with references in it, as JSON text."""

    tree: Any


Value = str | int | Ref | Param | Builtin | UrlOfArn | Text | Because

NAME: Parameter = Parameter("name", "What the names of all resources begin with.")


def named(suffix: str) -> Text:
    """A physical name: the stack's prefix and a suffix."""
    return Text((Param(NAME.id), suffix))


def plain(value: Any) -> Any:
    """A value without its reason."""
    return value.value if isinstance(value, Because) else value
