"""The schema that a history keeps of a type refuses what the type refuses, by field and kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import pytest
from pydantic import BaseModel, TypeAdapter

from lambda_workflow.errors import DecodeError
from lambda_workflow.model.payload import codec_for
from lambda_workflow.model.payload_schema import SCHEMA_CHARACTERS_MAX, contradiction, schema_of


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Decision:
    approved: bool
    by: str | None = None
    limits: list[int] = field(default_factory=list)


class Order(BaseModel):
    cents: int
    lines: dict[str, Decision] = {}


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)


class Point(NamedTuple):
    x: int
    y: int


class Shape(TypedDict):
    name: str


YES = {"approved": True}
REFUSED: list[tuple[Any, Any, str]] = [
    (Decision, {"approved": "perhaps"}, "a.approved: found string, allowed boolean"),
    (Decision, {}, "a.approved: missing"),
    (Decision, [True], "a: found array, allowed object"),
    (Decision, {**YES, "by": 7}, "a.by: found number, allowed string or null"),
    (Decision, {**YES, "limits": [1, "two"]}, "a.limits[1]: found string, allowed integer"),
    (Order, {"cents": "many"}, "a.cents: found string, allowed integer"),
    (Order, {"cents": None}, "a.cents: found null, allowed integer"),
    (Order, {"cents": 1, "lines": {"tea": {}}}, "a.lines[…].approved: missing"),
    (Tree, {"value": 1, "children": [{"value": "x"}]}, "a.children[0].value: found string"),
    (Colour, "green", "a: found another string than those of the type"),
    (Literal["yes", "no"], "perhaps", "a: found another string than those of the type"),
    (Point, [1], "a: found 1 items, allowed 2 to 2"),
    (int | None, "x", "a: found string, allowed integer or null"),
    (bool, 1, "a: found number, allowed boolean"),
]


@pytest.mark.parametrize(("tp", "value", "told"), REFUSED)
def test_what_the_schema_refuses_the_type_refuses_too(tp: Any, value: Any, told: str) -> None:
    assert (contradiction(value, schema_of(tp), "a") or "").startswith(told)
    with pytest.raises(DecodeError):
        codec_for(tp).decode(value)


@pytest.mark.parametrize(
    ("tp", "value"),
    [
        (Decision, Decision(True, "ada", [1])),
        (Order, Order(cents=3, lines={"tea": Decision(False)})),
        (Tree, Tree(1, [Tree(2, [Tree(3)])])),
        (Colour, Colour.RED),
        (Point, Point(1, 2)),
        (Shape, Shape(name="x")),
        (Decimal, Decimal("1.5")),
        (datetime, datetime(2030, 1, 1)),  # noqa: DTZ001
        (date, date(2030, 1, 1)),
        (timedelta, timedelta(hours=1)),
        (bytes, b"\x00\xff"),
        (UUID, UUID(int=7)),
        (bytes | str, "text"),
        (bytes | str, b"bytes"),
        (int | Decision, Decision(True)),
        (tuple[int, ...], (1, 2)),
        (frozenset[int], frozenset({1})),
        (dict[int, str], {1: "x"}),
        (dict[str, Any], {"x": [None]}),
        (float, 1.0),
        (Any, [1, None]),
    ],
)
def test_what_the_type_writes_the_schema_accepts(tp: Any, value: Any) -> None:
    assert contradiction(codec_for(tp).encode(value), schema_of(tp), "a") is None


def test_a_type_without_a_small_schema_has_none() -> None:
    class Odd:
        pass

    assert schema_of(Odd) is None
    many = tuple(f"choice-{n}" for n in range(SCHEMA_CHARACTERS_MAX // 8))
    assert schema_of(Literal.__getitem__(many)) is None


@pytest.mark.parametrize("cents", [True, "7", 7.0, 7])
def test_what_a_model_coerces_is_accepted(cents: Any) -> None:
    assert contradiction({"cents": cents}, schema_of(Order), "a") is None
    assert codec_for(Order).decode({"cents": cents}).cents == int(cents)


@pytest.mark.parametrize("tp", [str, int, float, bool, None, type(None)])
def test_a_scalar_s_schema_is_pydantic_s(tp: Any) -> None:
    assert schema_of(tp) == TypeAdapter(tp).json_schema()
