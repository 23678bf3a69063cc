"""The laws of what reaches an execution from outside, of its kin, and of its end; see laws.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.ids import task_id
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Signal, Update, UpdateRequest
from lambda_workflow.model.turn import Turn, decode_turn
from lambda_workflow.model.wire import parse
from lambda_workflow.replay.execution import Execution as Replay
from lambda_workflow.runtime.lent import tools_for
from lambda_workflow.runtime.offload import inflate
from lambda_workflow.testing.simulation.run import Execution, Run
from lambda_workflow.testing.simulation.shape import Outcome
from lambda_workflow.testing.simulation.world import finish


def beyond(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    """Laws 12 to 20."""
    for turn in turns:
        if turn.status.stalled and not all(map(_is_limit, turn.commands)):
            yield f"law 12: turn {turn.number} is {turn.status} and has {turn.commands}"
    yield from _callback_laws(run, execution, turns)
    yield from _child_laws(run, execution, turns)
    yield from _hearing_laws(run, execution, turns)
    yield from _step_law(run, execution, turns)
    yield from _telling_laws(run, execution, turns)


def _is_limit(command: c.Command) -> bool:
    """Its time runs, even while it stands still."""
    return isinstance(command, c.StartTimer) and command.operation.endswith("~timeout")


def outcome_of(run: Run, turns: Sequence[Turn]) -> Outcome | None:
    """How an execution ended; None while it has not."""
    for command in turns[-1].commands:
        status = turns[-1].status
        match command:
            case c.Complete():
                return Outcome(status, run.inline(command.payload), None, turns)
            case c.Fail():
                return Outcome(status, None, command.failure, turns)
            case c.End():
                return Outcome(status, None, e.Failure(str(status), command.reason), turns)
            case _:
                continue
    return None


def replay_law(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    """Law 11."""
    app, history = run.corpus.app, History(execution.id, turns)
    assert history.started is not None
    workflow = app.workflow(execution.shape.name, history.started.version)
    replay = Replay(workflow, execution.id, tools_for(app))
    try:
        replay.replay(finish(inflate(history.run_turns(), run.world.blobs)))
    except WorkflowError as error:
        yield f"law 11: the final history cannot be replayed: {error}"
    finally:
        replay.close()


def _callback_laws(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    opened = {x.operation for turn in turns for x in turn.commands if isinstance(x, c.OpenCallback)}
    for turn in turns:
        for event in turn.events:
            if not isinstance(event, e.CallSucceeded | e.CallErrored):
                continue
            if event.operation not in opened:
                continue
            answers = run.outside.answers.get(task_id(execution.id, event.operation), set())
            given = [a for a in map(parse, answers) if isinstance(a, Update)]
            if isinstance(event, e.CallErrored):
                fine = any(a.failure == event.failure for a in given)
            else:
                fine = any(a.failure is None and a.payload == event.payload for a in given)
            if not fine:
                yield f"law 13: nobody who may answered callback {event.operation} with {event}"


def _child_laws(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    started: dict[str, c.StartChild] = {}
    answered: set[str] = set()
    ended = False
    for turn in turns:
        for event in turn.events:
            child = started.get(getattr(event, "operation", ""))
            if child is None or not isinstance(event, e.CallSucceeded | e.CallErrored):
                continue
            answered.add(child.operation)
            if not _is_outcome(run, execution, child, event):
                yield f"law 14: child {child.child} did not end with {event!r:.300}"
        for command in turn.commands:
            if isinstance(command, c.StartChild):
                started[command.operation] = command
            elif isinstance(command, c.Complete | c.Fail | c.End | c.ContinueAsNew):
                ended = True
    for child in started.values():
        lives = _lives(run, child)
        if not lives and not ended:
            yield f"law 14: child {child.child} was never started"
        if not child.detached and child.operation not in answered:
            for theirs in lives:
                yield from _close_law(execution, child, theirs)


def _lives(run: Run, child: c.StartChild) -> list[list[Turn]]:
    """The histories under a child's id: one that has expired leaves the id to the next."""
    former = run.store.former.get(child.child, ())
    lives = [*([decode_turn(text) for text in texts] for texts in former), run.turns(child.child)]
    return [turns for turns in lives if turns]


