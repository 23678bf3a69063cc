"""The history judges every message in every state, as one table says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import (
    SEMANTICS,
    Acceptance,
    Duplicate,
    History,
    Late,
    Wake,
    digest,
)
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Message, Redrive, Request, Timer, Update
from lambda_workflow.model.payload import fingerprint
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import Usage

AT = 1_000_000
NOW = AT + 500
FAILED = e.Failure("T", "m")
STARTED = e.Started(AT, "flow", {"n": 1}, SEMANTICS)


def turns(*made: tuple[tuple[e.Event, ...], tuple[c.Command, ...]]) -> list[Turn]:
    return [
        Turn(number, AT + number, events, commands, _status(commands))
        for number, (events, commands) in enumerate(made, 1)
    ]


def _status(commands: tuple[c.Command, ...]) -> Status:
    last = commands[-1] if commands else None
    if isinstance(last, c.Complete):
        return Status.COMPLETED
    return Status.FAILED if isinstance(last, c.Fail) else Status.RUNNING


CALL = c.ScheduleCall("1", "double", 1)
TIMER = c.StartTimer("2", AT + 2_001)
BEGUN = ((STARTED,), (CALL, TIMER))
REST = c.StartTimer("1:retry1", AT + 2_000)
ERRED = ((e.CallErrored(AT, "1", 1, FAILED),), (REST,))
AGAIN = ((e.TimerFired(AT, "1:retry1"),), (c.RetryCall("1", 2),))
BLOCKED = Turn(2, AT + 2, (e.CallErrored(AT, "1", 1, FAILED),), (), Status.BLOCKED)

STATES: dict[str, list[Turn]] = {
    "new": [],
    "begun": turns(BEGUN),
    "answered": turns(BEGUN, ((e.CallSucceeded(AT, "1", 2),), ())),
    "resting": turns(BEGUN, ERRED),
    "retried": turns(BEGUN, ERRED, AGAIN),
    "erred for good": turns(BEGUN, ((e.CallErrored(AT, "1", 1, FAILED),), ())),
    "withdrawn": turns(BEGUN, ((e.TimerFired(AT, "9"),), (c.CancelCall("1"), c.CancelTimer("2")))),
    "timed out": turns(
        ((STARTED,), (CALL, c.StartTimer("1:timeout", AT + 5))),
        ((e.TimerFired(AT, "1:timeout"),), ()),
    ),
    "fired": turns(BEGUN, ((e.TimerFired(AT, "2"),), ())),
    "blocked": [*turns(BEGUN), BLOCKED],
    "completed": turns(BEGUN, ((e.CallSucceeded(AT, "1", 2),), (c.Complete(2),))),
    "failed": turns(BEGUN, ((e.CallErrored(AT, "1", 1, FAILED),), (c.Fail(FAILED),))),
}


@dataclass(frozen=True)
class Case:
    """One message and what becomes of it, by state; states not named have `usually`."""

    message: Message
    usually: Acceptance
    unless: dict[str, Acceptance]


ENDED = Late("the execution has ended", True)
UNKNOWN = Late("no such operation")
NOWHERE = Late("no such execution")
GIVEN_UP = Late("withdrawn by the workflow", True)
SUCCEEDED = e.CallSucceeded(NOW, "1", 2)
OTHER_START = Late(
    "the id belongs to an execution of 'flow' with another input: start under another id"
)


def errored(attempt: int) -> e.CallErrored:
    return e.CallErrored(NOW, "1", attempt, FAILED)


def not_that(attempt: int, current: int) -> Late:
    reason = f"attempt {attempt} of call 1: {current} is under way"
    return Late(reason, attempt < current)


CASES = {
    "start": Case(
        Request("e", "flow", {"n": 1}),
        Duplicate(1),
        {"new": e.Started(NOW, "flow", {"n": 1}, SEMANTICS)},
    ),
    "start of another input": Case(
        Request("e", "flow", {"n": 2}),
        OTHER_START,
        {"new": e.Started(NOW, "flow", {"n": 2}, SEMANTICS)},
    ),
    "start of another workflow": Case(
        Request("e", "wolf", {"n": 1}, None, 2),
        OTHER_START,
        {"new": e.Started(NOW, "wolf", {"n": 1}, SEMANTICS, "", 2)},
    ),
    "answer": Case(
        Update("e", "1", 2, attempt=1),
        SUCCEEDED,
        {
            "new": NOWHERE, "answered": Duplicate(2), "erred for good": GIVEN_UP,
            "withdrawn": GIVEN_UP, "timed out": GIVEN_UP, "completed": Duplicate(2),
            "failed": ENDED,
        },
    ),
    "answer of no attempt in particular": Case(
        Update("e", "1", 2),
        SUCCEEDED,
        {
            "new": NOWHERE, "answered": Duplicate(2), "erred for good": GIVEN_UP,
            "withdrawn": GIVEN_UP, "timed out": GIVEN_UP, "completed": Duplicate(2),
            "failed": ENDED,
        },
    ),
    "error of attempt 1": Case(
        Update("e", "1", None, FAILED, 1),
        Duplicate(2),
        {
            "new": NOWHERE, "begun": errored(1), "fired": errored(1), "withdrawn": GIVEN_UP,
            "timed out": GIVEN_UP,
        },
    ),
    "error of attempt 2": Case(
        Update("e", "1", None, FAILED, 2),
        not_that(2, 1),
        {
            "new": NOWHERE, "retried": errored(2), "answered": Duplicate(2),
            "erred for good": GIVEN_UP, "withdrawn": GIVEN_UP, "timed out": GIVEN_UP,
            "completed": Duplicate(2), "failed": ENDED,
        },
    ),
    "timer": Case(
        Timer("e", "2", AT + 2_001),
        e.TimerFired(AT + 2_001, "2"),
        {
            "new": NOWHERE, "withdrawn": GIVEN_UP, "timed out": UNKNOWN, "fired": Duplicate(2),
            "completed": ENDED, "failed": ENDED,
        },
    ),
    "retry's timer": Case(
        Timer("e", "1:retry1", AT + 2_000),
        UNKNOWN,
        {
            "new": NOWHERE, "resting": e.TimerFired(AT + 2_000, "1:retry1"),
            "retried": Duplicate(3), "completed": ENDED, "failed": ENDED,
        },
    ),
    "answer to what was never asked": Case(
        Update("e", "77", 2), UNKNOWN, {"new": NOWHERE, "completed": ENDED, "failed": ENDED}
    ),
    "answer to a timer": Case(
        Update("e", "2", 2),
        UNKNOWN,
        {
            "new": NOWHERE, "withdrawn": GIVEN_UP, "fired": Duplicate(2), "completed": ENDED,
            "failed": ENDED,
        },
    ),
    "timer for a call": Case(
        Timer("e", "1", 0),
        UNKNOWN,
        {
            "new": NOWHERE, "answered": Duplicate(2), "erred for good": GIVEN_UP,
            "withdrawn": GIVEN_UP, "timed out": GIVEN_UP, "completed": Duplicate(2),
            "failed": ENDED,
        },
    ),
    "redrive": Case(
        Redrive("e"), Wake(), {"completed": Duplicate(2), "failed": Duplicate(2)}
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("case", CASES)
def test_every_message_in_every_state(case: str, state: str) -> None:
    history = History("e", STATES[state])
    row = CASES[case]
    expected = row.unless.get(state, row.usually)
    assert history.accept(row.message, NOW) == expected


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("case", CASES)
def test_a_message_taken_in_is_a_duplicate_ever_after(case: str, state: str) -> None:
    history = History("e", STATES[state])
    message = CASES[case].message
    number = history.next_number
    judged = history.accept(message, NOW)
    again = history.accept(message, NOW)
    if isinstance(judged, Duplicate | Late | Wake):
        assert again == judged
        return
    assert again == Duplicate(number)
    history.append(Turn(number, NOW, (judged,), ()))
    assert history.accept(message, NOW) == Duplicate(number)
    loaded = History("e", history.turns)
    assert loaded.accept(message, NOW) == Duplicate(number)


@pytest.mark.parametrize("state", STATES)
def test_a_history_built_turn_by_turn_is_one_that_was_loaded(state: str) -> None:
    built = History("e")
    for turn in STATES[state]:
        for event in turn.events:
            built._take(event, turn.number)
        built.append(turn)
    loaded = History("e", STATES[state])
    assert vars(built) == vars(loaded)


def test_an_error_without_an_attempt_is_of_the_attempt_under_way() -> None:
    for state, attempt in (("begun", 1), ("retried", 2)):
        history = History("e", STATES[state])
        assert history.accept(Update("e", "1", None, FAILED), NOW) == errored(attempt)


def test_an_answer_during_the_rest_ends_the_retries() -> None:
    history = History("e", STATES["resting"])
    assert history.accept(Update("e", "1", 2, attempt=1), NOW) == SUCCEEDED
    assert "1" not in history.open


def test_what_is_open_is_what_was_started_and_has_not_ended() -> None:
    expected = {
        "new": [], "begun": ["1", "2"], "answered": ["2"], "resting": ["1", "2", "1:retry1"],
        "retried": ["1", "2"], "erred for good": ["2"], "withdrawn": [], "timed out": [],
        "fired": ["1"], "blocked": ["1", "2"], "completed": ["2"], "failed": ["2"],
    }  # fmt: skip
    assert {state: list(History("e", of).open) for state, of in STATES.items()} == expected


def test_a_blocked_turn_decides_nothing_about_its_errors() -> None:
    history = History("e", STATES["blocked"])
    history.append(Turn(3, AT + 3, (), (REST,), Status.RUNNING))
    assert list(history.open) == ["1", "2", "1:retry1"]
    given_up = History("e", STATES["blocked"])
    given_up.append(Turn(3, AT + 3, (), (c.Complete(0),), Status.COMPLETED))
    assert list(given_up.open) == ["2"]


def test_steps_are_taken_without_a_message() -> None:
    history = History("e", turns(((STARTED,), (c.RunStep("1", "work"),))))
    assert history.has_open_steps()
    history.take_step(e.StepErrored(NOW, "1", 1, FAILED))
    assert history.has_open_steps()
    history.take_step(e.StepSucceeded(NOW, "1", 5))
    assert not history.has_open_steps()


@pytest.mark.parametrize(
    ("retry", "is_open"), [((c.StartTimer("1:retry1", NOW),), True), ((), False)]
)
def test_a_step_that_erred_is_open_if_it_is_tried_again(
    retry: tuple[c.Command, ...], is_open: bool
) -> None:
    erred = e.StepErrored(AT, "1", 1, FAILED)
    history = History("e", turns(((STARTED, erred), (c.RunStep("1", "work"), *retry))))
    assert history.has_open_steps() is is_open
    later = turns(((STARTED,), (c.RunStep("1", "work"),)), ((erred,), retry))
    assert History("e", later).has_open_steps() is is_open


def test_time_never_goes_back() -> None:
    history = History("e", STATES["begun"])
    late = history.accept(Update("e", "1", 2), AT - 10_000)  # a worker whose clock is behind
    assert isinstance(late, e.CallSucceeded)
    assert late.at == AT + 1
    fired = history.accept(Timer("e", "2", 0), AT - 10_000)
    assert isinstance(fired, e.TimerFired)
    assert fired.at == AT + 2_001
    assert history.clock(AT) == AT + 2_001


def test_a_large_request_is_recognised_by_its_digest() -> None:
    payload = {"n": 1}
    ref = e.BlobRef("key", fingerprint(payload), 9)
    assert digest(ref) == digest(payload)
    history = History("e", STATES["begun"])
    assert history.accept(Request("e", "flow", ref), NOW) == Duplicate(1)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_turn_out_of_order_is_refused(number: int) -> None:
    history = History("e", STATES["begun"])
    with pytest.raises(ValueError, match=rf"turn {number} \(RUNNING\) does not follow turn 1"):
        history.append(Turn(number, AT, (), ()))


LOOKS: list[tuple[Callable[[History], object], object, object]] = [
    (lambda h: h.status, Status.RUNNING, Status.COMPLETED),
    (lambda h: h.started, None, STARTED),
    (lambda h: h.next_number, 1, 3),
    (lambda h: h.usage, Usage(), Usage()),
    (lambda h: len(list(h.events())), 0, 2),
]


@pytest.mark.parametrize(("look", "empty", "ended"), LOOKS)
def test_what_a_history_says_of_itself(
    look: Callable[[History], object], empty: object, ended: object
) -> None:
    assert look(History("e")) == empty
    assert look(History("e", STATES["completed"])) == ended
