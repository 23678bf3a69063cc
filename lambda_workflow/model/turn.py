"""The turn record: what one wake-up took in and what it caused, as one item of the store.

Laws
 1. A record is written once, under its number, and never changed.
 2. Facts and the commands they caused stand in the same record, or neither is stored.
 3. `decode_turn(encode_turn(turn)) == turn`, payloads of any JSON shape included.

The text is compact JSON: a record with one small result and one small call stays well below 1 KB,
one DynamoDB write unit. Facts and commands are arrays that begin with a tag; an event's last
element is its distance in milliseconds from the record's time, absent when 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, assert_never

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json, dumps, loads
from lambda_workflow.model.usage import Usage

PARSED_TOGETHER: Final = 64  # records: what they are parsed into stays in the processor's cache
RECORD_FORMAT: Final = 1  # of the text; a reader refuses a higher one
_BLOB: Final = "$blob"
_PLAIN: Final = "$plain"


@dataclass(slots=True, unsafe_hash=True)
class Turn:
    """One committed wake-up of an execution.

    Attributes:
        number: 1 for the first; the store's condition is that it does not exist yet.
        at: when it was committed, milliseconds since the epoch.
        events: the facts taken in, in order of arrival.
        commands: what they caused; none when BLOCKED.
        status: the execution's status after it.
        reason: why it is BLOCKED.
        usage: the execution's units up to and including this turn.
    """

    number: Final[int]
    at: Final[int]
    events: Final[tuple[e.Event, ...]]
    commands: Final[tuple[c.Command, ...]]
    status: Final[Status] = Status.RUNNING
    reason: Final[str] = ""
    usage: Final[Usage] = Usage()


def encode_turn(turn: Turn) -> str:
    """The text of a record."""
    data: dict[str, Any] = {
        "v": RECORD_FORMAT,
        "n": turn.number,
        "t": turn.at,
        "e": [_event_row(event, turn.at) for event in turn.events],
        "c": [_command_row(command) for command in turn.commands],
    }
    if turn.status is not Status.RUNNING:
        data["s"] = turn.status.value
    if turn.reason:
        data["r"] = turn.reason
    data["u"] = turn.usage.to_json()
    return dumps(data)


def encode_reference(ref: e.BlobRef) -> str:
    """What a store keeps of a record whose text is in the blob store."""
    return dumps({_BLOB: [ref.key, ref.digest, ref.bytes]})


def reference_of(text: str) -> e.BlobRef | None:
    """The reference that stands for a record, if the text is one."""
    if not text.startswith(f'{{"{_BLOB}":'):
        return None
    found = _unpack(loads(text))
    return found if isinstance(found, e.BlobRef) else None


def decode_turn(text: str) -> Turn:
    """The record of a text.

    Raises:
        WorkflowError: the text is not a record, or a newer version of this package wrote it.
    """
    return decode_turns([text])[0]


def decode_turns(texts: Iterable[str]) -> list[Turn]:
    """The records of texts, parsed many at a time, which is faster; raises as decode_turn."""
    turns: list[Turn] = []
    rest = iter(texts)
    while some := list(islice(rest, PARSED_TOGETHER)):
        joined = ",".join(some)
        try:
            rows = loads(f"[{joined}]")
            if len(rows) != len(some):
                raise ValueError(f"{len(rows)} values in {len(some)} texts")
            turns += [_turn(data) for data in rows]
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise WorkflowError(f"not a turn record ({error!r}): {joined[:200]}") from error
    return turns


def _turn(data: Any) -> Turn:
    if data["v"] > RECORD_FORMAT:
        raise WorkflowError(
            f"turn record of format {data['v']}: this version reads up to {RECORD_FORMAT}; "
            "deploy the newer lambda-workflow that wrote it"
        )
    at, facts, intents = data["t"], data["e"], data["c"]
    if len(facts) == len(intents) == 1:  # nearly all of a long history, and worth a branch
        fact, intent = facts[0], intents[0]
        events: tuple[e.Event, ...] = (_EVENTS[fact[0]](fact, at),)
        commands: tuple[c.Command, ...] = (_COMMANDS[intent[0]](intent),)
    else:
        events = tuple([_EVENTS[row[0]](row, at) for row in facts])
        commands = tuple([_COMMANDS[row[0]](row) for row in intents])
    return Turn(
        data["n"],
        at,
        events,
        commands,
        Status(data["s"]) if "s" in data else Status.RUNNING,
        data.get("r", ""),
        Usage._make(data["u"]),
    )


def _pack(payload: Json | e.BlobRef) -> Json:
    if type(payload) is e.BlobRef:
        return {_BLOB: [payload.key, payload.digest, payload.bytes]}
    if type(payload) is dict and len(payload) == 1 and (_BLOB in payload or _PLAIN in payload):
        return {_PLAIN: payload}
    return payload


def _unpack(data: Any) -> Any:
    if type(data) is dict and len(data) == 1:
        if _BLOB in data:
            return e.BlobRef(*data[_BLOB])
        if _PLAIN in data:
            return data[_PLAIN]
    return data


def _event_row(event: e.Event, at: int) -> list[Any]:
    row = _event_fields(event)
    if event.at != at:
        row.append(event.at - at)
    return row


def _event_fields(event: e.Event) -> list[Any]:
    match event:
        case e.CallSucceeded():
            return ["ok", event.operation, _pack(event.payload)]
        case e.TimerFired():
            return ["fired", event.operation]
        case e.StepSucceeded():
            return ["done", event.operation, _pack(event.payload)]
        case e.CallErrored():
            return ["err", event.operation, event.attempt, event.failure.to_json()]
        case e.StepErrored():
            return ["broke", event.operation, event.attempt, event.failure.to_json()]
        case e.Started():
            callback = event.callback
            owed = callback and [callback.queue_url, callback.execution_id, callback.task_id]
            code = [event.semantics, event.version, event.attempt]
            return ["start", event.workflow, _pack(event.request), code, owed]
        case _:
            assert_never(event)


def _command_row(command: c.Command) -> list[Any]:
    match command:
        case c.ScheduleCall():
            row = ["call", command.operation, command.service, _pack(command.payload)]
            return [*row, command.name] if command.name else row
        case c.StartTimer():
            row = ["timer", command.operation, command.due]
            return [*row, command.name] if command.name else row
        case c.RetryCall():
            return ["again", command.operation, command.attempt]
        case c.CancelCall():
            return ["drop", command.operation]
        case c.CancelTimer():
            return ["untimer", command.operation]
        case c.RunStep():
            return ["step", command.operation, command.name]
        case c.Complete():
            return ["complete", _pack(command.payload)]
        case c.Fail():
            return ["fail", command.failure.to_json()]
        case _:
            assert_never(command)


def _started(row: list[Any], at: int) -> e.Started:
    _, workflow, request, (semantics, version, attempt), owed, *late = row
    callback = e.Callback(*owed) if owed else None
    when = at + (late[0] if late else 0)
    return e.Started(when, workflow, _unpack(request), semantics, version, attempt, callback)


def _succeeded(row: list[Any], at: int) -> e.CallSucceeded:
    payload = row[2]  # of most of a long history: no call more than it takes
    if type(payload) is dict:
        payload = _unpack(payload)
    return e.CallSucceeded(at if len(row) == 3 else at + row[3], row[1], payload)


def _call(row: list[Any]) -> c.ScheduleCall:
    payload = row[3]
    if type(payload) is dict:
        payload = _unpack(payload)
    return c.ScheduleCall(row[1], row[2], payload, row[4] if len(row) > 4 else "")


def _at(row: list[Any], at: int, fields: int) -> int:
    return at if len(row) == fields else at + int(row[fields])


_EVENTS: Final[dict[str, Callable[[list[Any], int], e.Event]]] = {
    "ok": _succeeded,
    "fired": lambda r, t: e.TimerFired(_at(r, t, 2), r[1]),
    "done": lambda r, t: e.StepSucceeded(_at(r, t, 3), r[1], _unpack(r[2])),
    "err": lambda r, t: e.CallErrored(_at(r, t, 4), r[1], r[2], e.Failure.from_json(r[3])),
    "broke": lambda r, t: e.StepErrored(_at(r, t, 4), r[1], r[2], e.Failure.from_json(r[3])),
    "start": _started,
}

_COMMANDS: Final[dict[str, Callable[[list[Any]], c.Command]]] = {
    "call": _call,
    "timer": lambda r: c.StartTimer(r[1], r[2], r[3] if len(r) > 3 else ""),
    "again": lambda r: c.RetryCall(r[1], r[2]),
    "drop": lambda r: c.CancelCall(r[1]),
    "untimer": lambda r: c.CancelTimer(r[1]),
    "step": lambda r: c.RunStep(r[1], r[2]),
    "complete": lambda r: c.Complete(_unpack(r[1])),
    "fail": lambda r: c.Fail(e.Failure.from_json(r[1])),
}
