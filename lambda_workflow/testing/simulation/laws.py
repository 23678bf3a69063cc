"""What must hold when a run has come to its end, whatever happened on the way.

Laws (each is one function below, under its number)
 1. Every execution has ended as its model says.
 2. Turn numbers are contiguous, time never goes back, and nothing follows the end.
 3. Every fact is recorded once: one start, one result for an operation, one error for an attempt.
 4. Every command is recorded once, and every fact is about an operation that was commanded.
 5. Every call that was commanded and not withdrawn was performed, and each recorded result is an
    answer that its service gave.
 6. A timer is recorded as fired no earlier than it was due.
 7. The header says what the history says.
 8. The outcome went to the response queue and to the caller that it was owed to, and no other did.
 9. The dead-letter queue holds the poison, all of it, intact, and nothing else.
10. No queue holds anything any more.
11. Replaying the final history from scratch gives the same commands.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.ids import operation_of, task_id
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Update
from lambda_workflow.model.payload import Json, loads
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.wire import parse, render
from lambda_workflow.ports import Header
from lambda_workflow.testing.simulation.run import CALLER_URL, Execution, Run
from lambda_workflow.testing.simulation.shape import Outcome
from lambda_workflow.testing.simulation.world import finish


def violations(run: Run) -> list[str]:
    """Every law that a finished run breaks, in words; none is what we want to see."""
    found = list(_world_laws(run))
    for execution in run.executions:
        turns = run.turns(execution)
        found += [f"{execution.id}: {text}" for text in _execution_laws(run, execution, turns)]
    return found


def _execution_laws(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    if not turns:
        yield "law 1: it was never started"
        return
    outcome = outcome_of(run, turns)
    if outcome is None:
        yield f"law 1: it is stuck, {turns[-1].status} after turn {len(turns)} {turns[-1].reason}"
    elif not execution.shape.allows(execution.request, outcome):
        what = outcome.failure or outcome.result
        yield f"law 1: {outcome.status} with {what!r:.300} for request {execution.request!r:.200}"
    yield from _order_laws(turns)
    yield from _fact_laws(turns)
    yield from _service_laws(run, execution, turns)
    if outcome is not None:
        yield from _announcement_laws(run, execution, outcome)


def outcome_of(run: Run, turns: Sequence[Turn]) -> Outcome | None:
    """How an execution ended; None while it has not."""
    for command in turns[-1].commands:
        if isinstance(command, c.Complete):
            result = _inline(run, command.payload)
            return Outcome(turns[-1].status, result, None, turns)
        if isinstance(command, c.Fail):
            return Outcome(turns[-1].status, None, command.failure, turns)
    return None


def _inline(run: Run, payload: Json | e.BlobRef) -> Json:
    if isinstance(payload, e.BlobRef):
        content = finish(run.world.blobs.get(payload.key))
        return loads(content.decode())
    return payload


def _order_laws(turns: Sequence[Turn]) -> Iterator[str]:
    numbers = [turn.number for turn in turns]
    if numbers != list(range(1, len(turns) + 1)):
        yield f"law 2: turns are numbered {numbers}"
    moments = [event.at for turn in turns for event in turn.events]
    if moments != sorted(moments):
        yield f"law 2: time goes back: {moments}"
    for turn in turns[:-1]:
        if turn.status.closed:
            yield f"law 2: turn {turn.number} closed it, and {len(turns)} turns there are"


def _fact_laws(turns: Sequence[Turn]) -> Iterator[str]:
    facts: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    due: dict[str, int] = {}
    for turn in turns:
        for event in turn.events:
            key = _fact_key(event)
            facts[key] += 1
            operation = getattr(event, "operation", "")
            if isinstance(event, e.TimerFired) and event.at < due.get(operation, 0):
                yield f"law 6: timer {operation} fired at {event.at}, due {due[operation]}"
            if not operation or isinstance(event, e.StepSucceeded | e.StepErrored):
                continue  # a step may be commanded and done within one turn
            if operation not in commands:
                yield f"law 4: {key} is recorded, but was never commanded"
        for command in turn.commands:
            commands[_command_key(command)] += 1
            if isinstance(command, c.StartTimer):
                due[command.operation] = command.due
    yield from (f"law 3: {key} is recorded {n} times" for key, n in facts.items() if n > 1)
    yield from (f"law 4: {key} is commanded {n} times" for key, n in commands.items() if n > 1)


def _fact_key(event: e.Event) -> str:
    match event:
        case e.Started():
            return "start"
        case e.CallSucceeded() | e.StepSucceeded() | e.TimerFired():
            return f"result of {event.operation}"
        case e.CallErrored() | e.StepErrored():
            return f"error of {event.operation}, attempt {event.attempt}"
        case e.Signalled() | e.UpdateRequested():
            return f"{type(event).__name__} {event.id}"
        case e.Heartbeat() | e.Paused() | e.Resumed():
            return f"{type(event).__name__} of {event.operation} at {event.at} {id(event)}"
        case e.CancelRequested() | e.Terminated():
            return type(event).__name__
        case _:
            assert_never(event)


def _command_key(command: c.Command) -> str:
    match command:
        case c.ScheduleCall() | c.StartTimer() | c.RunStep():
            return command.operation
        case c.RetryCall():
            return f"{command.operation} again, attempt {command.attempt}"
        case c.CancelCall() | c.CancelTimer():
            return f"withdrawal of {command.operation}"
        case c.Complete() | c.Fail() | c.End():
            return "end"
        case c.OpenCallback() | c.StartChild() | c.Send() | c.OpenScope():
            return command.operation
        case c.Patch():
            return f"patch {command.name}"
        case c.Answer():
            return f"answer to {command.id}"
        case c.SetStatus() | c.ContinueAsNew():
            return f"{type(command).__name__} {id(command)}"
        case _:
            assert_never(command)


def _service_laws(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    scheduled = [x for turn in turns for x in turn.commands if isinstance(x, c.ScheduleCall)]
    withdrawn = {
        x.operation for turn in turns for x in turn.commands if isinstance(x, c.CancelCall)
    }
    for call in scheduled:
        task = task_id(execution.id, call.operation)
        if not run.services.performed[task] and call.operation not in withdrawn:
            yield f"law 5: {call.service} never performed call {call.operation}"
    for turn in turns:
        for event in turn.events:
            if isinstance(event, e.CallSucceeded):
                answers = run.services.answers.get(task_id(execution.id, event.operation), set())
                given = [a.payload for a in map(parse, answers) if isinstance(a, Update)]
                if event.payload not in given:
                    yield f"law 5: result {event.payload!r:.100} of {event.operation} was not given"


def _announcement_laws(run: Run, execution: Execution, outcome: Outcome) -> Iterator[str]:
    header: Header | None = finish(run.world.store.header(execution.id))
    if header is None or header.status is not outcome.status or header.closed_at is None:
        yield f"law 7: {outcome.status}, but the header is {header}"
    said = [json.loads(text) for text in run.world.responses]
    mine = [response for response in said if response["execution_id"] == execution.id]
    if not mine:
        yield "law 8: its outcome was never sent to the response queue"
    if any(response["status"] != outcome.status for response in mine):
        yield f"law 8: {outcome.status}, but the response queue got {mine}"
    if execution.callback is None:
        return
    operation = operation_of(execution.callback.task_id)
    owed = [
        message
        for message in run.world.elsewhere.get(CALLER_URL, [])
        if isinstance(message, Update) and message.operation == operation
    ]
    if not owed:
        yield "law 8: its caller never got the outcome"
    if len({render(message) for message in owed}) > 1:
        yield f"law 8: its caller got different outcomes: {owed}"
    if any((message.failure is None) != (outcome.status is Status.COMPLETED) for message in owed):
        yield f"law 8: {outcome.status}, but its caller got {owed}"


def _world_laws(run: Run) -> Iterator[str]:
    world = run.world
    moved = {letter.body for letter in world.poison}
    if moved != set(run.poison):
        yield f"law 9: poison {sorted(run.poison)}, but moved away were {sorted(moved)}"
    if world.inbox.dead:
        yield f"law 9: the dead-letter queue has {world.inbox.dead[:3]}; {world.losses[-3:]}"
    if any(not letter.reason for letter in world.poison):
        yield "law 9: a dead letter has no reason"
    for queue in (world.inbox, world.delays, world.tasks):
        if queue.messages:
            yield f"law 10: {queue.name} still has {queue.messages[:3]}"
