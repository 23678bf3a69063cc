"""Drives workflow code by facts: answers what it asked for, in any order, and records the turns."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from lambda_workflow import NO_RETRY, App, Context, Service, workflow
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.replayer import replay
from lambda_workflow.replay.tools import Tools
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.lent import tools_for

Code = Callable[[Context, int], Coroutine[Any, Any, Any]]
Asked = c.ScheduleCall | c.StartTimer
Choose = Callable[[list[Asked]], int]

DOUBLE: Service[int, int] = Service("double", int, int)
OTHER: Service[int, int] = Service("other", int, int)
REFUSING: Service[int, int] = Service("refusing", int, int, retry=NO_RETRY)
START = 1_767_225_600_000
TURNS_MAX = 60
REFUSED = e.Failure("Refused", "no")


def flow(code: Code) -> Workflow[int, Any]:
    """The code as a workflow."""
    return workflow(name="flow")(code)


def tools(code: Workflow[int, Any], *, strict: bool = False) -> Tools:
    """What an App lends to it."""
    app = App("tests", workflows=[code], services=[DOUBLE, OTHER, REFUSING])
    return tools_for(app, strict=strict)


def calls_first(asked: list[Asked]) -> int:
    """The oldest call, else the timer that is due first."""
    for place, command in enumerate(asked):
        if isinstance(command, c.ScheduleCall):
            return place
    return min(range(len(asked)), key=lambda place: getattr(asked[place], "due", 0))


def answer(command: Asked, at: int) -> e.Event:
    """Calls are answered with their double, or refused; timers fire, never before their time."""
    if isinstance(command, c.StartTimer):
        return e.TimerFired(max(at, command.due), command.operation)
    if command.service == "refusing":
        return e.CallErrored(at, command.operation, 1, REFUSED)
    assert isinstance(command.payload, int)
    return e.CallSucceeded(at, command.operation, 2 * command.payload)


def drive(
    code: Workflow[int, Any],
    choose: Choose = calls_first,
    *,
    together: int = 1,
    n: int = 3,
    semantics: int = 1,
) -> list[Turn]:
    """Run the code to its end, `together` answers a turn."""
    execution = Execution(code, "e", tools(code))
    asked: list[Asked] = []
    turns: list[Turn] = []
    events: list[e.Event] = [e.Started(START, "flow", n, semantics)]
    for number in range(1, TURNS_MAX):
        execution.advance(events)
        commands = execution.ledger.settle()
        turns.append(Turn(number, events[-1].at, tuple(events), commands))
        gone = {x.operation for x in commands if isinstance(x, c.CancelCall | c.CancelTimer)}
        begun = [x for x in commands if isinstance(x, c.ScheduleCall | c.StartTimer)]
        asked = [x for x in (*asked, *begun) if x.operation not in gone]
        if execution.outcome is not None or not asked:
            break
        at, events = events[-1].at, []
        for _ in range(min(together, len(asked))):
            events.append(answer(asked.pop(choose(asked)), at + 10))
            at = events[-1].at
    execution.close()
    return turns


def every_order(code: Workflow[int, Any], together: int = 1) -> Iterator[list[Turn]]:
    """The turns for every order in which what is pending may be answered."""
    prefix: list[int] = []
    while True:
        widths: list[int] = []

        def choose(
            asked: list[Asked], widths: list[int] = widths, prefix: list[int] = prefix
        ) -> int:
            widths.append(len(asked))
            return prefix[len(widths) - 1] if len(widths) <= len(prefix) else 0

        yield drive(code, choose, together=together)
        chosen = prefix + [0] * (len(widths) - len(prefix))
        while chosen and chosen[-1] + 1 >= widths[len(chosen) - 1]:
            chosen.pop()
        if not chosen:
            return
        chosen[-1] += 1
        prefix = chosen


def replays(code: Workflow[int, Any], turns: list[Turn]) -> None:
    """Replay every prefix from scratch: it gives what was recorded, and wants what came next.

    Raises:
        NonDeterminismError: it does not.
    """
    for length in range(len(turns)):
        decision = replay(code, "e", turns[:length], tools(code), events=turns[length].events)
        assert decision.commands == turns[length].commands
    assert replay(code, "e", turns, tools(code)).commands == ()


def ids(turns: list[Turn]) -> list[str]:
    """The operations begun, in their order; timers with a `t`."""
    return [
        f"{x.operation}" if isinstance(x, c.ScheduleCall) else f"{x.operation}t"
        for turn in turns
        for x in turn.commands
        if isinstance(x, c.ScheduleCall | c.StartTimer)
    ]


def result(turns: list[Turn]) -> Any:
    """What the workflow returned."""
    last = turns[-1].commands[-1]
    assert isinstance(last, c.Complete), last
    return last.payload


def runs_and_replays(code: Code, operations: list[str], outcome: Any) -> None:
    """Whether code does these operations, ends so, and does the same in every replay."""
    made = flow(code)
    turns = drive(made)
    assert ids(turns) == operations
    assert result(turns) == outcome
    replays(made, turns)
