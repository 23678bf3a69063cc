"""What a payload type is compiled to: a shape, which writes its values and reads them back.

1. What `encode` accepts, `decode` gives back: equal, and of the declared type.
2. `encode` accepts values of the declared type alone. A subclass of a builtin (a StrEnum as a
   str, a defaultdict as a dict) is narrowed to it; a subclass of a record is refused, since its
   own fields would be lost.
3. `encode` is a function of the value: the same JSON in every process.
4. Neither shares a mutable object between its argument and its result.
"""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    Protocol,
    TypeAlias,
    Union,
    get_args,
    get_origin,
)

from lambda_workflow.model.payload_text import Json

ShapeOf: TypeAlias = Callable[[Any], "Shape"]

# The Python types of JSON values.
ANY_JSON: Final[frozenset[type]] = frozenset({NoneType, bool, int, float, str, list, dict})

UNIONS: Final = (Union, UnionType)  # the origins of `Union[A, B]` and of `A | B`
TAG: Final = "$type"  # the key that names the member of a union where nothing else tells it


class Shape(Protocol):
    """One compiled type. `link` is called once, before the first value."""

    @property
    def label(self) -> str:
        """The type as its user writes it, for messages and for the tags of unions."""

    @property
    def value_types(self) -> frozenset[type] | None:
        """The classes of the values it encodes; None when only trying tells."""

    @property
    def emits(self) -> frozenset[type]:
        """What JSON `encode` can give, by Python type."""

    @property
    def accepts(self) -> frozenset[type]:
        """What JSON `decode` may take, by Python type; more than it emits where it is tolerant."""

    @property
    def keys(self) -> frozenset[str] | None:
        """The keys that a record knows; None when any key is fine or it is no record."""

    @property
    def rank(self) -> int:
        """Which member of a union reads a JSON value that several could read: the lowest."""

    @property
    def encode(self) -> Callable[[Any], Json]:
        """Write a value. Raises Refused."""

    @property
    def decode(self) -> Callable[[Json], Any]:
        """Read a value. Raises Refused."""

    def link(self, shape_of: ShapeOf) -> None:
        """Find the shapes of the parts; only now, because a type may contain itself."""


# The ranks of a union's members. A format that recognises its own text goes before plain text;
# base64 does not (four letters of any word are base64), so bytes come last.
RANK_NAMED: Final = 0
RANK_FORMAT: Final = 1
RANK_FOREIGN: Final = 2
RANK_USUAL: Final = 3
RANK_BYTES: Final = 4


def label_of(tp: Any) -> str:
    """A type as its user writes it: `list[Order]`, `int | None`."""
    if tp is None or tp is NoneType:
        return "None"
    if tp is Any:
        return "Any"
    if tp is Ellipsis:
        return "..."
    origin, args = get_origin(tp), get_args(tp)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin is Annotated:
        return label_of(args[0])
    if origin in UNIONS:
        return " | ".join(map(label_of, args))
    if origin is not None:
        return f"{label_of(origin)}[{', '.join(map(label_of, args))}]"
    if isinstance(tp, type):
        return tp.__qualname__.rpartition("<locals>.")[2]
    return str(getattr(tp, "__name__", tp))
