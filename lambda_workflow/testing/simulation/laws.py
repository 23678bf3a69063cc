"""What must hold when a run has come to its end, whatever happened on the way.

Laws (each is a function below, under its number; the later ones stand in laws_beyond.py)
 1. Every execution has ended as its model says, or as somebody has told it to end.
 2. Turn numbers are contiguous, time never goes back, and nothing follows the end.
 3. Every fact is recorded once: one start of a run, one result for an operation, one error for an
    attempt, one signal, one request for an update, one order of an id.
 4. Every command is recorded once, and every fact is about an operation that was commanded (the
    answer to a callback may come before it).
 5. Every call that was commanded and not withdrawn was performed, and each recorded result is an
    answer that its service gave.
 6. A timer is recorded as fired no earlier than it was due.
 7. The header says what the history says, what the workflow says of itself included.
 8. The outcome went to the response queue and to the caller that it was owed to, and no other did.
 9. The dead-letter queue holds the poison, all of it, intact, and nothing else.
10. No queue holds anything any more.
11. Replaying the final history from scratch gives the same commands.
12. What stands still records, and does nothing.
13. A callback's answer was given with its token.
14. A child's outcome reaches its parent as it was; a child that its parent gives up, or that
    outlives it, is told by its close policy.
15. A signal or an update that was sent is recorded, unless the execution had ended.
16. An update is answered at most once, and nobody else is.
17. A step that runs at most once ran no more often than its attempts are recorded.
18. In a calm run no schedule fires for an execution that has ended.
19. Whoever gives signs of life for a call is told when the call is withdrawn.
20. What is fire and forget is performed.
21. A message is answered for only once all that its turn, and the last turn before, causes is sent.
22. No message is delivered again and again for a reason that is the same each time.
23. No fact is recorded whose payload is not there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.ids import operation_of, task_id
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Update
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.wire import parse, render
from lambda_workflow.runtime.dispatch import header_of
from lambda_workflow.testing.simulation.laws_beyond import beyond, outcome_of, replay_law
from lambda_workflow.testing.simulation.noise import NOWHERE
from lambda_workflow.testing.simulation.run import CALLER_URL, CALM, Execution, Run
from lambda_workflow.testing.simulation.shape import Outcome


def violations(run: Run) -> list[str]:
    """Every law that a finished run breaks, in words; none is what we want to see."""
    found = list(_world_laws(run))
    for execution in [*run.executions, *run.others()]:
        turns = run.turns(execution.id)
        found += [f"{execution.id}: {text}" for text in _execution_laws(run, execution, turns)]
    return found


def _execution_laws(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    if not turns:
        yield "law 1: it was never started"
        return
    outcome = outcome_of(run, turns)
    if outcome is None:
        yield f"law 1: it is stuck, {turns[-1].status} after turn {len(turns)} {turns[-1].reason}"
    elif not _may_end(execution, outcome):
        what = outcome.failure or outcome.result
        yield f"law 1: {outcome.status} with {what!r:.300} for request {execution.request!r:.200}"
    yield from _order_laws(turns)
    yield from _fact_laws(run, execution, turns)
    yield from _service_laws(run, execution, turns)
    yield from beyond(run, execution, turns)
    if outcome is not None:
        yield from _announcement_laws(run, execution, outcome)
        yield from replay_law(run, execution, turns)


def _may_end(execution: Execution, outcome: Outcome) -> bool:
    shape, request = execution.shape, execution.request
    if shape.allows(request, outcome):
        return True
    facts = [event for turn in outcome.turns for event in turn.events]
    if outcome.status is Status.TERMINATED:
        return any(isinstance(event, e.Terminated) for event in facts)
    if outcome.status is Status.TIMED_OUT:
        last = facts[-1] if facts else None
        return isinstance(last, e.TimerFired) and last.operation.endswith("~timeout")
    if not any(isinstance(event, e.CancelRequested) for event in facts):
        return False
    return shape.cancelled is None or shape.cancelled(request, outcome)


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


def _fact_laws(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    facts: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    due: dict[str, int] = {}
    early: list[str] = []
    for turn in turns:
        for event in turn.events:
            facts[_fact_key(event)] += 1
            operation = getattr(event, "operation", "")
            if isinstance(event, e.TimerFired) and event.at < due.get(operation, 0):
                yield f"law 6: timer {operation} fired at {event.at}, due {due[operation]}"
            if not operation or isinstance(event, e.StepSucceeded | e.StepErrored):
                continue  # a step may be commanded and done within one turn
            if operation not in commands:
                early.append(operation)
        for command in turn.commands:
            commands[_command_key(command, turn)] += not _is_early(command, turn)
            if isinstance(command, c.StartTimer):
                due[command.operation] = command.due
    for operation in early:
        if task_id(execution.id, operation) not in run.outside.answers:
            yield f"law 4: a fact of {operation} is recorded, which was not commanded then"
    yield from (f"law 3: {key} is recorded {n} times" for key, n in facts.items() if n > 1)
    yield from (f"law 4: {key} is commanded {n} times" for key, n in commands.items() if n > 1)


def _is_early(command: c.Command, turn: Turn) -> bool:
    """The limit of a whole execution counts before its code has run, which sets it once more."""
    return turn.status.stalled and isinstance(command, c.StartTimer)


def _fact_key(event: e.Event) -> str:
    match event:
        case e.Started():
            return f"start of run {event.run.number}"
        case e.CallSucceeded() | e.StepSucceeded() | e.TimerFired():
            return f"result of {event.operation}"
        case e.CallErrored() | e.StepErrored():
            return f"error of {event.operation}, attempt {event.attempt}"
        case e.Signalled() | e.UpdateRequested():
            return f"{type(event).__name__} {event.id}"
        case e.Paused() | e.Resumed():
            return f"{type(event).__name__} {event.id or id(event)}"
        case e.Heartbeat():
            return f"Heartbeat of {event.operation} at {event.at} {id(event)}"
        case e.CancelRequested():
            return f"CancelRequested {event.id}"
        case e.Terminated():
            return type(event).__name__
        case _:
            assert_never(event)


def _command_key(command: c.Command, turn: Turn) -> str:
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
            return f"patch {command.name} in {turn.number}"
        case c.SetAside():
            return f"signal {command.id} set aside"
        case c.Declare():
            return f"type {command.contract} of {command.kind} {command.name} in {turn.number}"
        case c.Answer():
            return f"answer to {command.id}"
        case c.SetStatus() | c.ContinueAsNew():
            return f"{type(command).__name__} in {turn.number}"
        case _:
            assert_never(command)


def _service_laws(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    commands = [command for turn in turns for command in turn.commands]
    calls = {x.operation: x for x in commands if isinstance(x, c.ScheduleCall)}
    settled = {x.operation for x in commands if isinstance(x, c.CancelCall)}
    ended = any(isinstance(x, c.End | c.ContinueAsNew) for x in commands)
    for turn in turns:
        for event in turn.events:
            if isinstance(event, e.TimerFired):
                settled.add(c.owner_of(event.operation))
            if isinstance(event, e.CallSucceeded) and event.operation in calls:
                answers = run.services.answers.get(task_id(execution.id, event.operation), set())
                given = [a.payload for a in map(parse, answers) if isinstance(a, Update)]
                if event.payload not in given:
                    yield f"law 5: result {event.payload!r:.100} of {event.operation} was not given"
    for call in calls.values():
        performed = run.services.performed[task_id(execution.id, call.operation)]
        if not performed and call.operation not in settled and not ended:
            yield f"law 5: {call.service} never performed call {call.operation}"


def _announcement_laws(run: Run, execution: Execution, outcome: Outcome) -> Iterator[str]:
    header = run.store.shown.get(execution.id)
    if header is None or header.status is not outcome.status or header.closed_at is None:
        yield f"law 7: {outcome.status}, but the header is {header}"
    else:
        truth = header_of(History(execution.id, outcome.turns))
        said = [(h.status, h.custom, h.tags, h.memo, h.started_at) for h in (header, truth)]
        if said[0] != said[1]:
            yield f"law 7: the header says {said[0]}, the history {said[1]}"
    heard = [json.loads(text) for text in run.world.responses]
    mine = [response for response in heard if response["execution_id"] == execution.id]
    if not mine:
        yield "law 8: its outcome was never sent to the response queue"
    if any(response["status"] != outcome.status for response in mine):
        yield f"law 8: {outcome.status}, but the response queue got {mine}"
    if execution.callback is None or execution.callback.queue_url != CALLER_URL:
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
    if run.setting == CALM and world.needless:
        yield f"law 18: {world.needless} fired for executions that had ended"
    moved = {letter.body for letter in world.poison}
    world.seen["a message without its payload is moved away"] += len(moved & set(run.hollow))
    for name in run.ids():
        if any(NOWHERE in text for text in run.store.history(name)):
            yield f"law 23: {name} has recorded a payload that is not there"
    if moved - set(run.hollow) != set(run.poison):
        yield f"law 9: poison {sorted(run.poison)}, but moved away were {sorted(moved)}"
    if world.inbox.dead:
        yield f"law 9: the dead-letter queue has {world.inbox.dead[:3]}; {world.losses[-3:]}"
    if world.deliveries is not None:
        yield from world.deliveries.broken
    if any(not letter.reason for letter in world.poison):
        yield "law 9: a dead letter has no reason"
    for queue in (world.inbox, world.delays, world.tasks):
        if queue.messages:
            yield f"law 10: {queue.name} still has {queue.messages[:3]}"
