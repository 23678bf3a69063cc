"""The rows of a turn record: each fact and each command as a JSON array that begins with a tag.

An event's last element is its distance in milliseconds from the record's time, absent when 0. What
few events and commands carry stands at the end of a row, and is left out where it is usual, so that
rows of earlier versions read as they did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json

BLOB: Final = "$blob"
_PLAIN: Final = "$plain"


def pack(payload: Json | e.BlobRef) -> Json:
    """A payload, or the reference that stands for it, as JSON that cannot be mistaken."""
    if type(payload) is e.BlobRef:
        return {BLOB: [payload.key, payload.digest, payload.bytes]}
    if type(payload) is dict and len(payload) == 1 and (BLOB in payload or _PLAIN in payload):
        return {_PLAIN: payload}
    return payload


def unpack(data: Any) -> Any:
    """The payload or reference of `pack`."""
    if type(data) is dict and len(data) == 1:
        if BLOB in data:
            return e.BlobRef(*data[BLOB])
        if _PLAIN in data:
            return data[_PLAIN]
    return data


def event_row(event: e.Event, at: int) -> list[Any]:
    """The row of a fact in a record of the time `at`."""
    row = _event_fields(event)
    if event.at != at:
        row.append(event.at - at)
    return row


def _event_fields(event: e.Event) -> list[Any]:
    match event:
        case e.CallSucceeded():
            return ["ok", event.operation, pack(event.payload)]
        case e.TimerFired():
            return ["fired", event.operation]
        case e.StepSucceeded():
            return ["done", event.operation, pack(event.payload)]
        case e.CallErrored():
            return ["err", event.operation, event.attempt, event.failure.to_json()]
        case e.StepErrored():
            return ["broke", event.operation, event.attempt, event.failure.to_json()]
        case e.Signalled():
            return _told_row(["signal", event.name, pack(event.payload), event.id], event)
        case e.UpdateRequested():
            return _told_row(["ask", event.name, pack(event.payload), event.id], event)
        case e.Heartbeat():
            return ["beat", event.operation, event.details]
        case e.CancelRequested():
            return _without_usual(["cancel", event.reason, event.grace_ms, event.id], ("",))
        case e.Terminated():
            return _without_usual(["terminate", event.reason, event.id], ("",))
        case e.Paused():
            return _without_usual(["pause", event.reason, event.id], ("",))
        case e.Resumed():
            return _without_usual(["resume", event.id], ("",))
        case e.Started():
            return _started_row(event)
        case _:
            assert_never(event)


def _told_row(row: list[Any], event: e.Told) -> list[Any]:
    return [*row, True] if event.checked else row


def _started_row(event: e.Started) -> list[Any]:
    callback = event.callback
    owed = callback and [callback.queue_url, callback.execution_id, callback.task_id]
    code = [event.semantics, event.version, event.attempt]
    options, run = event.options, event.run
    how = [
        options.id, options.secret, options.timeout_ms, options.not_before, options.depth,
        options.tags, options.memo,
    ]  # fmt: skip
    left = [event_row(told, event.at) for told in run.untaken]
    which = [run.number, run.since, run.origin, left, list(run.seen)] if run.number > 1 else None
    return ["start", event.workflow, pack(event.request), code, owed, how, which]


def _started(row: list[Any], at: int) -> e.Started:
    _, workflow, request, (semantics, version, attempt), owed, *more = row
    options, run = e.NO_OPTIONS, e.FIRST_RUN
    if more and isinstance(more[0], list):
        options = e.StartOptions(*more[0])
        if which := more[1]:
            number, since, origin, left, seen = which
            when = at + (more[2] if len(more) > 2 else 0)
            run = e.Run(number, since, origin, _told(left, when), tuple(seen))
        more = more[2:]
    callback = e.Callback(*owed) if owed else None
    return e.Started(
        at + (more[0] if more else 0), workflow, unpack(request), semantics, version, attempt,
        callback, options, run,
    )  # fmt: skip


def command_row(command: c.Command) -> list[Any]:
    """The row of a command."""
    match command:
        case c.ScheduleCall():
            row = ["call", command.operation, command.service, pack(command.payload)]
            return _without_usual([*row, command.name, command.heartbeat_ms], ("", 0))
        case c.StartTimer():
            row = ["timer", command.operation, command.due, command.name]
            return _without_usual([*row, command.duration_ms, command.origin], ("", 0, ""))
        case c.RetryCall():
            return ["again", command.operation, command.attempt]
        case c.CancelCall():
            return ["drop", command.operation]
        case c.CancelTimer():
            return ["untimer", command.operation]
        case c.RunStep():
            row = ["step", command.operation, command.name, command.at_most_once]
            return _without_usual([*row, command.function, command.arguments], (False, "", ""))
        case c.Complete():
            return ["complete", pack(command.payload)]
        case c.Fail():
            return ["fail", command.failure.to_json()]
        case _:
            return _rarer_row(command)


def _rarer_row(command: c.Rarer) -> list[Any]:
    match command:
        case c.OpenCallback():
            row = ["callback", command.operation, command.name, command.answer]
            rest = [command.branch, command.heartbeat_ms, command.schema]
            return _without_usual([*row, *rest], ("", "", 0, None))
        case c.StartChild():
            row = ["child", command.operation, command.workflow, pack(command.payload)]
            rest = [command.child, command.app, command.policy, command.detached, command.name]
            return [*row, *rest]
        case c.Send():
            return ["send", command.operation, command.service, pack(command.payload), command.name]
        case c.OpenScope():
            return _without_usual(["scope", command.operation, command.name, command.kind], ("",))
        case c.Patch():
            return ["patch", command.name]
        case c.SetAside():
            return ["aside", command.name, command.id, command.reason]
        case c.Declare():
            return ["declare", command.kind, command.name, command.schema, command.contract]
        case c.SetStatus():
            return ["status", pack(command.payload)]
        case c.Answer():
            failure = command.failure
            return ["answer", command.id, pack(command.payload), failure and failure.to_json()]
        case c.End():
            return ["end", command.status.value, command.reason]
        case c.ContinueAsNew():
            return ["renew", pack(command.payload), [event_row(t, 0) for t in command.untaken]]
        case _:
            assert_never(command)


def _without_usual(row: list[Any], usual: tuple[Any, ...]) -> list[Any]:
    """The row without the elements at its end that have their usual values."""
    first = len(row) - len(usual)
    while len(row) > first and row[-1] == usual[len(row) - first - 1]:
        row.pop()
    return row


def _succeeded(row: list[Any], at: int) -> e.CallSucceeded:
    payload = row[2]  # of most of a long history: no call more than it takes
    if type(payload) is dict:
        payload = unpack(payload)
    return e.CallSucceeded(at if len(row) == 3 else at + row[3], row[1], payload)


def _signal(row: list[Any], at: int) -> e.Signalled:
    when, checked = _at_and_checked(row, at)
    return e.Signalled(when, row[1], unpack(row[2]), row[3], checked)


def _ask(row: list[Any], at: int) -> e.UpdateRequested:
    when, checked = _at_and_checked(row, at)
    return e.UpdateRequested(when, row[1], unpack(row[2]), row[3], checked)


def _told(rows: list[list[Any]], at: int) -> tuple[e.Told, ...]:
    return tuple((_ask if row[0] == "ask" else _signal)(row, at) for row in rows)


def _cancel(row: list[Any], at: int) -> e.CancelRequested:
    at, known = _at_and_id(row, at, 3)
    return e.CancelRequested(at, row[1], row[2], known)


def _terminate(row: list[Any], at: int) -> e.Terminated:
    at, known = _at_and_id(row, at, 2)
    return e.Terminated(at, row[1], known)


def _pause(row: list[Any], at: int) -> e.Paused:
    at, known = _at_and_id(row, at, 2)
    return e.Paused(at, row[1], known)


def _call(row: list[Any]) -> c.ScheduleCall:
    payload = row[3]
    if type(payload) is dict:
        payload = unpack(payload)
    if len(row) == 4:
        return c.ScheduleCall(row[1], row[2], payload)
    return c.ScheduleCall(row[1], row[2], payload, *row[4:])


def _child(row: list[Any]) -> c.StartChild:
    _, operation, workflow, payload, *rest = row
    return c.StartChild(operation, workflow, unpack(payload), *rest)


def _answer(row: list[Any]) -> c.Answer:
    return c.Answer(row[1], unpack(row[2]), row[3] and e.Failure.from_row(row[3]))


def _at_and_id(row: list[Any], at: int, fields: int) -> tuple[int, str]:
    """Time and id of an order, which stood in a row without one in earlier versions."""
    if len(row) > fields and isinstance(row[fields], str):
        return _at(row, at, fields + 1), row[fields]
    return _at(row, at, fields), ""


def _at_and_checked(row: list[Any], at: int) -> tuple[int, bool]:
    """Time of a signal or update, and whether its sender had a type, which earlier rows lack."""
    if len(row) > 4 and row[4] is True:
        return _at(row, at, 5), True
    return _at(row, at, 4), False


def _at(row: list[Any], at: int, fields: int) -> int:
    return at if len(row) == fields else at + int(row[fields])


EVENTS: Final[dict[str, Callable[[list[Any], int], e.Event]]] = {
    "ok": _succeeded,
    "fired": lambda r, t: e.TimerFired(_at(r, t, 2), r[1]),
    "done": lambda r, t: e.StepSucceeded(_at(r, t, 3), r[1], unpack(r[2])),
    "err": lambda r, t: e.CallErrored(_at(r, t, 4), r[1], r[2], e.Failure.from_row(r[3])),
    "broke": lambda r, t: e.StepErrored(_at(r, t, 4), r[1], r[2], e.Failure.from_row(r[3])),
    "signal": _signal,
    "ask": _ask,
    "beat": lambda r, t: e.Heartbeat(_at(r, t, 3), r[1], r[2]),
    "cancel": _cancel,
    "terminate": _terminate,
    "pause": _pause,
    "resume": lambda r, t: e.Resumed(*_at_and_id(r, t, 1)),
    "start": _started,
}

COMMANDS: Final[dict[str, Callable[[list[Any]], c.Command]]] = {
    "call": _call,
    "timer": lambda r: c.StartTimer(*r[1:]),
    "again": lambda r: c.RetryCall(r[1], r[2]),
    "drop": lambda r: c.CancelCall(r[1]),
    "untimer": lambda r: c.CancelTimer(r[1]),
    "step": lambda r: c.RunStep(*r[1:]),
    "complete": lambda r: c.Complete(unpack(r[1])),
    "fail": lambda r: c.Fail(e.Failure.from_row(r[1])),
    "callback": lambda r: c.OpenCallback(*r[1:]),
    "child": _child,
    "send": lambda r: c.Send(r[1], r[2], unpack(r[3]), r[4]),
    "scope": lambda r: c.OpenScope(*r[1:]),
    "patch": lambda r: c.Patch(r[1]),
    "aside": lambda r: c.SetAside(r[1], r[2], r[3]),
    "declare": lambda r: c.Declare(*r[1:]),
    "status": lambda r: c.SetStatus(unpack(r[1])),
    "answer": _answer,
    "end": lambda r: c.End(Status(r[1]), r[2]),
    "renew": lambda r: c.ContinueAsNew(unpack(r[1]), _told(r[2], 0)),
}
