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

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import dumps
from lambda_workflow.model.payload_text import loads_recorded
from lambda_workflow.model.rows import BLOB, COMMANDS, EVENTS, command_row, event_row, unpack
from lambda_workflow.model.usage import Usage

PARSED_TOGETHER: Final = 64  # records: what they are parsed into stays in the processor's cache
_USAGE: Final = ',"u":'  # no text within a text has it: its quotes are escaped there
RECORD_FORMAT: Final = 1  # of the text; a reader refuses a higher one


class NotARecord(WorkflowError):
    """What a store has in the place of a turn record is none; no version can read it."""


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
        writer: whose record it is, where two workers must not take the same one for their own: a
            store answers who repeats a write of the very same text as if it had been the first.
    """

    number: Final[int]
    at: Final[int]
    events: Final[tuple[e.Event, ...]]
    commands: Final[tuple[c.Command, ...]]
    status: Final[Status] = Status.RUNNING
    reason: Final[str] = ""
    usage: Final[Usage] = Usage()
    writer: Final[str] = ""


def encode_turn(turn: Turn) -> str:
    """The text of a record."""
    data: dict[str, Any] = {
        "v": RECORD_FORMAT,
        "n": turn.number,
        "t": turn.at,
        "e": [event_row(event, turn.at) for event in turn.events],
        "c": [command_row(command) for command in turn.commands],
    }
    if turn.status is not Status.RUNNING:
        data["s"] = turn.status.value
    if turn.reason:
        data["r"] = turn.reason
    data["u"] = turn.usage.to_json()
    if turn.writer:
        data["w"] = turn.writer
    return dumps(data)


def with_usage(text: str, turn: Turn) -> str:
    """The text of a record from that of the same turn before it had its usage and its writer."""
    writer = f',"w":{dumps(turn.writer)}' if turn.writer else ""
    return f"{text.rpartition(_USAGE)[0]}{_USAGE}{dumps(turn.usage.to_json())}{writer}}}"


def encode_reference(ref: e.BlobRef) -> str:
    """What a store keeps of a record whose text is in the blob store."""
    return dumps({BLOB: [ref.key, ref.digest, ref.bytes]})


def reference_of(text: str) -> e.BlobRef | None:
    """The reference that stands for a record, if the text is one."""
    if not text.startswith(f'{{"{BLOB}":'):
        return None
    found = unpack(loads_recorded(text))
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
            rows = loads_recorded(f"[{joined}]")
            if len(rows) != len(some):
                raise ValueError(f"{len(rows)} values in {len(some)} texts")
            turns += [_turn(data) for data in rows]
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise NotARecord(
                f"not a turn record ({type(error).__name__} among {len(some)} texts of "
                f"{len(joined)} characters)"
            ) from error
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
        events: tuple[e.Event, ...] = (EVENTS[fact[0]](fact, at),)
        commands: tuple[c.Command, ...] = (COMMANDS[intent[0]](intent),)
    else:
        events = tuple([EVENTS[row[0]](row, at) for row in facts])
        commands = tuple([COMMANDS[row[0]](row) for row in intents])
    return Turn(
        data["n"],
        at,
        events,
        commands,
        Status(data["s"]) if "s" in data else Status.RUNNING,
        data.get("r", ""),
        Usage._make(data["u"]),
        data.get("w", ""),
    )
