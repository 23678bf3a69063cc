"""What a record has beside its fields comes back as it was, or is refused; generic ones nest."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Generic, Optional, TypeVar

import pytest
from pydantic import BaseModel, Field, PrivateAttr
from pydantic.dataclasses import dataclass as pydantic_dataclass

from lambda_workflow import EncodeError
from lambda_workflow.model.payload import codec_for

T = TypeVar("T")


class Counter(BaseModel):
    n: int
    _seen: int = PrivateAttr(0)
    _log: list[str] = PrivateAttr(default_factory=list)


class Derived(BaseModel):
    n: int
    _double: int = PrivateAttr()

    def model_post_init(self, _: Any) -> None:
        self._double = 2 * self.n


class Inside(BaseModel):
    counter: Counter | None = None
    counters: list[Counter] = []


@dataclass
class Plain:
    n: int
    hidden: int = field(default=0, compare=False, repr=False)
    later: int = field(default=0, init=False)

    @cached_property
    def double(self) -> int:
        return 2 * self.n


@dataclass
class Born:
    n: int

    def __post_init__(self) -> None:
        self.twice = 2 * self.n


class Slotted:
    __slots__ = ("note",)


@dataclass(slots=True)
class Tight(Slotted):
    n: int


@pydantic_dataclass
class Checked:
    n: int


def counter(**changed: Any) -> Counter:
    made = Counter(n=1)
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def changed(value: Any, **attributes: Any) -> Any:
    for name, attribute in attributes.items():
        setattr(value, name, attribute)
    return value


LOST: list[tuple[Any, Any, str]] = [
    (Counter, counter(_seen=7), "p._seen: found int, which comes back from JSON as another int"),
    (Counter, counter(_log=["a"]), "p._log: found list of 1, which comes back from JSON as list o"),
    (Derived, changed(Derived(n=1), _double=3), "p._double: found int, which comes"),
    (Inside, Inside(counter=counter(_seen=7)), "p.counter._seen: found int"),
    (Inside, Inside(counters=[counter(_seen=7)]), "p.counters[0]._seen: found int"),
    (list[Counter], [counter(), counter(_seen=7)], "p[1]._seen: found int"),
    (Plain, changed(Plain(1), extra=2), "p.extra: no field of Plain, and would be lost: declare"),
    (Born, changed(Born(1), twice=3), "p.twice: found int, which comes back"),
    (Born, changed(Born(1), extra=3), "p.extra: no field, and would be lost: declare it as one"),
    (Tight, changed(Tight(1), note="a"), "p.note: no field of Tight"),
    (Checked, changed(Checked(1), extra=2), "p.extra: no field of Checked"),
]


@pytest.mark.parametrize(("tp", "value", "told"), LOST)
def test_what_would_be_lost_is_refused(tp: Any, value: Any, told: str) -> None:
    with pytest.raises(EncodeError) as caught:
        codec_for(tp).encode(value, "p")
    assert told in str(caught.value)


def cached(value: Plain) -> Plain:
    assert value.double == 2 * value.n
    return value


KEPT: list[tuple[Any, Any]] = [
    (Counter, counter()),
    (Derived, Derived(n=2)),
    (Inside, Inside(counter=counter(), counters=[counter()])),
    (Plain, changed(Plain(1, hidden=3), later=4)),
    (Plain, cached(Plain(1))),
    (Born, Born(1)),
    (Tight, Tight(1)),
    (Checked, Checked(1)),
]


@pytest.mark.parametrize(("tp", "value"), KEPT)
def test_what_its_own_code_makes_again_is_taken(tp: Any, value: Any) -> None:
    back = codec_for(tp).decode(codec_for(tp).encode(value))
    assert back == value
    if isinstance(value, Plain):
        assert (back.hidden, back.later) == (value.hidden, value.later)


class Node(BaseModel, Generic[T]):
    value: T
    children: list[Node[T]] = []
    up: Optional[Node[T]] = None  # noqa: UP045  # as many write it
    named: dict[str, Annotated[Node[T], Field()]] = {}


@pytest.mark.parametrize(
    ("tp", "value"),
    [
        (Node[int], Node[int](value=1, children=[Node[int](value=2)], up=Node[int](value=3))),
        (Node[bytes], Node[bytes](value=b"a", named={"x": Node[bytes](value=b"b")})),
        (Node[Counter], Node[Counter](value=counter(), children=[Node[Counter](value=counter())])),
    ],
)
def test_a_generic_model_may_contain_itself(tp: Any, value: Any) -> None:
    written = codec_for(tp).encode(value)
    back = codec_for(tp).decode(written)
    assert back == value
    assert type(back) is type(value)


def test_a_generic_model_within_itself_is_checked() -> None:
    wrong = Node[int](value=1)
    wrong.children.append(Node[int].model_construct(value="x"))
    with pytest.raises(EncodeError, match=r"p.children\[0\].value: found str of 1, allowed int"):
        codec_for(Node[int]).encode(wrong, "p")
