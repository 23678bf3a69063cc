"""A union's value comes back as the member that it was, tagged only where nothing else tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Annotated, Any, Literal, TypedDict, Union
from uuid import UUID

import pytest
from pydantic import Field, HttpUrl, create_model

from lambda_workflow.errors import DecodeError, EncodeError
from lambda_workflow.model.payload import Codec, codec_for, dumps, loads
from lambda_workflow.model.payload_compare import exactly
from tests.model.payload_samples import ID, NAIVE, NOON, RAW
from tests.model.payload_types import (
    Cat,
    Color,
    Dog,
    Item,
    Key,
    Left,
    Level,
    Line,
    Node,
    Pair,
    Premium,
    Right,
)

pytestmark = pytest.mark.usefixtures("shown_values")


class Movie(TypedDict):
    title: str


class Book(TypedDict):
    title: str
    pages: int


@dataclass
class Add:
    left: Expr
    right: Expr


@dataclass
class Neg:
    of: Expr


@dataclass
class Num:
    of: int


Expr = Add | Neg | Num

AMBIGUOUS: list[tuple[tuple[Any, ...], list[Any]]] = [
    ((datetime, str), [NOON, "a", "2026-01-31T12:00:00Z", "2026-01-31T12:00", str(NOON)]),
    ((date, datetime, str), [date(2026, 1, 1), NOON, NAIVE, "2026-01-01", "x"]),
    ((time, timedelta, str), [time(1), timedelta(1), "01:00:00", "P1D", "P"]),
    ((Decimal, float, int), [Decimal("1.5"), 1.5, 1, 1.0, Decimal(1)]),
    ((Decimal, str), [Decimal("1.5"), "1.5", "one", "1e3"]),
    ((UUID, str), [ID, str(ID), ID.hex, "x", "{" + str(ID) + "}"]),
    ((bytes, str), [b"abc", "YWJj", "test", "", b"", RAW]),
    ((bytes, datetime), [b"abc", NOON, b"\xdbM\xb8"]),
    ((bytes, UUID, Decimal, str, None), [b"abc", ID, Decimal(5), "5", str(ID), None]),
    ((bool, int, float, str, None), [True, 1, 1.0, "1", None, False, 0, 0.0, ""]),
    ((Color, str), [Color.RED, "red", "green"]),
    ((Level, int), [Level.LOW, 1, 3]),
    ((Literal["a", 1], str, int), ["a", "b", 1, 2]),
    ((Left, Right), [Left(a=1), Right(a=1), Right(a=1, b=2), Left()]),
    ((Line, Premium), [Line(sku="a", price=1), Premium(sku="a", price=1, gift=True)]),
    ((Cat, Dog), [Cat(lives=1), Dog(good=RAW)]),
    ((Item, Key, Line), [Item("a", 1), Key(1, "a"), Line(sku="a", price=1)]),
    ((Line, dict[str, Any]), [Line(sku="a", price=1), {"sku": "a", "price": 1}, {"a": 1}]),
    ((Movie, Book), [{"title": "t"}, {"title": "t", "pages": 1}]),
    ((list[int], list[str]), [[], [1], ["a"]]),
    ((list[int], list[float]), [[1], [1.0], [1, 2]]),
    ((list[int], tuple[int, ...], set[int]), [[1], (1,), {1}, [], (), set()]),
    ((Pair, tuple[int, bytes], list[Any]), [Pair(1, b""), (1, b""), [1, ""]]),
    ((dict[str, int], dict[int, int]), [{"1": 1}, {1: 1}, {}]),
    ((dict[str, Any], None), [{"$type": "None", "value": None}, {"a": 1}, {"$type": 1}, None]),
    ((dict[str, Any], int), [{"$type": "int", "value": 1}, 1]),
    ((Any, datetime), [NOON, "a", {"$type": "datetime", "value": "2026-01-01T00:00:00Z"}, 1]),
    ((list[datetime | str], str), [[NOON, "a", "2026-01-31T12:00:00Z"], "a"]),
    ((Annotated[int, Field(gt=0)], str), [1, "1"]),
]


def union_cases() -> list[Any]:
    return [
        pytest.param(members, value, id=f"{at}-{number}")
        for at, (members, values) in enumerate(AMBIGUOUS)
        for number, value in enumerate(values)
    ]


@pytest.mark.parametrize(("members", "value"), union_cases())
def test_a_value_comes_back_as_the_member_it_was(members: tuple[Any, ...], value: Any) -> None:
    for order in permutations(members, min(len(members), 3)):
        if len(order) == len(members):
            codec: Codec[Any] = Codec(Union.__getitem__(order))
            text = dumps(codec.encode(value))
            assert exactly(Codec[Any](codec.type).decode(loads(text)), value), text


@pytest.mark.parametrize(("members", "value"), union_cases())
def test_the_declared_order_changes_nothing(members: tuple[Any, ...], value: Any) -> None:
    def encoded(order: tuple[Any, ...]) -> Any:
        codec: Codec[Any] = Codec(Union.__getitem__(order))
        return codec.encode(value)

    assert encoded(members) == encoded(tuple(reversed(members)))


@pytest.mark.parametrize(("members", "value"), union_cases())
def test_a_union_in_a_model_comes_back_as_well(members: tuple[Any, ...], value: Any) -> None:
    if any(hasattr(member, "__required_keys__") for member in members):
        return  # before 3.12 pydantic takes no such TypedDict; above without a model
    union: Any = Union.__getitem__(members)
    made = create_model("Made", f=(union, ...))
    model: Any = made(f=value)
    back = Codec[Any](made).decode(loads(dumps(Codec[Any](made).encode(model))))
    assert exactly(back.f, model.f)


@pytest.mark.parametrize(
    ("tp", "value", "encoded"),
    [
        (datetime | str, "hello", "hello"),
        (datetime | str, NOON, "2026-01-31T12:00:00.123456Z"),
        (datetime | str, "2026-01-31", "2026-01-31"),
        (date | str, "2026-01-31", {"$type": "str", "value": "2026-01-31"}),
        (UUID | str, ID, str(ID)),
        (UUID | str, str(ID), {"$type": "str", "value": str(ID)}),
        (bytes | str, "test", "test"),
        (bytes | str, b"test", {"$type": "bytes", "value": "dGVzdA=="}),
        (Decimal | float | int, Decimal("1.5"), "1.5"),
        (Decimal | float | int, 1.5, 1.5),
        (Left | Right, Right(a=1), {"a": 1, "b": 0}),
        (Left | Right, Left(a=1), {"a": 1}),
        (list[int] | tuple[int, ...], (1,), {"$type": "tuple[int, ...]", "value": [1]}),
        (Cat | Dog, Cat(lives=1), {"kind": "cat", "lives": 1}),
    ],
)
def test_only_what_would_come_back_as_another_is_tagged(tp: Any, value: Any, encoded: Any) -> None:
    assert codec_for(tp).encode(value) == encoded


@pytest.mark.parametrize(
    ("tp", "json", "value"),
    [
        (datetime | str, "2026-01-31T12:00:00+00:00", datetime(2026, 1, 31, 12).astimezone),
        (bytes | str, "test", "test"),
        (int | float, 1, 1),
        (float | None, 1, 1.0),
        (Left | Right, {"a": 1}, Left(a=1)),
        (Left | Right, {"a": 1, "b": 1}, Right(a=1, b=1)),
        (Cat | Dog, {"kind": "dog", "good": ""}, Dog(good=b"")),
        (Line | dict[str, int], {"price": 1}, {"price": 1}),
        (int | str, {"$type": "str", "value": "a"}, "a"),
    ],
)
def test_untagged_json_of_others_is_read_by_what_fits_best(tp: Any, json: Any, value: Any) -> None:
    found = codec_for(tp).decode(json)
    if callable(value):
        assert isinstance(found, datetime)
    else:
        assert exactly(found, value)


def test_a_narrowed_value_finds_its_member_beside_a_foreign_one() -> None:
    codec: Codec[Any] = Codec(HttpUrl | str)
    assert exactly(codec.decode(codec.encode(Color.RED)), "red")
    url = HttpUrl("https://example.com/")
    for value in (url, str(url), "red"):
        assert exactly(codec.decode(codec.encode(value)), value)


def test_a_recursive_union_comes_back() -> None:
    value = Add(Neg(Num(1)), Add(Num(2), Neg(Neg(Num(3)))))
    for tp in (Expr, Expr | None, list[Expr], Add):
        codec: Codec[Any] = Codec(tp)
        given = [value] if tp == list[Expr] else value
        assert exactly(codec.decode(loads(dumps(codec.encode(given)))), given)


def test_two_classes_of_one_name_are_told_apart() -> None:
    from tests.model import payload_types

    @dataclass
    class Item:
        sku: str
        price: int
        tags: set[str]

    codec: Codec[Any] = Codec(Item | payload_types.Item)
    for value in (Item("a", 1, {"x"}), payload_types.Item("a", 1, {"x"})):
        assert exactly(codec.decode(codec.encode(value)), value)


@pytest.mark.parametrize(
    ("tp", "value", "message"),
    [
        (int | str, 1.5, "p: found float 1.5, allowed int | str"),
        (int | None, "a", "p: found str 'a', allowed int | None"),
        (int | str, True, "p: found bool True, allowed int | str"),
        (Left | None, Right(), "p: found Right Right(a=0, b=0), allowed Left | None"),
        (list[int] | None, [1, "a"], "p[1]: found str 'a', allowed int"),
    ],
)
def test_what_no_member_takes_is_refused(tp: Any, value: Any, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        codec_for(tp).encode(value, where="p")
    assert str(caught.value) == message


def test_json_that_no_member_reads_is_refused_with_each_reason() -> None:
    with pytest.raises(DecodeError) as caught:
        codec_for(Item | Key).decode({"a": "x"}, where="result")
    assert str(caught.value) == (
        "result: found dict {'a': 'x'}, allowed Item | Key (Key.a: found str 'x', allowed int; "
        "Item.sku: missing: Item requires it)"
    )
    with pytest.raises(DecodeError, match=r"result\.value: found int 5, allowed str"):
        codec_for(datetime | str).decode({"$type": "str", "value": 5}, where="result")


def test_a_tree_without_ambiguity_is_not_tagged_anywhere() -> None:
    text = dumps(codec_for(Node | None).encode(Node(1, [Node(2)], None)))
    assert "$type" not in text
