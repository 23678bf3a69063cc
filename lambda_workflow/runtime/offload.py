"""What is too large for a record, message or item: stored apart, before what names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.limits import INLINE_BYTES_MAX, PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX
from lambda_workflow.model.payload import Json, dumps, fingerprint, loads
from lambda_workflow.model.payload_bounds import bounded, too_large
from lambda_workflow.model.payload_text import loads_recorded
from lambda_workflow.model.references import WORKFLOW_PLACE, is_content, key_of
from lambda_workflow.model.turn import Turn, encode_reference, reference_of
from lambda_workflow.ports import Blobs, Unprocessable

__all__ = [
    "INLINE_BYTES_MAX", "PAYLOAD_BYTES_MAX", "RECORD_BYTES_MAX", "PayloadLost", "as_recorded",
    "check_payloads", "deposit", "deposit_record", "fetch", "fetch_records", "inflate",
    "inflate_event", "is_next_run", "stored",
]  # fmt: skip

Read = Callable[[str], Json]


async def deposit(
    payload: Json, execution_id: str, blobs: Blobs, *, place: str = WORKFLOW_PLACE
) -> Json | e.BlobRef:
    """The payload itself if it is small, else a reference to where it is stored now.

    Args:
        execution_id: the execution that will read it, which the key belongs to.
        place: where the present role may store it (model/references.py).

    Raises:
        PayloadTooLarge: it is over 16 MiB, or nests too deeply.
    """
    payload = bounded(payload, f"payload of execution {execution_id}")
    return await _deposit(payload, execution_id, blobs, place)


async def _deposit(
    payload: Json, execution_id: str, blobs: Blobs, place: str = WORKFLOW_PLACE
) -> Json | e.BlobRef:
    if not _may_be_large(payload):
        return payload
    content = dumps(payload).encode()
    if len(content) <= INLINE_BYTES_MAX:
        return payload
    if len(content) > PAYLOAD_BYTES_MAX:
        raise too_large(len(content), f"payload of execution {execution_id}")
    key = key_of(place, execution_id, content)
    ref = e.BlobRef(key, fingerprint(payload), len(content))
    await blobs.put(ref.key, content)
    return ref


async def deposit_record(text: str, execution_id: str, blobs: Blobs) -> str:
    """The record's text if a store can hold it, else that of a reference to where it is now.

    A turn of thousands of small calls is as large as one of a few large ones.
    """
    if len(text) * 4 <= RECORD_BYTES_MAX or len(content := text.encode()) <= RECORD_BYTES_MAX:
        return text
    key = key_of(WORKFLOW_PLACE, execution_id, content)
    ref = e.BlobRef(key, key.rpartition("/")[2], len(content))
    await blobs.put(ref.key, content)
    return encode_reference(ref)


async def fetch_records(texts: Sequence[str], blobs: Blobs) -> list[str]:
    """The texts of records, those of references in place."""
    return [
        text if (ref := reference_of(text)) is None else (await _content(ref, blobs)).decode()
        for text in texts
    ]


async def fetch(payload: Json | e.BlobRef, blobs: Blobs, read: Read = loads) -> Json:
    """The payload that a reference stands for.

    Args:
        read: parses it; `loads_recorded` where it was taken in before.

    Raises:
        Unprocessable: there is nothing under its key, or not the content that was stored.
        BackendError: it could not be fetched.
    """
    if not isinstance(payload, e.BlobRef):
        return payload
    content = await _content(payload, blobs)
    try:
        return read(content.decode())
    except ValueError as error:
        raise Unprocessable(f"the payload {payload.key} is not JSON ({error})") from error


async def _content(ref: e.BlobRef, blobs: Blobs) -> bytes:
    content = await blobs.get(ref.key)
    if len(content) != ref.bytes or not is_content(ref.key, content):
        raise Unprocessable(
            f"the payload {ref.key} is not what was stored there: it has {len(content)} bytes, the "
            f"reference says {ref.bytes}, and its digest is another one. Something has replaced "
            "it: restore it from a backup or an earlier version, then redrive the execution"
        )
    return content


class PayloadLost(WorkflowError):
    """A payload that the history refers to is gone, or was replaced."""


@contextmanager
def as_recorded() -> Iterator[None]:
    """What is fetched here stands in the history: no message is to blame where it is gone.

    Raises:
        PayloadLost: instead of Unprocessable.
    """
    try:
        yield
    except Unprocessable as error:
        raise PayloadLost(
            f"a recorded payload cannot be read: {type(error).__name__}: {error}. Restore it from "
            "a backup, then redrive the execution: messages that arrive meanwhile are recorded"
        ) from error


async def check_payloads(events: Iterable[e.Event], blobs: Blobs) -> None:
    """Fetch the payloads of new facts that are recorded before the code is asked about them.

    Raises:
        Unprocessable: one is not there, so its message is to be moved aside: once recorded, it
            would block the execution.
    """
    for event in events:
        if not is_next_run(event):
            await inflate_event(event, blobs)


def is_next_run(event: e.Event) -> bool:
    """Whether an event follows from the history, and was brought by no message."""
    return isinstance(event, e.Started) and bool(event.run.origin)


async def inflate(turns: Sequence[Turn], blobs: Blobs) -> list[Turn]:
    """The turns with the payloads of their events in place; those of commands are not needed."""
    return [await _inflated(turn, blobs) for turn in turns]


async def inflate_commands(turns: Sequence[Turn], blobs: Blobs) -> list[Turn] | None:
    """The turns with the payloads of their commands in place; None where they all are."""
    if not any(_stands_apart(command) for turn in turns for command in turn.commands):
        return None
    whole: list[Turn] = []
    for turn in turns:
        commands: list[Any] = []
        for command in turn.commands:
            holder: Any = command
            if _stands_apart(command):
                holder = replace(holder, payload=await fetch(holder.payload, blobs))
            commands.append(holder)
        whole.append(replace(turn, commands=tuple(commands)))
    return whole


def _stands_apart(command: c.Command) -> bool:
    return isinstance(getattr(command, "payload", None), e.BlobRef)


async def _inflated(turn: Turn, blobs: Blobs) -> Turn:
    if not any(isinstance(_carried(event), e.BlobRef) or _hands_on(event) for event in turn.events):
        return turn
    events = [await inflate_event(event, blobs, loads_recorded) for event in turn.events]
    return replace(turn, events=tuple(events))


async def inflate_event(event: e.Event, blobs: Blobs, read: Read = loads) -> e.Event:
    """The event with its payload in place."""
    if isinstance(event, e.Started) and _hands_on(event):
        handed: Any = tuple([await inflate_event(told, blobs, read) for told in event.run.untaken])
        event = replace(event, run=replace(event.run, untaken=handed))
    if isinstance(ref := _carried(event), e.BlobRef):
        event = _with_payload(event, await fetch(ref, blobs, read))
    return event


async def stored(turn: Turn, execution_id: str, blobs: Blobs) -> Turn:
    """The turn as it goes into the store: large payloads by reference."""
    events = [await _deposited_event(event, execution_id, blobs) for event in turn.events]
    commands = [await _deposited_command(item, execution_id, blobs) for item in turn.commands]
    return replace(turn, events=tuple(events), commands=tuple(commands))


async def _deposited_event(event: Any, execution_id: str, blobs: Blobs) -> Any:
    payload = _carried(event)
    if isinstance(payload, e.BlobRef) or not _may_be_large(payload):
        return event
    kept = await _deposit(payload, execution_id, blobs)
    return event if kept is payload else _with_payload(event, kept)


async def _deposited_command(command: c.Command, execution_id: str, blobs: Blobs) -> c.Command:
    if isinstance(command, c.ContinueAsNew) and command.untaken:
        untaken = [await _deposited_event(told, execution_id, blobs) for told in command.untaken]
        command = replace(command, untaken=tuple(untaken))
    payload = getattr(command, "payload", None)
    if isinstance(payload, e.BlobRef) or not _may_be_large(payload):
        return command
    owner = command.child if isinstance(command, c.StartChild) else execution_id
    kept = await _deposit(payload, owner, blobs)
    holder: Any = command
    return command if kept is payload else replace(holder, payload=kept)


def _carried(event: e.Event) -> Json | e.BlobRef:
    return event.request if isinstance(event, e.Started) else getattr(event, "payload", None)


def _with_payload(event: Any, payload: Json | e.BlobRef) -> Any:
    if isinstance(event, e.Started):
        return replace(event, request=payload)
    return replace(event, payload=payload)


def _hands_on(event: e.Event) -> bool:
    return isinstance(event, e.Started) and bool(event.run.untaken)


def _may_be_large(payload: object) -> bool:
    """Whether it is worth measuring: a short text or a number is not."""
    if isinstance(payload, str):
        return len(payload) * 4 > INLINE_BYTES_MAX
    return isinstance(payload, dict | list)
