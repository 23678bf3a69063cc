"""What does not fit is refused with the path of the field, what was found and what is allowed."""

from __future__ import annotations

import socket
from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from pydantic import ConfigDict, SecretStr
from pydantic.dataclasses import dataclass as pydantic_dataclass

from lambda_workflow.errors import DecodeError, EncodeError, PayloadError
from lambda_workflow.model.payload import Codec, codec_for
from tests.model.payload_samples import BASKET, ID, NOON
from tests.model.payload_types import (
    Address,
    Checked,
    Color,
    Doubling,
    Item,
    Key,
    Line,
    Node,
    Order,
    Pair,
    Partial,
    Perm,
    Point,
    Premium,
    Seeded,
)

pytestmark = pytest.mark.usefixtures("shown_values")

NAN, INF = float("nan"), float("inf")

REFUSED_VALUES: list[tuple[Any, Any, str]] = [
    (int, "5", "order: found str '5', allowed int"),
    (int, True, "order: found bool True, allowed int"),
    (int, 1.0, "order: found float 1.0, allowed int"),
    (int, None, "order: found None, allowed int"),
    (int, 10**640, "order: found an int too long to print, allowed int of 640 digits at most"),
    (float, "1", "order: found str '1', allowed float"),
    (float, False, "order: found bool False, allowed float"),
    (float, NAN, "order: found float nan, allowed a finite float"),
    (float, INF, "order: found float inf, allowed a finite float"),
    (float, 2**53 + 1, "order: found int 9007199254740993, allowed float (this int has more"),
    (str, b"a", "order: found bytes b'a', allowed str"),
    (str, "a\ud800", "allowed text without half a surrogate pair"),
    (bool, 1, "order: found int 1, allowed bool"),
    (None, 0, "order: found int 0, allowed None"),
    (bytes, "a", "order: found str 'a', allowed bytes"),
    (bytes, bytearray(b"a"), "order: found bytearray bytearray(b'a'), allowed bytes"),
    (date, NOON, "allowed date"),
    (datetime, date(2026, 1, 1), "allowed datetime"),
    (time, time(1, tzinfo=timezone(timedelta(seconds=1))), "allowed time with an offset"),
    (Decimal, 1.5, "order: found float 1.5, allowed Decimal"),
    (Decimal, Decimal("NaN"), "order: found Decimal Decimal('NaN'), allowed a finite Decimal"),
    (UUID, str(ID), "allowed UUID"),
    (Color, "red", "order: found str 'red', allowed Color"),
    (Literal["a", 1], "b", "order: found str 'b', allowed Literal['a', 1]"),
    (Literal["a", 1], True, "order: found bool True, allowed Literal['a', 1]"),
    (Literal["a"], [], "order: found list [], allowed Literal['a']"),
    (list[int], (1,), "order: found tuple (1,), allowed list[int]"),
    (list[int], [1, "a"], "order[1]: found str 'a', allowed int"),
    (tuple[int, str], (1,), "order: found tuple (1,), allowed tuple[int, str]"),
    (tuple[int, str], (1, 2), "order[1]: found int 2, allowed str"),
    (tuple[int, ...], (1, None), "order[1]: found None, allowed int"),
    (set[int], {"a"}, "order{str 'a'}: found str 'a', allowed int"),
    (set[int], [1], "order: found list [1], allowed set[int]"),
    (dict[str, int], {"EUR": "a"}, "order['EUR']: found str 'a', allowed int"),
    (dict[int, int], {"1": 1}, "order['1']: found str '1', allowed int"),
    (Pair, (1, b""), "order: found tuple (1, b''), allowed Pair"),
    (Any, (1,), "order: found tuple (1,), allowed a JSON value"),
    (Any, {"a": [NOON]}, "order['a'][0]: found datetime "),
    (Any, {1: 2}, "order[1]: found int 1, allowed str as the key of untyped JSON"),
    (Any, {"a": NAN}, "order['a']: found float nan"),
    (Any, {"a": Color.RED}, "order['a']: found Color <Color.RED: 'red'>, allowed a JSON value"),
    (Any, defaultdict(int), "order: found defaultdict"),
    (object, Line(sku="a", price=1), "order: found Line Line(sku='a', price=1), allowed a JSON"),
    (dict[str, Any], {"a": {"b": {1}}}, "order['a']['b']: found set {1}, allowed a JSON value"),
    (Address, {}, "order.street: missing: Address requires it"),
    (Address, {"street": 1}, "order.street: found int 1, allowed str"),
    (Address, {"street": "a", "x": 1}, "order['x']: Address has no such key"),
    (Partial, {"street": "a"}, "order.zip: missing: Partial requires it"),
    (Item, {"sku": "a", "price": 1}, "allowed Item"),
    (Item, Item("a", "b"), "order.price: found str 'b', allowed int"),  # type: ignore[arg-type]
    (Order, Order(ID, [Item("a", 1), Item("a", None)]), "order.items[1].price: found None"),  # type: ignore[arg-type]
    (Line, {"sku": "a", "price": 1}, "allowed Line"),
    (Line, Premium(sku="a", price=1), "order: found Premium Premium(sku='a', price=1, gift=False)"),
    (list[Line], [Premium(sku="a", price=1)], "order[0]: found Premium"),
    (Doubling, Doubling(1), "order.amount: found int 2, which comes back from JSON as int 4"),
    (Seeded, Seeded(1), "order: Seeded does not accept it: TypeError: Seeded"),
    (SecretStr, SecretStr("a"), "order: found SecretStr"),
    (Checked, Checked.__new__(Checked), "order.amount: missing: this Checked has lost it"),
]


