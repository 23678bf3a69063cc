"""Whatever an exception is, what is known of it can be encoded, and is bounded."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from lambda_workflow import ServiceError
from lambda_workflow.model import events as e
from lambda_workflow.model.bounded import clipped, text_of
from lambda_workflow.model.events import Failure
from lambda_workflow.model.failures import failure_of, stack_of, words_of
from lambda_workflow.model.limits import (
    DEPTH_MAX,
    ERROR_DETAILS_CHARACTERS_MAX,
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_STACK_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    RETRY_AFTER_SECONDS_MAX,
)
from lambda_workflow.model.payload import dumps, loads
from lambda_workflow.model.rows import EVENTS, event_row
from lambda_workflow.model.turn import Turn, decode_turn, encode_turn

HALF = "cannot read \udcff.csv"


class Mute(Exception):
    """An exception whose text, repr and attributes are code that raises."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__

    @property
    def details(self) -> Any:
        raise KeyError("details")

    @property
    def retryable(self) -> bool:
        raise SystemExit(3)


class Leaving(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)


class Unshown:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def with_details(details: Any) -> ServiceError:
    return ServiceError("no", details=details)


MADE: dict[str, Callable[[], Failure]] = {
    "half a character in the text": lambda: failure_of(ValueError(HALF), HALF),
    "half a character in the type": lambda: failure_of(ServiceError("m", type=HALF)),
    "half a character in details": lambda: failure_of(with_details({HALF: [HALF]})),
    "no text": lambda: failure_of(Mute(), stack_of(Mute())),
    "a text that leaves": lambda: failure_of(Leaving(), stack_of(Leaving())),
    "a type that is no text": lambda: failure_of(ServiceError("m", type=404)),  # type: ignore[arg-type]  # as told
    "details without JSON": lambda: failure_of(with_details(Unshown())),
    "details of NaN": lambda: failure_of(with_details([math.nan, math.inf])),
    "details of a huge int": lambda: failure_of(with_details(10**5_000)),
    "deep details": lambda: failure_of(with_details(nested(5_000))),
    "details of 300 levels": lambda: failure_of(with_details(nested(300))),
    "details in a circle": lambda: failure_of(with_details(circle())),
    "large details": lambda: failure_of(with_details(["\n" * 90_000])),
    "a huge message": lambda: failure_of(ValueError("m" * 10**6), "s" * 10**6),
    "no error but an end": lambda: failure_of(SystemExit(HALF)),
    "a delay that is none": lambda: Failure("T", "m", retry_after=math.nan),
    "a delay without end": lambda: Failure("T", "m", retry_after=1e308),
    "a delay of many digits": lambda: Failure("T", "m", retry_after=10**400),
    "made by hand": lambda: Failure(HALF, HALF, details=HALF, stack=HALF),
    "from the wire": lambda: Failure.from_json(
        {"type": "T" * 10**6, "message": ["m"] * 10**5, "details": nested(900), "stack": {"a": 1}}
    ),
}


@pytest.mark.parametrize("kind", MADE)
def test_a_failure_can_always_be_recorded_and_reads_back(kind: str) -> None:
    failure = MADE[kind]()
    event = e.StepErrored(1_000, "1", 1, failure)
    text = encode_turn(Turn(1, 1_000, (event,), ()))
    assert decode_turn(text.encode().decode()).events == (event,)
    assert Failure.from_json(loads(dumps(failure.to_json()))) == failure  # and stays as it is
    slack = 40  # the word of what is left out
    assert len(failure.type) <= ERROR_TYPE_CHARACTERS_MAX + slack
    assert len(failure.message) <= ERROR_MESSAGE_CHARACTERS_MAX + slack
    assert len(failure.stack or "") <= ERROR_STACK_CHARACTERS_MAX
    assert len(dumps(failure.details)) <= 2 * ERROR_DETAILS_CHARACTERS_MAX + slack
    assert 0 <= (failure.retry_after or 0) <= RETRY_AFTER_SECONDS_MAX


def test_half_a_character_is_written_as_its_escape() -> None:
    failure = failure_of(ValueError(HALF), f"at {HALF}")
    assert failure.message == r"cannot read \udcff.csv"
    assert failure.stack == r"at cannot read \udcff.csv"
    assert text_of("grüße 世界") == "grüße 世界"


def test_details_at_the_limit_of_depth_are_kept() -> None:
    assert failure_of(with_details(nested(DEPTH_MAX))).details == nested(DEPTH_MAX)
    assert isinstance(failure_of(with_details(nested(DEPTH_MAX + 1))).details, str)


def test_an_error_that_was_recorded_without_limits_is_read_as_it_was() -> None:
    row = ["err", "1", 1, {"type": "T", "message": "m" * 10_000, "details": nested(250)}]
    event = EVENTS["err"](row, 1_000)
    assert isinstance(event, e.CallErrored)
    assert event.failure.message == "m" * 10_000
    assert event_row(event, 1_000) == row


@pytest.mark.parametrize("length", [0, 9, 10, 11, 99, 1_000])
def test_what_was_cut_is_not_cut_again(length: int) -> None:
    once = clipped("x" * length, 10)
    assert clipped(once, 10) == once
    assert once.startswith("x" * min(length, 10))


def test_words_for_a_log_never_hold_the_object_of_an_error() -> None:
    secret = "the whole record"
    with pytest.raises(UnicodeEncodeError) as caught:
        f"{secret}\udcff".encode()
    assert secret in repr(caught.value)
    assert words_of(caught.value) == "UnicodeEncodeError"
