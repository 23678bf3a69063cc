"""Values for the port suite: records, headers and messages with nothing special about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lambda_workflow.model.events import Started, TimerFired
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Task, Timer
from lambda_workflow.model.turn import Turn, encode_turn
from lambda_workflow.ports import Commit, Effect, Header, SendMessage, SendTask
from lambda_workflow.runtime.dispatch import dispatch
from tests.ports.harness import Harness

# Every character that an execution id may have, and as many of them as it may have.
ODD_ID = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~aZ09"
LONG_ID = "x" * 128


def turn(number: int, at: int, payload: str = "") -> Turn:
    """A first turn with a payload, or a later one in which a timer fired."""
    if number == 1:
        return Turn(1, at, (Started(at, "flow", payload, 1),), ())
    return Turn(number, at, (TimerFired(at, f"{number}{payload}"),), ())


def commit_of(
    execution_id: str, turn: Turn, effects: Sequence[Effect] = (), header: Header | None = None
) -> Commit:
    """A turn, ready to be stored."""
    header = header or header_of(execution_id, turn.at, turn=turn.number)
    return Commit(execution_id, turn, encode_turn(turn), header, effects, run_began=turn.at)


def header_of(
    execution_id: str,
    started_at: int,
    *,
    workflow: str = "flow",
    status: Status = Status.RUNNING,
    turn: int = 1,
    **told: Any,
) -> Header:
    """A listing's line; `told` are its custom status, tags and memo."""
    closed_at = started_at + 5 if status.closed else None
    return Header(execution_id, workflow, status, started_at, turn, closed_at, **told)


async def start(harness: Harness, header: Header) -> None:
    """Store the first turn of an execution, and its header."""
    first = turn(1, header.started_at)
    left = await harness.backend.store.commit(commit_of(header.execution_id, first, (), header))
    await dispatch(left, harness.backend)
    await harness.backend.store.put_header(header)


def task_send(number: int, service: str = "mail", execution_id: str = "e") -> SendTask:
    """A task that is told from others by its payload."""
    task = Task(execution_id, f"{execution_id}/{number}", service, {"number": number}, 1, "")
    return SendTask(task, f"{execution_id}:{number}:1")


def message_send(
    execution_id: str, number: int, *, queue_url: str = "", deduplication: str = ""
) -> SendMessage:
    """A message that is told from others by its operation."""
    message = Timer(execution_id, str(number), 1_000)
    return SendMessage(message, deduplication or f"{execution_id}:{number}", queue_url)
