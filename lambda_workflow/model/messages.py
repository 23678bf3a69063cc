"""Messages: what travels on the queues. `model/wire.py` has their JSON.

To an execution (its FIFO queue, tagged by `type`): Request, Update, Timer, Heartbeat, Signal,
UpdateRequest, Cancel, Terminate, Pause, Resume, Redrive.
To a service: Task, which may also withdraw one. To the response queue: Response.
A payload over the inline limit travels as a BlobRef; the receiving side fetches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lambda_workflow.model.events import NO_OPTIONS, BlobRef, Callback, Failure, StartOptions
from lambda_workflow.model.ids import operation_of
from lambda_workflow.model.payload import Json

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
GRACE_MS: Final = 300_000  # five minutes for what a cancelled workflow has to tidy up


@dataclass(frozen=True, slots=True)
class Request:
    """Start an execution; a second one with the same id, workflow and request changes nothing."""

    execution_id: str
    workflow: str
    request: Json | BlobRef
    callback: Callback | None = None
    attempt: int = 1
    options: StartOptions = NO_OPTIONS
    replace: bool = False  # what has this id, terminated if it runs; known by `options.id`


@dataclass(frozen=True, slots=True)
class Update:
    """The result of one attempt of a call: a payload, or a failure when `failure` is set.

    `attempt` 0 means that the adapter did not say: the attempt under way is taken. The answer to a
    callback carries its token.
    """

    execution_id: str
    operation: str
    payload: Json | BlobRef = None
    failure: Failure | None = None
    attempt: int = 0
    token: str = ""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer's time has come; `due` in milliseconds since the epoch."""

    execution_id: str
    operation: str
    due: int


@dataclass(frozen=True, slots=True)
class Redrive:
    """Try a BLOCKED execution again; send a running one's unanswered commands once more.

    What it sends is known by its `id`: a redelivery within five minutes sends nothing more.
    """

    execution_id: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An attempt of a call, or the holder of a callback's token, is alive."""

    execution_id: str
    operation: str
    details: Json = None
    attempt: int = 0
    token: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """Tell the workflow something. `id` makes it once, however often it is sent.

    `start` names the start that it was sent with: by its id, or as `<workflow>/<digest of the
    request>`. An execution that began with another start does not take the signal. `checked` says
    that the sender had a type, which the payload is of.
    """

    execution_id: str
    name: str
    payload: Json | BlobRef
    id: str
    start: str = ""
    checked: bool = False


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """Ask the workflow for something; its reply is kept under `id`; `start`, `checked` as for
    Signal."""

    execution_id: str
    name: str
    payload: Json | BlobRef
    id: str
    start: str = ""
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the workflow by an `asyncio.CancelledError`; its cleanup has `grace_ms` milliseconds.

    A parent means the child that it started, by that `start`, and nobody else's of the same id.
    `id` makes it once, whichever run takes it, as for Pause and Resume; without one it is for the
    run that is present when it comes, each time that it does.
    """

    execution_id: str
    reason: str = ""
    grace_ms: int = GRACE_MS
    start: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Terminate:
    """End the execution at once, without its code; `start` and `id` as for Cancel."""

    execution_id: str
    reason: str = ""
    start: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Keep what arrives, and make nothing of it until Resume."""

    execution_id: str
    reason: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on after Pause."""

    execution_id: str
    id: str = ""


Message = (
    Request
    | Update
    | Timer
    | Redrive
    | Heartbeat
    | Signal
    | UpdateRequest
    | Cancel
    | Terminate
    | Pause
    | Resume
)


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of a call, as a service's queue carries it. `task_id` is its idempotency key.

    Attributes:
        heartbeat_ms: the longest time between two heartbeats of the adapter; 0: none is expected.
        details: of the last heartbeat of the attempts before.
        reply: whether anybody waits for the result.
        cancelled: whether this withdraws the task instead.
        deadline_ms: until when anybody waits for this attempt, since the epoch; 0 for ever.
        state: what the adapter gave its `Later`.
        not_before: when it is to come back to the adapter, in milliseconds since the epoch.
        beat_at: when the last heartbeat was before the task came back.
        start_by_ms: until when the attempt is to begin, since the epoch; the adapter reports the
            begin by a heartbeat. 0 where the call has no `start_timeout`.
    """

    execution_id: str
    task_id: str
    service: str
    payload: Json | BlobRef
    attempt: int
    callback_queue_url: str = ""
    heartbeat_ms: int = 0
    details: Json = None
    reply: bool = True
    cancelled: bool = False
    deadline_ms: int = 0
    state: Json = None
    not_before: int = 0
    beat_at: int = 0
    start_by_ms: int = 0

    @property
    def deadline(self) -> datetime | None:
        """Until when anybody waits for this attempt; None for ever."""
        return _EPOCH + timedelta(milliseconds=self.deadline_ms) if self.deadline_ms else None

    def update(self, payload: Json | BlobRef = None, failure: Failure | None = None) -> Update:
        """The answer to this very attempt."""
        operation = operation_of(self.task_id)
        return Update(self.execution_id, operation, payload, failure, self.attempt)


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of an execution, for the response queue; `failure` is None when it completed.

    `id` is the same however often one outcome is sent, and no other outcome's, be that of another
    execution that has had the same execution id.
    """

    execution_id: str
    workflow: str
    status: str
    result: Json | BlobRef = None
    failure: Failure | None = None
    id: str = ""
