"""The wire: every message literally, and what is said of those that cannot be understood."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambda_workflow.errors import MessageError
from lambda_workflow.model.events import BlobRef, Callback, Failure
from lambda_workflow.model.messages import (
    Cancel,
    Message,
    Pause,
    Redrive,
    Request,
    Response,
    Resume,
    Task,
    Terminate,
    Timer,
    Update,
)
from lambda_workflow.model.wire import parse, parse_task, render, render_response, render_task

CALLBACK = Callback("https://sqs.eu-west-1.amazonaws.com/1/parent.fifo", "parent", "parent/2.1")
REF = BlobRef("0f/abc", "abc", 70_000)
REF_JSON = {"key": "0f/abc", "digest": "abc", "bytes": 70_000}
FULL = Failure("Declined", "no funds", False, {"code": 7}, "line 1\nline 2")

WIRE: list[tuple[Message, dict[str, Any]]] = [
    (
        Request("e", "transfer", {"amount": 3}),
        {"type": "Request", "execution_id": "e", "workflow": "transfer", "request": {"amount": 3}},
    ),
    (
        Request("e", "transfer", None, CALLBACK, 2),
        {
            "type": "Request",
            "execution_id": "e",
            "workflow": "transfer",
            "request": None,
            "attempt": 2,
            "callback": {
                "queue_url": CALLBACK.queue_url,
                "execution_id": "parent",
                "task_id": "parent/2.1",
            },
        },
    ),
    (
        Request("e", "transfer", REF),
        {"type": "Request", "execution_id": "e", "workflow": "transfer", "request_ref": REF_JSON},
    ),
    (
        Update("e", "2.1", [1, "é"]),
        {"type": "Update", "execution_id": "e", "task_id": "e/2.1", "payload": [1, "é"]},
    ),
    (
        Update("e", "1", None, None, 3),
        {"type": "Update", "execution_id": "e", "task_id": "e/1", "attempt": 3, "payload": None},
    ),
    (
        Update("e", "1", REF),
        {"type": "Update", "execution_id": "e", "task_id": "e/1", "payload_ref": REF_JSON},
    ),
    (
        Update("e", "1", failure=Failure("Declined", "no funds")),
        {
            "type": "Update",
            "execution_id": "e",
            "task_id": "e/1",
            "error": {"type": "Declined", "message": "no funds"},
        },
    ),
    (
        Update("e", "1", failure=FULL, attempt=2),
        {
            "type": "Update",
            "execution_id": "e",
            "task_id": "e/1",
            "attempt": 2,
            "error": {
                "type": "Declined",
                "message": "no funds",
                "retryable": False,
                "details": {"code": 7},
                "stack": "line 1\nline 2",
            },
        },
    ),
    (
        Timer("e", "3:timeout", 1_767_225_600_000),
        {"type": "Timer", "execution_id": "e", "task_id": "e/3:timeout", "due": 1_767_225_600_000},
    ),
    (Redrive("e"), {"type": "Redrive", "execution_id": "e"}),
    (Redrive("e", "r1"), {"type": "Redrive", "execution_id": "e", "id": "r1"}),
    (
        Cancel("e", "enough", 5_000, id="c1"),
        {"type": "Cancel", "execution_id": "e", "reason": "enough", "grace_ms": 5_000, "id": "c1"},
    ),
    (
        Cancel("e"),
        {"type": "Cancel", "execution_id": "e", "reason": "", "grace_ms": 300_000},
    ),
    (
        Terminate("e", "gone", id="t1"),
        {"type": "Terminate", "execution_id": "e", "reason": "gone", "id": "t1"},
    ),
    (Pause("e"), {"type": "Pause", "execution_id": "e", "reason": ""}),
    (
        Pause("e", "lunch", "p1"),
        {"type": "Pause", "execution_id": "e", "reason": "lunch", "id": "p1"},
    ),
    (Resume("e"), {"type": "Resume", "execution_id": "e"}),
    (Resume("e", "r1"), {"type": "Resume", "execution_id": "e", "id": "r1"}),
]


@pytest.mark.parametrize(("message", "wire"), WIRE)
def test_a_message_is_written_and_read_literally(message: Message, wire: dict[str, Any]) -> None:
    assert json.loads(render(message)) == wire
    assert parse(json.dumps(wire)) == message


@pytest.mark.parametrize(("message", "wire"), WIRE)
def test_the_original_s_invocation_id_is_accepted(message: Message, wire: dict[str, Any]) -> None:
    renamed = {"invocation_id" if key == "execution_id" else key: wire[key] for key in wire}
    assert parse(json.dumps(renamed)) == message


@pytest.mark.parametrize(("message", "wire"), WIRE)
def test_fields_of_a_later_version_are_ignored(message: Message, wire: dict[str, Any]) -> None:
    assert parse(json.dumps({**wire, "priority": {"of": "tomorrow"}})) == message


def update(**fields: Any) -> dict[str, Any]:
    return {"type": "Update", "execution_id": "e", "task_id": "e/1", **fields}


def request(**fields: Any) -> dict[str, Any]:
    return {"type": "Request", "execution_id": "e", "workflow": "w", "request": 1, **fields}


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({}, Failure("Error", "")),
        ({"type": "T"}, Failure("T", "")),
        ({"message": "m", "retryable": None}, Failure("Error", "m")),
        ({"type": 5, "message": ["m"], "stack": [1]}, Failure("5", "['m']", stack="[1]")),
        ("just words", Failure("Error", "just words")),
        ([1], Failure("Error", "[1]")),
    ],
)
def test_an_error_of_an_adapter_in_another_language_may_be_brief(
    error: Any, failure: Failure
) -> None:
    assert parse(json.dumps(update(error=error))) == Update("e", "1", None, failure)


def test_a_bare_operation_id_is_accepted_for_a_task_id() -> None:
    assert parse(json.dumps(update(task_id="2.1", payload=1))) == Update("e", "2.1", 1)


@pytest.mark.parametrize("task", ["other/1", "e2/1", "/1", "e/e/1", "f/e/1", "E/1"])
@pytest.mark.parametrize("kind", ["Update", "Timer"])
def test_a_task_of_another_execution_is_refused(kind: str, task: str) -> None:
    wire = {"type": kind, "execution_id": "e", "task_id": task, "due": 1, "payload": 1}
    with pytest.raises(MessageError, match="not one of `execution_id` 'e'") as refused:
        parse(json.dumps(wire))
    assert repr(task) in str(refused.value)


def test_an_execution_id_may_have_the_slash_that_ends_it_in_a_task_id() -> None:
    wire = update(execution_id="a/b", task_id="a/b/2.1", payload=1)
    assert parse(json.dumps(wire)) == Update("a/b", "2.1", 1)
    with pytest.raises(MessageError, match="not one of `execution_id` 'a/b'"):
        parse(json.dumps({**wire, "task_id": "b/2.1"}))


def test_an_update_without_a_payload_says_null() -> None:
    assert parse(json.dumps(update())) == Update("e", "1", None)


MALFORMED: list[tuple[Any, str]] = [
    ("", "not JSON"),
    ("{", "not JSON"),
    ('{"a":1}{', "not JSON"),
    ("[" * 100_000, "not JSON"),
    ('{"type":"Update","execution_id":"e","task_id":"1","payload":NaN}', "not JSON"),
    ([1], "a JSON list, not an object"),
    ("17", "a JSON int, not an object"),
    ("null", "a JSON NoneType, not an object"),
    ({}, "`execution_id`: execution id of 0 characters"),
    (update(execution_id=""), "`execution_id`: execution id of 0 characters"),
    (update(execution_id=7), "`execution_id`: execution id of 0 characters"),
    (update(execution_id="a b"), "`execution_id`: execution id 'a b' has ' '"),
    (update(execution_id="blob:a"), "`execution_id`: execution id 'blob:a' begins with 'blob:'"),
    (request(execution_id="task:a"), "`execution_id`: execution id 'task:a' begins with 'task:'"),
    (update(execution_id="x" * 129), "`execution_id`: execution id of 129 characters"),
    ({"execution_id": "e"}, "`type` is None: expected one of Request, Update, Timer, "),
    ({"execution_id": "e", "type": "Wat"}, "`type` is 'Wat': expected"),
    ({"execution_id": "e", "type": ["Update"]}, "`type` is list of 1: expected"),
    (request(workflow=None), "`workflow` is missing or not a non-empty string"),
    (request(workflow=""), "`workflow` is missing"),
    (request(attempt="2"), "`attempt` is missing or not a whole number"),
    (request(attempt=1.5), "`attempt`"),
    (request(attempt=True), "`attempt`"),
    (request(attempt=-1), "`attempt`"),
    (request(callback="x"), "`callback` is not an object"),
    (request(callback={"queue_url": "q"}), "`execution_id` is missing"),
    (request(callback={"queue_url": "", "execution_id": "p", "task_id": "t"}), "`queue_url`"),
    (request(request_ref="x"), "`request_ref` is not an object"),
    (request(request_ref={"key": "k", "digest": "d"}), "`bytes` is missing"),
    (update(task_id=None), "`task_id` is missing or not a non-empty string"),
    (update(task_id=4), "`task_id` is missing"),
    (update(attempt=None), "`attempt`"),
    (update(payload_ref=[]), "`payload_ref` is not an object"),
    (update(payload_ref={"digest": "d", "bytes": 1}), "`key` is missing"),
    ({"type": "Timer", "execution_id": "e", "due": 1}, "`task_id` is missing"),
    ({"type": "Timer", "execution_id": "e", "task_id": "e/1"}, "`due` is missing"),
    ({"type": "Timer", "execution_id": "e", "task_id": "e/1", "due": "now"}, "`due`"),
]


@pytest.mark.parametrize(("wire", "told"), MALFORMED)
def test_a_malformed_message_is_refused_with_what_is_wrong(wire: Any, told: str) -> None:
    with pytest.raises(MessageError) as refused:
        parse(wire if isinstance(wire, str) else json.dumps(wire))
    assert str(refused.value).startswith(told)


ODD: list[Any] = [None, True, 0, -1, 1.5, 10**40, "", "x", " ", "\ud800", [], [1], {}, {"a": []}]


def with_each_field_odd(wire: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for field, value in wire.items():
        for odd in ODD:
            yield {**wire, field: odd}
            if isinstance(value, dict):
                for inner in value:
                    yield {**wire, field: {**value, inner: odd}}
        yield {name: other for name, other in wire.items() if name != field}


@pytest.mark.parametrize(("message", "wire"), WIRE)
def test_whatever_stands_in_a_field_is_understood_or_refused(
    message: Message, wire: dict[str, Any]
) -> None:
    for odd in with_each_field_odd(wire):
        try:
            understood = parse(json.dumps(odd))
        except MessageError:
            continue
        assert parse(render(understood)) == understood


TASK = Task("e", "e/2.1", "fraud", {"amount": 3}, 2, "https://sqs.example.com/1/bank.fifo")
TASK_JSON = {
    "execution_id": "e",
    "task_id": "e/2.1",
    "service": "fraud",
    "callback_queue_url": "https://sqs.example.com/1/bank.fifo",
    "attempt": 2,
    "payload": {"amount": 3},
}


def test_a_task_is_written_and_read_literally() -> None:
    assert json.loads(render_task(TASK)) == TASK_JSON
    assert parse_task(json.dumps(TASK_JSON)) == TASK


def test_a_large_task_carries_a_reference() -> None:
    task = Task("e", "e/1", "fraud", REF, 1, "q")
    assert json.loads(render_task(task))["payload_ref"] == REF_JSON
    assert parse_task(render_task(task)) == task


def test_a_task_of_the_original_may_lack_what_it_did_not_have() -> None:
    brief = {"invocation_id": "e", "task_id": "e/1", "payload": 5}
    assert parse_task(json.dumps(brief)) == Task("e", "e/1", "", 5, 1, "")


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        ({"task_id": "e/1"}, "`execution_id` is missing or not a string"),
        ({"execution_id": 3, "task_id": "e/1"}, "`execution_id`"),
        ({"execution_id": "e"}, "`task_id`"),
        ({"execution_id": "e", "task_id": "e/1", "attempt": "1"}, "`attempt`"),
        ([], "a JSON list"),
    ],
)
def test_a_malformed_task_is_refused_with_what_is_wrong(wire: Any, told: str) -> None:
    with pytest.raises(MessageError) as refused:
        parse_task(json.dumps(wire))
    assert str(refused.value).startswith(told)


def test_a_task_s_answer_is_for_its_operation_and_attempt() -> None:
    assert TASK.update(7) == Update("e", "2.1", 7, None, 2)
    assert TASK.update(failure=FULL) == Update("e", "2.1", None, FULL, 2)


@pytest.mark.parametrize(
    ("response", "rest"),
    [
        (Response("e", "t", "COMPLETED", [1]), {"status": "COMPLETED", "result": [1]}),
        (Response("e", "t", "COMPLETED", REF), {"status": "COMPLETED", "result_ref": REF_JSON}),
        (
            Response("e", "t", "FAILED", None, Failure("T", "m")),
            {"status": "FAILED", "error": {"type": "T", "message": "m"}},
        ),
    ],
)
def test_a_response_is_written_literally(response: Response, rest: dict[str, Any]) -> None:
    fixed = {"type": "Response", "execution_id": "e", "workflow": "t"}
    assert json.loads(render_response(response)) == {**fixed, **rest}


@pytest.mark.parametrize("after", ["-1", '"soon"', "true", "null"])
def test_a_delay_that_no_clock_can_count_is_none(after: str) -> None:
    error = f'{{"type":"Busy","message":"","retry_after":{after}}}'
    update = parse(f'{{"type":"Update","execution_id":"e","task_id":"e/1","error":{error}}}')
    assert isinstance(update, Update)
    assert update.failure == Failure("Busy", "")
