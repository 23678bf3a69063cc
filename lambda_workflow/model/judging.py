"""Judging a message by the history: a new fact, one that is known, or one that comes too late.

Nothing is taken in here; see `History.accept`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model import messages as m
from lambda_workflow.model.ids import run_of
from lambda_workflow.model.payload import fingerprint
from lambda_workflow.model.tokens import is_genuine

if TYPE_CHECKING:
    from lambda_workflow.model.history import History


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The message's fact is recorded already, in this turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class Late:
    """The message's operation is settled, withdrawn or unknown; `reason` says which.

    Or a timer's message came before its time, and is to come `again`, at that moment.
    """

    reason: str
    expected: bool = False  # the ordinary end of a race, not worth a warning; later turns keep it
    again: int = 0


@dataclass(frozen=True, slots=True)
class Wake:
    """The message brings no fact; it asks for another try."""


Acceptance = e.Event | Duplicate | Late | Wake
EARLY_MS_MAX: Final = 2_000  # clocks differ by so much, and a timer is not armed again for less
REPLACED: Final = "another start took its id"  # the reason of an end
_ENDED: Final = Late("the execution has ended", True)
_UNKNOWN: Final = Late("no such execution")
_OTHER_START: Final = Late("the id belongs to an execution that somebody else has started", True)

# Not expected: a copy in memory may be of the execution before, which the start has replaced.
_REFUSED_START: Final = Late("it was sent with a start that was refused: another took the id first")


def judge(history: History, message: m.Message, now: int) -> Acceptance:
    """What a message amounts to."""
    return _JUDGES[type(message)](history, message, now)


def _request(history: History, message: m.Request, now: int) -> Acceptance:
    started, options = history.started, message.options
    if started is None:
        return _started(history, message, now)
    if options.id and options.id == started.options.id:
        return Duplicate(history.taken[""])
    if message.replace and options.id:
        if not _is_over(history):  # this ends it; the message comes round once more
            return e.Terminated(history.clock(now), REPLACED)
        orders = tuple(known for known in history.heard() if known.startswith("order:"))
        run = e.Run(started.run.number + 1, seen=orders)  # what ended the one before ends it alone
        return replace(_started(history, message, now), run=run)
    origin = started.run.origin or digest(started.request)
    if started.workflow == message.workflow and origin == digest(message.request):
        if message.callback == started.callback:
            return Duplicate(history.taken[""])
        return Late("the id belongs to an execution that another one waits for already")
    return Late(
        f"the id belongs to an execution of {started.workflow!r} with another input: "
        "start under another id"
    )


def _started(history: History, message: m.Request, now: int) -> e.Started:
    at = history.clock(now)
    # the version is the host's to fill in: see runtime.intake
    return e.Started(
        at, message.workflow, message.request, e.SEMANTICS, "", message.attempt, message.callback,
        message.options,
    )  # fmt: skip


def _update(history: History, message: m.Update, now: int) -> Acceptance:
    operation, failure = message.operation, message.failure
    opened = history.open.get(operation)
    if _is_over(history):
        return _too_late(history, operation, f"{operation}#{message.attempt}" if failure else "")
    if isinstance(opened, c.OpenCallback) or (opened is None and message.token):
        return _callback(history, message, now)
    if message.token:
        return Late("the answer to a callback, whose id another operation has under other code")
    if isinstance(opened, c.StartChild) and not opened.detached:
        return _answer(history, message, now)
    if not isinstance(opened, c.ScheduleCall):
        return _too_late(history, operation, f"{operation}#{message.attempt}" if failure else "")
    if failure is None:
        return _answer(history, message, now)
    current = history.attempt(operation)
    attempt = message.attempt or current
    if (turn := history.taken.get(f"{operation}#{attempt}")) is not None:
        return Duplicate(turn)
    if attempt != current:
        over = attempt < current
        return Late(f"attempt {attempt} of call {operation}: {current} is under way", over)
    return e.CallErrored(history.clock(now), operation, attempt, failure)


def _callback(history: History, message: m.Update, now: int) -> Acceptance:
    """An answer may come before its callback is recorded: the token proves that it will be."""
    if not _is_genuine(history, message.token, message.operation):
        return Late("the answer to a callback without its token")
    operation = message.operation
    is_of_run = history.started is not None and run_of(operation) == history.started.run.number
    if not is_of_run or operation in history.taken or f"-{operation}" in history.taken:
        return _too_late(history, operation, "")
    return _answer(history, message, now)


def _answer(history: History, message: m.Update, now: int) -> Acceptance:
    at, operation = history.clock(now), message.operation
    if message.failure is None:
        return e.CallSucceeded(at, operation, message.payload)
    return e.CallErrored(at, operation, 1, message.failure)


def _heartbeat(history: History, message: m.Heartbeat, now: int) -> Acceptance:
    operation = message.operation
    opened = history.open.get(operation)
    if _is_over(history) or not isinstance(opened, c.ScheduleCall | c.OpenCallback):
        return _too_late(history, operation, "")
    if isinstance(opened, c.OpenCallback) and not _is_genuine(history, message.token, operation):
        return Late("a callback's heartbeat without its token")
    if message.attempt and message.attempt != (current := history.attempt(operation)):
        over = message.attempt < current
        return Late(f"a heartbeat of attempt {message.attempt} of {operation}: {current}", over)
    return e.Heartbeat(history.clock(now), operation, message.details)


def _timer(history: History, message: m.Timer, now: int) -> Acceptance:
    operation = message.operation
    opened = history.open.get(operation)
    if not isinstance(opened, c.StartTimer) or _is_over(history):
        return _too_late(history, operation, "")
    if opened.due - history.clock(now) > EARLY_MS_MAX:
        # a millisecond later than before: no host takes it for the timer that has fired
        again = min(max(opened.due, message.due) + 1, opened.due + EARLY_MS_MAX)
        return Late("the timer is not due yet: it is armed again", again=again)
    # never before its time, whatever the clock of the host that delivers it says
    return e.TimerFired(history.clock(max(now, opened.due)), operation)


def _signal(history: History, message: m.Signal, now: int) -> Acceptance:
    key = f"signal:{message.id}"
    return (
        _other(history, key, message)
        or _once(history, key, message.start)
        or e.Signalled(
            history.clock(now), message.name, message.payload, message.id, message.checked
        )
    )


def _update_request(history: History, message: m.UpdateRequest, now: int) -> Acceptance:
    key = f"update:{message.id}"
    return (
        _other(history, key, message)
        or _once(history, key, message.start)
        or e.UpdateRequested(
            history.clock(now), message.name, message.payload, message.id, message.checked
        )
    )


def _other(history: History, key: str, message: m.Signal | m.UpdateRequest) -> Late | None:
    """Of two with one id and other contents the first counts; the second is no repetition."""
    first = history.told.get(key)
    if first is None or (
        first.name == message.name and digest(first.payload) == digest(message.payload)
    ):
        return None
    kind = key.partition(":")[0]
    return Late(
        f"a {kind} of another name or payload was accepted under this id before: give each {kind} "
        "an id of its own"
    )


def _cancel(history: History, message: m.Cancel, now: int) -> Acceptance:
    if _is_for_another(history, message):
        return _OTHER_START
    return _once(history, _known_by(message) or "cancel") or e.CancelRequested(
        history.clock(now), message.reason, message.grace_ms, message.id
    )


def _known_by(order: m.Cancel | m.Terminate | m.Pause | m.Resume) -> str:
    """An order with an id is taken once, also where nothing is left for it to change.

    So its redelivery is known, when there is something to change.
    """
    return f"order:{order.id}" if order.id else ""


def _terminate(history: History, message: m.Terminate, now: int) -> Acceptance:
    if _is_for_another(history, message):
        return _OTHER_START
    if history.turns and _is_over(history):
        return Duplicate(history.next_number - 1)
    return _once(history, _known_by(message)) or e.Terminated(
        history.clock(now), message.reason, message.id
    )


def _is_for_another(history: History, message: m.Cancel | m.Terminate) -> bool:
    started = history.started
    return bool(message.start) and started is not None and started.options.id != message.start


def _pause(history: History, message: m.Pause, now: int) -> Acceptance:
    if history.paused and not message.id:
        return Duplicate(history.taken["pause"])
    return _once(history, _known_by(message)) or e.Paused(
        history.clock(now), message.reason, message.id
    )


def _resume(history: History, message: m.Resume, now: int) -> Acceptance:
    if not history.paused and not message.id:
        turn = history.taken.get("resume")
        if turn is None and history.started is not None and history.started.run.number > 1:
            turn = history.run_begins  # what it resumed may have begun this run
        return Late("it is not paused") if turn is None else Duplicate(turn)
    return _once(history, _known_by(message)) or e.Resumed(history.clock(now), message.id)


def _redrive(history: History, message: m.Redrive, now: int) -> Acceptance:
    return Duplicate(history.next_number - 1) if history.status.closed else Wake()


def _is_sent_with(start: str, started: e.Started) -> bool:
    """Whether a message's `start` is this one: by its id, or `<workflow>/<digest of the request>`.

    Where the digest is empty any request fits.
    """
    workflow, by_request, request = start.partition("/")
    if not by_request:
        return start in ("", started.options.id)
    origin = started.run.origin or digest(started.request)
    return workflow == started.workflow and request in ("", origin)


def _once(history: History, key: str, start: str = "") -> Duplicate | Late | None:
    """What stands against a message of which one is taken; without a key every one is.

    `start` is the start that it was sent with, if it was.
    """
    if history.started is None:
        return _UNKNOWN
    if key and (turn := history.taken.get(key)) is not None:
        return Duplicate(turn)
    if not _is_sent_with(start, history.started):
        return _REFUSED_START
    return _ENDED if _is_over(history) else None


def _is_over(history: History) -> bool:
    return history.ended is not None or (
        history.status.closed and history.run_begins != history.next_number
    )


def _is_genuine(history: History, token: str, operation: str) -> bool:
    secret = history.started.options.secret if history.started else ""
    return is_genuine(token, secret, history.execution_id, operation)


def _too_late(history: History, operation: str, key: str) -> Duplicate | Late:
    for known in (key, operation):
        if known and (turn := history.taken.get(known)) is not None:
            return Duplicate(turn)
    if history.started is None:
        return _UNKNOWN
    run, present = run_of(operation), history.started.run.number
    if run < present:  # it may have begun this run, by a worker that died before it sent anything
        return Duplicate(history.run_begins)
    if _is_over(history):
        return _ENDED
    if run > present:
        return Late("of a later run of this execution")
    withdrawn = f"-{operation}" in history.taken
    return Late("withdrawn by the workflow" if withdrawn else "no such operation", withdrawn)


def digest(payload: object) -> str:
    """What two equal payloads have in common, inline or in the blob store."""
    return payload.digest if isinstance(payload, e.BlobRef) else fingerprint(payload)


_JUDGES: Final[dict[type, Callable[[Any, Any, int], Acceptance]]] = {
    m.Request: _request,
    m.Update: _update,
    m.Timer: _timer,
    m.Heartbeat: _heartbeat,
    m.Signal: _signal,
    m.UpdateRequest: _update_request,
    m.Cancel: _cancel,
    m.Terminate: _terminate,
    m.Pause: _pause,
    m.Resume: _resume,
    m.Redrive: _redrive,
}