def _is_outcome(
    run: Run, execution: Execution, child: c.StartChild, event: e.CallSucceeded | e.CallErrored
) -> bool:
    return any(
        _is_end(run, life, event) if _is_of(execution, child, life) else _is_refusal(event)
        for life in _lives(run, child)
    )


def _is_refusal(event: e.CallSucceeded | e.CallErrored) -> bool:
    return isinstance(event, e.CallErrored) and event.failure.type == "ExecutionAlreadyStarted"


def _is_end(run: Run, theirs: Sequence[Turn], event: e.CallSucceeded | e.CallErrored) -> bool:
    outcome = outcome_of(run, theirs)
    if outcome is None:
        return False
    if isinstance(event, e.CallErrored):
        return outcome.status is not Status.COMPLETED and outcome.failure is not None
    return outcome.status is Status.COMPLETED and run.inline(event.payload) == outcome.result


def _is_of(execution: Execution, child: c.StartChild, theirs: Sequence[Turn]) -> bool:
    first = theirs[0].events[0] if theirs else None
    named = task_id(execution.id, child.operation)
    return isinstance(first, e.Started) and first.options.id == named


def _close_law(execution: Execution, child: c.StartChild, theirs: Sequence[Turn]) -> Iterator[str]:
    """The parent did not hear of its end: it gave the child up, or ended before it."""
    if not _is_of(execution, child, theirs):
        return
    facts = [type(event) for turn in theirs for event in turn.events]
    told = e.CancelRequested in facts or e.Terminated in facts
    status = theirs[-1].status
    by_itself = status in (Status.COMPLETED, Status.FAILED, Status.TIMED_OUT)
    if child.policy != "abandon" and not told and not by_itself:
        yield f"law 14: child {child.child} ({child.policy}) is {status}, and was not told"


def _hearing_laws(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    facts = [event for turn in turns for event in turn.events]
    heard = {x.id for x in facts if isinstance(x, e.Signalled | e.UpdateRequested)}
    asked = {x.id for x in facts if isinstance(x, e.UpdateRequested)}
    for message in run.outside.said.get(execution.id, ()):
        if not isinstance(message, Signal | UpdateRequest) or message.id in heard:
            continue
        if not turns[-1].status.closed:
            yield f"law 15: {message} was lost"
    commands = [command for turn in turns for command in turn.commands]
    replies = Counter(x.id for x in commands if isinstance(x, c.Answer))
    for update, times in replies.items():
        if times > 1 or update not in asked:
            yield f"law 16: update {update} was answered {times} times, asked: {update in asked}"


def _step_law(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    commands = [command for turn in turns for command in turn.commands]
    once = {x.operation: x for x in commands if isinstance(x, c.RunStep) and x.at_most_once}
    attempts = Counter(x.operation for x in commands if isinstance(x, c.RetryCall))
    for operation, step in once.items():
        ran = run.world.effects[f"{execution.id}/{step.name}"]
        if ran > attempts[operation] + 1:
            yield f"law 17: step {step.name} ran {ran} times in {attempts[operation] + 1} attempts"


def _telling_laws(run: Run, execution: Execution, turns: Sequence[Turn]) -> Iterator[str]:
    history = History(execution.id, turns)
    beating = {
        op for op, x in history.opened.items() if isinstance(x, c.ScheduleCall) and x.heartbeat_ms
    }
    withdrawn = {x.operation for t in turns for x in t.commands if isinstance(x, c.CancelCall)}
    for operation in sorted(beating & withdrawn):
        if not run.services.told[task_id(execution.id, operation)]:
            yield f"law 19: call {operation} was withdrawn, and its adapter was not told"
    for turn in turns:
        for command in turn.commands:
            if not isinstance(command, c.Send):
                continue
            task = task_id(execution.id, command.operation)
            if not run.services.performed[task]:
                yield f"law 20: {command.service} never performed what was sent, {task}"
