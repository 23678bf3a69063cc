"""No value of a payload is in an error's text, unless values are shown."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, Field, SecretStr, field_validator

from lambda_workflow import DecodeError, EncodeError
from lambda_workflow.model.arguments import named
from lambda_workflow.model.payload import codec_for
from lambda_workflow.model.payload_shown import values_shown, words_of_error

MARK = "4242-MARK"


class Colour(StrEnum):
    RED = "red"


@dataclass
class Card:
    number: int
    note: str = ""

    def __post_init__(self) -> None:
        if self.note:
            raise ValueError(f"no such note: {self.note}")


class Place(NamedTuple):
    x: int


class Box(TypedDict):
    size: int


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Model(BaseModel):
    number: int = 0
    text: Annotated[str, Field(max_length=3)] = ""
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    checked: str = ""

    @field_validator("checked")
    @classmethod
    def check(cls, value: str) -> str:
        if value:
            raise ValueError(f"{value} is wrong")
        return value


class Strict(BaseModel, extra="forbid"):
    number: int = 0


def upper(text: str) -> str:
    return text.upper()


Shouted = Annotated[str, AfterValidator(upper)]
READ: list[tuple[Any, Any]] = [
    (int, MARK),
    (bool, MARK),
    (None, MARK),
    (bytes, MARK),
    (date, MARK),
    (UUID, MARK),
    (Colour, MARK),
    (Literal["a", 1], MARK),
    (list[int], [1, MARK]),
    (set[int], [MARK]),
    (dict[str, int], {MARK: "x"}),
    (dict[int, int], {MARK: 1}),
    (tuple[int, int], [MARK]),
    (int | list[int], MARK),
    (Card, {"number": MARK}),
    (Card, {"number": 1, "note": MARK}),
    (Place, [MARK]),
    (Box, {"size": MARK}),
    (Model, {"number": MARK}),
    (Model, {"text": MARK}),
    (Model, {"pet": {"kind": MARK}}),
    (Model, {"checked": MARK}),
    (Strict, {MARK: 1}),
    (dict[str, Model], {MARK: {"number": MARK}}),
    (Annotated[str, Field(pattern="a+")], MARK),
    (Card | Place, {"number": MARK}),
]
WRITTEN: list[tuple[Any, Any]] = [
    (int, MARK),
    (Card, MARK),
    (Box, {"size": 1, MARK: 2}),
    (Any, {MARK: object()}),
    (Any, {(MARK,): 1}),
    (object, [(MARK,)]),
    (dict[str, int], {MARK: MARK}),
    (set[int], {MARK}),
    (frozenset[str], {f"{MARK}\udcff"}),
    (str, f"{MARK}\udcff"),
    (Model, Model.model_construct(number=MARK)),
    (Model, Model.model_construct(checked=MARK)),
    (Annotated[int, Field(gt=3)], MARK),
    (Shouted, MARK.lower()),
    (PurePosixPath, MARK),
    (list[Card | int], [MARK]),
]


@pytest.mark.parametrize(
    ("act", "tp", "value"),
    [("decode", *case) for case in READ] + [("encode", *case) for case in WRITTEN],
)
def test_the_text_of_a_refusal_has_no_value(act: str, tp: Any, value: Any) -> None:
    do: Callable[[Any], Any] = getattr(codec_for(tp), act)
    with pytest.raises((DecodeError, EncodeError)) as hidden:
        do(value)
    assert MARK.lower() not in "".join(traceback.format_exception_only(hidden.value)).lower()
    assert MARK.lower() not in _chain(hidden.value).lower()
    with values_shown(), pytest.raises((DecodeError, EncodeError)) as seen:
        do(value)
    assert MARK.lower() in _chain(seen.value).lower()


def _chain(error: BaseException) -> str:
    """All texts that a traceback shows; its source lines have none of ours."""
    told = [f"{type(error).__name__}: {error}"]
    if error.__cause__ is not None:
        told.append(_chain(error.__cause__))
    elif error.__context__ is not None and not error.__suppress_context__:
        told.append(_chain(error.__context__))
    return "\n".join(told)


def test_a_refusal_has_types_paths_and_sizes() -> None:
    with pytest.raises(EncodeError) as caught:
        codec_for(dict[str, list[int]]).encode({"tea": [1, MARK]}, "order")  # type: ignore[list-item]
    assert str(caught.value) == "order[str of 3][1]: found str of 9, allowed int"


def test_a_secret_is_refused_in_words_that_help() -> None:
    with pytest.raises(EncodeError) as caught:
        codec_for(SecretStr).encode(SecretStr(MARK))
    assert "found SecretStr, which is written as asterisks: declare str" in str(caught.value)


@pytest.mark.parametrize(
    ("fail", "told"),
    [
        (lambda: dict[str, int]()[MARK], "KeyError"),
        (lambda: int(MARK), "ValueError"),
        (lambda: _raise(TypeError(MARK)), "TypeError"),
        (lambda: anything(3).nope, "AttributeError: 'int' object has no attribute 'nope'"),
        (lambda: _raise(EncodeError("order: found str")), "EncodeError: order: found str"),
    ],
)
def test_the_words_of_an_error_have_what_the_interpreter_writes(
    fail: Callable[[], object], told: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # any
        fail()
    assert words_of_error(caught.value) == told
    with values_shown():
        assert str(caught.value) in words_of_error(caught.value)


def anything(value: object) -> Any:
    return value


def _raise(error: Exception) -> None:
    raise error


def test_an_argument_of_a_wrong_kind_is_named_by_its_type() -> None:
    assert named(MARK) == "str of 9"
    assert named(Card(1)) == "Card"
    assert named(Card) == "<class 'tests.model.test_payload_privacy.Card'>"
    with values_shown():
        assert named(MARK) == f"'{MARK}'"