@pytest.mark.parametrize(("tp", "value", "message"), REFUSED_VALUES)
def test_a_value_that_does_not_fit_is_refused(tp: Any, value: Any, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        codec_for(tp).encode(value, where="order")
    assert message in str(caught.value)


REFUSED_JSON: list[tuple[Any, Any, str]] = [
    (int, "5", "order: found str '5', allowed int"),
    (int, 1.5, "order: found float 1.5, allowed int"),
    (int, True, "order: found bool True, allowed int"),
    (float, "1", "order: found str '1', allowed float"),
    (float, INF, "order: found float inf, allowed a finite float"),
    (float, 10**400, "allowed float (this int has more digits"),
    (str, 5, "order: found int 5, allowed str"),
    (bool, 1, "order: found int 1, allowed bool"),
    (bytes, "a", "order: found str 'a', allowed bytes as base64 text"),
    (bytes, "é", "allowed bytes as base64 text"),
    (datetime, "2026-01-31", "allowed datetime as ISO 8601 text"),
    (datetime, "2026-02-30T00:00:00", "allowed datetime as ISO 8601 text"),
    (datetime, "20260131T000000", "allowed datetime as ISO 8601 text"),
    (datetime, "2026-01-31T24:00:00", "allowed datetime as ISO 8601 text"),
    (datetime, 5, "order: found int 5, allowed datetime as ISO 8601 text"),
    (date, "2026-01-31T00:00:00", "allowed date as ISO 8601 text"),
    (date, "2026-W01-1", "allowed date as ISO 8601 text"),
    (time, "1:00", "allowed time as ISO 8601 text"),
    (timedelta, "P", "allowed timedelta as ISO 8601 text"),
    (timedelta, "PT", "allowed timedelta as ISO 8601 text"),
    (timedelta, "P9999999999D", "allowed timedelta as ISO 8601 text"),
    (Decimal, "a", "order: found str 'a', allowed Decimal"),
    (Decimal, "NaN", "order: found str 'NaN', allowed Decimal"),
    (UUID, "5", "order: found str '5', allowed UUID as text"),
    (Color, "green", "order: found str 'green', allowed Color ('red', 'blue')"),
    (Point, [0, 0], "order: found list [0, 0], allowed Point ('ORIGIN', 'UNIT')"),
    (Perm, "a", "order: found str 'a', allowed Perm (an int of its flags)"),
    (Literal["a"], [], "order: found list [], allowed Literal['a']"),
    (list[int], {}, "order: found dict {}, allowed list[int]"),
    (list[int], [1, None], "order[1]: found None, allowed int"),
    (tuple[int, str], [1], "order: found list [1], allowed tuple[int, str]"),
    (set[Any], [[1]], "allowed set[Any]"),
    (dict[int, int], {"a": 1}, "order['a']: found str 'a', allowed int as a JSON text"),
    (dict[int, int], {"1": "b"}, "order['1']: found str 'b', allowed int"),
    (dict[tuple[Any, ...], int], {"[[1]]": 1}, "order['[[1]]']: found str '[[1]]'"),
    (Address, [], "order: found list [], allowed Address"),
    (Address, {"street": None}, "order.street: found None, allowed str"),
    (Item, {"sku": "a"}, "order.price: missing: Item requires it"),
    (Order, {"id": str(ID), "items": [{"sku": "a", "price": []}]}, "order.items[0].price: found"),
    (
        Checked,
        {"amount": -1},
        "order: Checked does not accept it: ValueError: amount is negative",
    ),
]


@pytest.mark.parametrize(("tp", "json", "message"), REFUSED_JSON)
def test_json_that_does_not_fit_is_refused(tp: Any, json: Any, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec_for(tp).decode(json, where="order")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("tp", "json", "value"),
    [
        (int, 3.0, 3),
        (float, 3, 3.0),
        (Decimal, 3, Decimal(3)),
        (Decimal, 0.1, Decimal("0.1")),
        (datetime, "2026-01-31t12:00:00,123456789z", NOON),
        (datetime, "2026-01-31 12:00:00.123456+0000", NOON),
        (timedelta, "P1Y1W", timedelta(days=372)),
        (Item, {"sku": "a", "price": 1, "later": []}, Item("a", 1)),
        (Address, {"street": "a", "later": 1}, {"street": "a"}),
        (Key, {"a": 1, "b": "b"}, Key(1, "b")),
    ],
)
def test_reading_is_tolerant_of_what_is_clear(tp: Any, json: Any, value: Any) -> None:
    found = codec_for(tp).decode(json)
    assert found == value
    assert type(found) is type(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    node = Node(1)
    node.parent = node
    for tp, value in ((Any, loop), (Node, node)):
        with pytest.raises(EncodeError, match="order: nests too deeply, or contains itself"):
            codec_for(tp).encode(value, where="order")


def test_json_that_nests_too_deeply_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DecodeError, match="payload: nests too deeply"):
        codec_for(Any).decode(deep)
    while deep:  # taken apart here: the interpreter's own way down is deep as well
        (deep,) = deep


@dataclass
class Holding:
    name: str
    sockets: list[socket.socket]


@dataclass
class Later:
    when: Undefined  # type: ignore[name-defined] # noqa: F821 - this is what is tested


@pydantic_dataclass(config=ConfigDict(extra="allow"))
class Open:
    a: int


@pytest.mark.parametrize(
    ("tp", "message"),
    [
        (Open, "Open cannot be a payload: a dataclass gives back no extra values"),
        (Holding, ".sockets: socket cannot be a payload: declare a dataclass"),
        (list[socket.socket], ": socket cannot be a payload"),
        (Later, "name 'Undefined' is not defined"),
        ("Item", "the annotation 'Item' is text: name the type itself"),
        (Literal["YQ==", b"a"], "two values of Literal['YQ==', b'a'] have the same JSON"),
        (list[deque[set[int]]], "deque[set[int]] cannot be a payload: the order of its sets"),
    ],
)
def test_a_type_that_cannot_be_a_payload_is_refused_when_it_is_used(tp: Any, message: str) -> None:
    codec: Codec[Any] = Codec(tp)
    with pytest.raises(PayloadError) as prepared:
        codec.prepare()
    with pytest.raises(EncodeError) as encoded:
        codec.encode(None)
    with pytest.raises(DecodeError) as decoded:
        codec.decode(None)
    for caught in (prepared, encoded, decoded):
        assert message in str(caught.value)


def test_the_error_of_a_types_own_code_is_the_cause() -> None:
    with pytest.raises(
        DecodeError, match=r"payload\[0\]\['a'\]: Checked does not accept"
    ) as caught:
        codec_for(list[dict[str, Checked]]).decode([{"a": {"amount": -1}}])
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_long_value_is_shown_short() -> None:
    with pytest.raises(EncodeError) as caught:
        codec_for(int).encode(["x" * 1000] * 1000)  # type: ignore[arg-type] # is what is tested
    assert len(str(caught.value)) < 500


def test_preparing_compiles_once_and_for_all() -> None:
    codec: Codec[Any] = Codec(list[Line])
    codec.prepare()
    assert codec.decode(codec.encode(BASKET.lines)) == BASKET.lines
