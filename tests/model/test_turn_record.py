"""The turn record: what is written comes back, stays small, and is refused where it must be."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.turn import (
    PARSED_TOGETHER,
    RECORD_FORMAT,
    Turn,
    decode_turn,
    decode_turns,
    encode_turn,
    with_usage,
)
from lambda_workflow.model.usage import Usage

AT = 1_767_225_600_000
BLOB = e.BlobRef("0f/abc", "abc", 70_000)
# Shapes that look like the record's own marks are payloads like any other.
PAYLOADS: list[Any] = [
    None, True, 0, -1.5, 10**30, "", "é\u2028\x00\"\\", [], {}, [[None]], {"a": {"b": [1]}},
    {"$blob": ["k", "d", 1]}, {"$plain": 1}, {"$plain": {"$blob": 2}}, {"$blob": 1, "x": 2},
    [{"$blob": ["k", "d", 1]}], BLOB,
]  # fmt: skip
FAILURES = [
    e.Failure("T", "m"),
    e.Failure("a.b.T", "", False, {"code": [1, None]}, "stack\nof it"),
    e.Failure("T", "m", True, 0, ""),
    e.Failure("KeyError", "('a', 1)", args=[{"$tuple": ["a", 1]}]),
]
OPERATIONS = ["1", "2.10.3", "3:timeout", "4:retry2", "_.1"]
LATER = [0, 1, -3, 86_400_000]


OPTIONS = e.StartOptions("s", "secret", 1000, AT, 2, {"team": "blue"}, {"note": [1]})


def events() -> Iterator[e.Event]:
    """Every kind of fact with every kind of part."""
    for payload, later in itertools.product(PAYLOADS, LATER):
        at = AT + later
        yield e.CallSucceeded(at, "1", payload)
        yield e.StepSucceeded(at, "2.1", payload)
        yield e.Started(at, "flow", payload, 1)
    callback = e.Callback("https://sqs.example.com/q.fifo", "parent", "parent/1")
    for version, attempt, owed in itertools.product(["", "v7"], [1, 3], [None, callback]):
        yield e.Started(AT + 5, "flow", 1, 2, version, attempt, owed)
        yield e.Started(AT, "flow", BLOB, 2, version, attempt, owed)
    for failure, later, attempt in itertools.product(FAILURES, LATER, [1, 12]):
        yield e.CallErrored(AT + later, "1", attempt, failure)
        yield e.StepErrored(AT + later, "1", attempt, failure)
    for operation, later in itertools.product(OPERATIONS, LATER):
        yield e.TimerFired(AT + later, operation)
    for payload, later in itertools.product(PAYLOADS, LATER):
        signal = e.Signalled(AT + later, "nudge", payload, "s1")
        yield signal
        yield e.UpdateRequested(AT + later, "rename", payload, "u1")
        yield e.Signalled(AT + later, "nudge", payload, "s3", checked=True)
        yield e.UpdateRequested(AT + later, "rename", payload, "u3", checked=True)
        asked = e.UpdateRequested(AT, "rename", payload, "u2")
        run = e.Run(2, AT, "abc", (signal, asked, e.Signalled(AT, "other", 1, "s2")), ("s1", "s0"))
        yield e.Started(AT + later, "flow", payload, 1, run=run)
        yield e.Started(AT + later, "flow", payload, 1, options=OPTIONS, run=run)
        yield e.Started(AT + later, "flow", payload, 1, callback=callback, options=OPTIONS)
    for later in LATER:
        yield e.Heartbeat(AT + later, "3", {"done": [1, 2]})
        yield e.Heartbeat(AT + later, "2~1.1")
        yield e.CancelRequested(AT + later, "enough", 5000)
        yield e.CancelRequested(AT + later, "enough", 5000, "c1")
        yield from (e.Paused(AT + later, "lunch", "p1"), e.Resumed(AT + later, "r1"))
        yield e.Terminated(AT + later, "gone", "t1")
        yield from (e.Terminated(AT + later, "gone"), e.Paused(AT + later, ""))
        yield e.Resumed(AT + later)


def commands() -> Iterator[c.Command]:
    """Every kind of command with every kind of part."""
    for payload, name in itertools.product(PAYLOADS, ["", "check"]):
        yield c.ScheduleCall("2.1", "fraud", payload, name)
        yield c.Complete(payload)
    for operation in OPERATIONS:
        yield from (c.CancelCall(operation), c.CancelTimer(operation))
        yield from (c.StartTimer(operation, AT), c.StartTimer(operation, 0, "nap"))
        yield from (c.RetryCall(operation, 2), c.RunStep(operation, "work"))
    yield from (c.Fail(failure) for failure in FAILURES)
    signals = (e.Signalled(AT, "nudge", {"a": 1}, "s1"), e.Signalled(0, "nudge", BLOB, "s2"))
    for payload in PAYLOADS:
        yield c.ScheduleCall("2.1", "fraud", payload, "", 30_000)
        yield from (c.SetStatus(payload), c.Answer("u1", payload), c.Send("4", "mail", payload))
        yield from (c.ContinueAsNew(payload), c.ContinueAsNew(payload, signals))
        yield c.StartChild("5", "ship", payload, "e/5")
        yield c.StartChild("5", "ship", payload, "e/5", "other", "abandon", True, "first")
        yield c.Send("4", "mail", payload, "welcome")
    yield from (c.Answer("u1", None, failure) for failure in FAILURES)
    yield from (c.OpenCallback("6"), c.OpenCallback("6", "boss"), c.OpenScope("2.", "pay"))
    yield from (
        c.SetAside("nudge", "s1", "found str"),
        c.Declare("signal", "nudge", {"type": "string"}, "0f"),
        c.Declare("update", "sum", None),
        c.Patch("two-checks"),
        c.RunStep("7", "work", True),
    )
    for status in (Status.CANCELLED, Status.TERMINATED, Status.TIMED_OUT):
        yield c.End(status, "enough")


EVENTS, COMMANDS = list(events()), list(commands())


def came_back(turn: Turn) -> None:
    decoded = decode_turn(encode_turn(turn))
    assert decoded == turn
    for made, given in zip(
        (*decoded.events, *decoded.commands), (*turn.events, *turn.commands), strict=True
    ):
        assert type(made) is type(given)
    assert encode_turn(decoded) == encode_turn(turn)


def test_the_samples_are_of_every_kind() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(e.Event))
    assert {type(command) for command in COMMANDS} == set(get_args(c.Command))


def test_every_fact_and_command_comes_back_alone() -> None:
    for event in EVENTS:
        came_back(Turn(1, AT, (event,), ()))
    for command in COMMANDS:
        came_back(Turn(1, AT, (), (command,)))


def test_every_fact_comes_back_beside_every_command() -> None:
    for event, command in itertools.product(EVENTS[::7], COMMANDS):
        came_back(Turn(2, AT, (event,), (command,)))


def test_all_of_them_come_back_in_one_record() -> None:
    came_back(Turn(9, AT, tuple(EVENTS), tuple(COMMANDS)))


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("reason", ["", "NonDeterminismError: `a` is now `b`\n  - history"])
def test_status_reason_and_usage_come_back(status: Status, reason: str) -> None:
    came_back(Turn(3, AT, (), (), status, reason, Usage(1, 2, 3, 4, 5, 6, 7)))


@pytest.mark.parametrize(
    "count", [0, 1, PARSED_TOGETHER - 1, PARSED_TOGETHER, 3 * PARSED_TOGETHER + 1]
)
def test_many_records_are_read_as_each_alone(count: int) -> None:
    turns = [
        Turn(n + 1, AT + n, (EVENTS[n % len(EVENTS)],), (COMMANDS[n % len(COMMANDS)],))
        for n in range(count)
    ]
    assert decode_turns(map(encode_turn, turns)) == turns


def test_a_record_is_this_text() -> None:
    turn = Turn(
        7,
        AT,
        (e.CallSucceeded(AT, "1", {"likely": False}), e.TimerFired(AT - 40, "2")),
        (c.ScheduleCall("3", "ledger", 5), c.CancelTimer("2.1")),
        usage=Usage(7, 1, 8, 7, 7, 7, 900),
    )
    assert json.loads(encode_turn(turn)) == {
        "v": 1,
        "n": 7,
        "t": AT,
        "e": [["ok", "1", {"likely": False}], ["fired", "2", -40]],
        "c": [["call", "3", "ledger", 5], ["untimer", "2.1"]],
        "u": [7, 1, 8, 7, 7, 7, 900],
    }


def test_an_ordinary_record_is_far_below_one_write_unit() -> None:
    usage = Usage(10_000, 1, 20_000, 10_000, 10_000, 10_000, 3_000_000)
    fact = e.CallSucceeded(AT, "12345", {"balance": "1234.56", "currency": "EUR"})
    intent = c.ScheduleCall("12346", "ledger", {"from": "a" * 36, "to": "b" * 36, "amount": "1"})
    assert len(encode_turn(Turn(10_000, AT, (fact,), (intent,), usage=usage)).encode()) < 512


GOOD = encode_turn(Turn(1, AT, (e.Started(AT, "flow", 1, 1),), ()))


def changed(**fields: Any) -> str:
    data = {**json.loads(GOOD), **fields}
    return json.dumps({key: value for key, value in data.items() if value != "absent"})


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "17", "null", '"text"', "{}", GOOD[:-1], GOOD + "}", GOOD + GOOD,
        f"{GOOD},{GOOD}",
        *(changed(**{field: "absent"}) for field in "vntecu"),
        changed(e=[["nonsense", "1"]]), changed(e=[["ok"]]), changed(e=[[]]), changed(e=[7]),
        changed(c=[["nonsense", "1"]]), changed(c=[["call", "1"]]), changed(c=None),
        changed(s="SLEEPING"), changed(u=[1, 2]), changed(u=None), changed(v="1"),
        changed(e=[["ok", "1", {"$blob": ["k"]}]]),
        changed(e=[["err", "1", 1, "words"], ["fired", "2"]]),
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused_and_shown(text: str) -> None:
    with pytest.raises(WorkflowError, match="not a turn record"):
        decode_turn(text)


def test_a_record_of_a_newer_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(WorkflowError) as refused:
        decode_turn(changed(v=RECORD_FORMAT + 1, x="whatever came since"))
    assert str(refused.value) == (
        "turn record of format 2: this version reads up to 1; deploy the newer lambda-workflow "
        "that wrote it"
    )


def test_a_bad_record_among_many_is_refused() -> None:
    with pytest.raises(WorkflowError):
        decode_turns([GOOD] * 70 + ["{}"] + [GOOD])


@pytest.mark.parametrize("writer", ["", "ab12.3"])
@pytest.mark.parametrize("payload", [*PAYLOADS[:-1], ',"u":', {',"u":': [',"u":']}])
def test_a_record_gets_its_usage_afterwards(payload: Any, writer: str) -> None:
    before = Turn(3, AT, (e.CallSucceeded(AT, "1", payload),), (c.Complete(payload),))
    usage = Usage(writes=3, sends=1, bytes=712)
    turn = replace(before, usage=usage, writer=writer)
    assert with_usage(encode_turn(before), turn) == encode_turn(turn)
