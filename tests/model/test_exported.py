"""The document of an exported history."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.exported import read_history, write_history
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.tokens import make_token
from lambda_workflow.model.turn import Turn

STARTED = e.Started(1000, "flow", {"ä": [1, None, "\u2028\n"]}, 1, "2")
TURNS = [
    Turn(1, 1001, (STARTED,), (c.ScheduleCall("1", "s", {"$blob": 1}), c.RunStep("2", "step"))),
    Turn(2, 1002, (e.StepSucceeded(1002, "2", "x" * 500_000),), ()),
    Turn(3, 1003, (e.CallSucceeded(1003, "1", {"$plain": []}),), (), Status.BLOCKED, "why"),
    Turn(4, 1004, (), (c.Fail(e.Failure("T", "m", False, {"k": 1}, "stack")),), Status.FAILED),
]


def document(**changed: Any) -> str:
    return json.dumps({**json.loads(write_history(History("e", TURNS))), **changed})


@pytest.mark.parametrize("turns", range(1, len(TURNS) + 1))
def test_it_is_read_as_it_was_written(turns: int) -> None:
    history = History("e/1", TURNS[:turns])
    read = read_history(write_history(history))
    assert (read.execution_id, read.turns) == ("e/1", history.turns)


def test_it_is_json_with_a_head_and_a_turn_to_a_line() -> None:
    text = write_history(History("e", TURNS))
    data = json.loads(text)
    assert {key: value for key, value in data.items() if key != "turns"} == {
        "kind": "lambda-workflow history",
        "format": 1,
        "execution_id": "e",
        "workflow": "flow",
        "version": "2",
        "status": "FAILED",
    }
    lines = text.splitlines() if "\u2028" not in text else text.split("\n")
    rows = [line.rstrip(",") for line in lines if line.startswith('{"')]
    assert [json.loads(row)["n"] for row in rows] == [1, 2, 3, 4]
    assert text.endswith("}\n")


def test_fields_of_a_later_version_are_ignored() -> None:
    assert read_history(document(further={"a": 1})).turns == TURNS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", "history export ID"),
        ("{}", "history export ID"),
        (document(kind="other"), "history export ID"),
        (document(turns=None), "history export ID"),
        (document(format="1"), "history export ID"),
        (document(execution_id=7), "history export ID"),
        (document(format=2), "format 2: this version reads up to 1"),
        (document(turns=[]), "does not begin with a start"),
        (document(turns=[{"v": 1}]), "not a turn record"),
        (document(turns=[{"v": 99}]), "turn record of format 99"),
        (document(turns=json.loads(document())["turns"][1:]), "has lost something: turn 2"),
    ],
)
def test_what_is_no_exported_history_is_refused(text: str, words: str) -> None:
    with pytest.raises(WorkflowError) as refused:
        read_history(text)
    assert words in str(refused.value)


def test_the_secret_of_callback_tokens_stays_in_the_store_and_the_tokens_fit_the_new_one() -> None:
    secret = "5hk3-secret"
    token = make_token(secret, "e", "1")
    options = e.StartOptions("id", secret)
    started = e.Started(1000, "flow", 1, 1, options=options)
    link = c.ScheduleCall("2", "mail", {"link": f"https://example.com/?t={token}"})
    turns = [
        Turn(1, 1000, (started,), (c.OpenCallback("1"), link)),
        Turn(2, 1001, (e.CallSucceeded(1001, "2", f"sent {token}"),), ()),
    ]
    text = write_history(History("e", turns))
    assert secret not in text
    assert token not in text
    read = read_history(text)
    assert read.started is not None
    fitting = make_token(read.started.options.secret, "e", "1")
    call = read.turns[0].commands[1]
    assert isinstance(call, c.ScheduleCall)
    assert call.payload == {"link": f"https://example.com/?t={fitting}"}
    assert list(read.events())[1] == e.CallSucceeded(1001, "2", f"sent {fitting}")
    assert write_history(read) == text
