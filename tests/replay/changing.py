"""Whether changed code goes on from what other code has recorded."""

from __future__ import annotations

import pytest

from lambda_workflow import NonDeterminismError
from lambda_workflow.model import events as e
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.replayer import replay
from tests.replay.driving import START, Code, flow, tools


def play(code: Code, answers: int = 1) -> list[Turn]:
    """Some turns of the code: each open step and timer is answered, in the order of their start."""
    made = flow(code)
    execution = Execution(made, "e", tools(made))
    events: list[e.Event] = [e.Started(START, "flow", 3, 2)]
    turns: list[Turn] = []
    for number in range(1, answers + 2):
        execution.advance(events)
        turns.append(Turn(number, events[-1].at, tuple(events), execution.ledger.settle()))
        if execution.outcome is not None:
            break
        at, opened = events[-1].at, list(execution.ledger.operations.values())
        if opened:
            events = [e.StepSucceeded(at + 10, opened[0].operation, "x")]
        else:
            first = min(execution.ledger.timers)
            due = next(x.due for t in turns for x in t.commands if x.operation == first)  # type: ignore[union-attr]
            events = [e.TimerFired(max(at, due), first)]
    execution.close()
    return turns


def goes_on(before: Code, after: Code, answers: int = 1) -> None:
    turns = play(before, answers)
    replay(flow(after), "e", turns, tools(flow(after)))


def differs(before: Code, after: Code, answers: int = 1) -> str:
    with pytest.raises(NonDeterminismError) as told:
        goes_on(before, after, answers)
    reason = str(told.value)
    assert "tests/replay/test_" in reason.splitlines()[0]
    return reason
