"""What is encoded comes back: equal, of the same type, and sharing nothing with the original."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Any, get_origin
from zoneinfo import ZoneInfo

import pytest
import typing_extensions
from pydantic import HttpUrl, create_model

from lambda_workflow.model.payload import Codec, codec_for, dumps, loads
from lambda_workflow.model.payload_compare import exactly
from tests.model.payload_samples import BASKET, BLOBS, NOON, ROUND_TRIPS
from tests.model.payload_types import (
    Address,
    Basket,
    Blobs,
    Box,
    Color,
    Extras,
    Key,
    Line,
    Node,
    Pair,
    Point,
    Remembering,
)


class Backported(typing_extensions.TypedDict):
    name: str
    data: typing_extensions.NotRequired[bytes]


def through_text(codec: Codec[Any], value: Any) -> Any:
    """Encoded, written, read and decoded by a codec of its own, as in another process."""
    return Codec[Any](codec.type).decode(loads(dumps(codec.encode(value))))


def cases() -> list[Any]:
    return [
        pytest.param(tp, value, id=f"{getattr(tp, '__name__', tp)}-{at}")
        for tp, values in ROUND_TRIPS
        for at, value in enumerate(values)
    ]


@pytest.mark.parametrize(("tp", "value"), cases())
def test_a_value_comes_back(tp: Any, value: Any) -> None:
    before = deepcopy(value)
    assert exactly(through_text(codec_for(tp), value), value)
    assert exactly(before, value), "encoding changed its argument"


@pytest.mark.parametrize(("tp", "value"), cases())
def test_optional_and_nested_values_come_back(tp: Any, value: Any) -> None:
    assert exactly(through_text(codec_for(list[tp]), [value, value]), [value, value])
    assert exactly(through_text(codec_for(dict[str, tuple[tp]]), {"k": (value,)}), {"k": (value,)})
    if tp is not None:
        back = through_text(codec_for(tp | None), value)
        assert exactly(back, value)
        assert through_text(codec_for(tp | None), None) is None


def model_cases() -> list[Any]:
    # Before 3.12 pydantic takes no TypedDict but that of typing_extensions.
    taken = sys.version_info >= (3, 12)
    return [
        case
        for case in cases()
        if taken or not hasattr(get_origin(case.values[0]) or case.values[0], "__required_keys__")
    ]


@pytest.mark.parametrize(("tp", "value"), model_cases())
def test_a_model_carries_every_type_in_a_field(tp: Any, value: Any) -> None:
    model = create_model("Made", f=(tp, ...), g=(list[tp], ...))
    made: Any = model(f=value, g=[value])
    assert exactly(made.f, value)
    back = through_text(codec_for(model), made)
    assert exactly(back.f, value)
    assert exactly(back.g, [value])


def mutables(value: Any) -> list[Any]:
    """Every list and dict in a JSON value."""
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in mutables(item))]
    if isinstance(value, list):
        return [value, *(found for item in value for found in mutables(item))]
    return []


@pytest.mark.parametrize(
    ("tp", "value"),
    [
        (Any, {"a": [{"b": []}]}),
        (list[Any], [[1]]),
        (Address, {"street": "s"}),
        (Extras, Extras.model_validate({"a": 1, "b": [1, {"c": []}]})),
        (Blobs, BLOBS),
        (dict[str, Any], {"a": [1]}),
    ],
)
def test_encoded_and_decoded_share_nothing(tp: Any, value: Any) -> None:
    codec = codec_for(tp)
    encoded = codec.encode(value)
    kept = deepcopy(encoded)
    decoded = codec.decode(encoded)
    ours = {id(part) for part in mutables(encoded)}
    parts = [decoded, *vars(decoded).values()] if hasattr(decoded, "__dict__") else [decoded]
    extra = getattr(decoded, "__pydantic_extra__", None) or {}
    reached = [found for part in [*parts, extra, value] for found in mutables(part)]
    assert not ours & {id(part) for part in reached}
    for part in reached:
        part.clear()
    assert encoded == kept


def test_abstract_containers_keep_the_class_they_were_given() -> None:
    for value in ([1, 2], (1, 2)):
        assert exactly(through_text(codec_for(Sequence[int]), value), value)
    for group in ({1, 2}, frozenset({1, 2})):
        assert exactly(through_text(codec_for(AbstractSet[int]), group), group)
    assert through_text(codec_for(Mapping[int, bytes]), {1: b"\xff"}) == {1: b"\xff"}


def test_a_subclass_of_a_builtin_is_narrowed_to_the_declared_type() -> None:
    from collections import Counter
    from enum import IntEnum, StrEnum

    class Word(StrEnum):
        A = "a"

    class Number(IntEnum):
        ONE = 1

    assert exactly(through_text(codec_for(str), Word.A), "a")
    assert exactly(through_text(codec_for(int), Number.ONE), 1)
    assert exactly(through_text(codec_for(float), 3), 3.0)
    assert exactly(through_text(codec_for(dict[str, int]), Counter("aa")), {"a": 2})
    assert exactly(through_text(codec_for(tuple[int, ...]), (Number.ONE,)), (1,))
    assert exactly(through_text(codec_for(int | str), Word.A), "a")


def test_an_unparametrised_generic_model_is_taken_for_the_declared_one() -> None:
    # mypy infers Box[int] of Box(item=1).
    back = through_text(codec_for(Box[int]), Box(item=1))
    assert type(back) is Box[int]
    assert back.item == 1


def test_a_private_attribute_is_made_again_by_its_model() -> None:
    back = through_text(codec_for(Remembering), Remembering(value=1))
    assert back.value == 1
    assert back._cache == {}  # of another value it is refused: see test_payload_lossless


def test_the_hour_that_a_zone_repeats_comes_back_as_the_same_instant() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for fold in (0, 1):
        at = datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold)
        for tp, value in ((datetime, at), (Basket, BASKET.model_copy(update={"at": at}))):
            back = through_text(codec_for(tp), value)
            found = back.at if isinstance(back, Basket) else back
            assert found.astimezone(UTC) == at.astimezone(UTC)


def test_the_typed_dict_that_pydantic_wants_before_3_12_comes_back() -> None:
    value = Backported(name="a", data=b"\xff")
    assert through_text(codec_for(Backported), value) == value
    model = create_model("Made", f=(Backported, ...))
    made: Any = model(f=value)
    assert through_text(codec_for(model), made) == made


def test_foreign_types_of_pydantic_come_back() -> None:
    url = HttpUrl("https://example.com/a?b=1")
    assert through_text(codec_for(HttpUrl), url) == url
    assert through_text(codec_for(IPv4Address | None), IPv4Address("127.0.0.1")) == IPv4Address(
        "127.0.0.1"
    )


def test_a_recursive_type_is_as_deep_as_its_value() -> None:
    value = Node(0)
    for depth in range(100):
        value = Node(depth, [value])
    assert through_text(codec_for(Node), value) == value


def test_codecs_are_cached_by_type() -> None:
    assert codec_for(list[int]) is codec_for(list[int])
    assert codec_for(Line) is codec_for(Line)
    assert codec_for(list[int]).type != codec_for(list[str]).type


def test_an_unhashable_type_has_a_codec_of_its_own() -> None:
    from typing import Annotated

    codec: Codec[Any] = codec_for(Annotated[list[int], {"a": 1}])
    assert codec.decode(codec.encode([1])) == [1]


def test_the_forms_on_the_wire() -> None:
    """Written out, because services in other languages read them."""
    forms: list[tuple[Any, Any, Any]] = [
        (datetime, NOON, "2026-01-31T12:00:00.123456Z"),
        (timedelta, timedelta(days=1, minutes=90), "P1DT1H30M"),
        (Decimal, Decimal("1.10"), "1.10"),
        (bytes, b"\xff\x00", "/wA="),
        (Color, Color.RED, "red"),
        (Point, Point.UNIT, "UNIT"),
        (Pair, Pair(1, b""), [1, ""]),
        (Key, Key(1, "a"), {"a": 1, "b": "a"}),
        (dict[int, str], {1: "a"}, {"1": "a"}),
        (dict[tuple[int, str], int], {(1, "a"): 1}, {'[1,"a"]': 1}),
        (set[str], {"b", "a"}, ["a", "b"]),
    ]
    for tp, value, form in forms:
        assert codec_for(tp).encode(value) == form
    assert codec_for(Basket).encode(BASKET) == {
        "id": "12345678-1234-5678-1234-567812345678",
        "lines": [{"sku": "a", "price": 1}],
        "at": "2026-01-31T12:00:00.123456Z",
        "total": "1.10",
        "note": None,
        "rate": 0.1,
    }
