"""The ports: what the runtime asks of a host. Each host (memory, SQLite, AWS) answers them all.

Every method is a coroutine, may raise `BackendError` for what another try can mend, and is safe to
repeat: a repeated commit of the same record is no conflict, a repeated send is one delivery more.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from lambda_workflow.errors import BackendError, WorkflowError
from lambda_workflow.model.events import Started
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Message, Response, Task
from lambda_workflow.model.payload import Json, codec_for
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import Usage

APP_ADDRESS: Final = "app:"  # and the name of an App, in place of its queue's URL

T = TypeVar("T")


class Unprocessable(BackendError):
    """What a message asks for fails the same way at each delivery: the host moves it aside."""


class BlobMissing(Unprocessable):
    """There is nothing under a payload's key: it was never stored, or its time is over."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a listing shows of an execution; a projection of its turns, never the truth.

    Times are milliseconds since the epoch. `turn` is the number of the turn it was made from: a
    store ignores a header that is older than the one it has. `custom` is what the workflow says of
    itself (`ctx.set_status`); `tags` and `memo` are what it was started with.
    """

    execution_id: str
    workflow: str
    status: Status
    started_at: int
    turn: int
    closed_at: int | None = None
    reason: str = ""
    usage: Usage = Usage()
    custom: Json = None
    tags: Mapping[str, str] = field(default_factory=dict)
    memo: Json = None

    def custom_as(self, type: type[T]) -> T | None:
        """What the workflow says of itself, of this type; None if it has not said anything.

        Raises:
            DecodeError: it is not of this type.
        """
        if self.custom is None:
            return None
        value: T = codec_for(type).decode(self.custom, f"status of {self.execution_id}")
        return value


@dataclass(frozen=True, slots=True)
class Query:
    """A listing, newest first. None means any; times are milliseconds since the epoch.

    `tags` are all to be there, with these values.
    """

    workflow: str | None = None
    status: Status | None = None
    started_after: int | None = None
    started_before: int | None = None
    limit: int = 100
    cursor: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing; `cursor` continues it, None at the end."""

    headers: Sequence[Header]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class SendTask:
    """Hand a task to its service. `deduplication` is stable over repeats of the same attempt."""

    task: Task
    deduplication: str


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send a message to an execution, at `queue_url` or, when that is empty, this App's queue.

    `app:billing` instead of a URL is the queue of that App, wherever the host knows it to be; where
    executions of all Apps share one, it is that.
    """

    message: Message
    deduplication: str
    queue_url: str = ""


@dataclass(frozen=True, slots=True)
class SendResponse:
    """Send an execution's outcome to the response queue; nothing happens where none is set up."""

    response: Response
    deduplication: str


@dataclass(frozen=True, slots=True)
class ArmTimer:
    """Send a Timer message to the execution at `due` (milliseconds since the epoch) or later.

    `again` says that its message has come before its time: that timer is gone, or about to be.
    """

    execution_id: str
    operation: str
    due: int
    deduplication: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class DisarmTimer:
    """The timer is no longer wanted; one that fires all the same does no harm."""

    execution_id: str
    operation: str
    due: int


@dataclass(frozen=True, slots=True)
class PutHeader:
    """Bring the listing up to date."""

    header: Header


Effect = SendTask | SendMessage | SendResponse | ArmTimer | DisarmTimer | PutHeader


@dataclass(frozen=True, slots=True)
class Commit:
    """One turn to be stored, with what it causes and what it answers.

    Attributes:
        turn, text: the record, and its text as the store keeps it: at most
            `model.limits.RECORD_BYTES_MAX` bytes, or a reference to where it is.
        header: the listing's line after this turn.
        effects: what has to be dispatched once the record is stored.
        receipts: the host's own handles of the messages that this turn answers.
        run_began: when the present run did, in milliseconds since the epoch.
        begins_run: whether a later run begins with this turn, and reading may begin with it.
    """

    execution_id: str
    turn: Turn
    text: str
    header: Header
    effects: Sequence[Effect] = ()
    receipts: Sequence[Any] = ()
    run_began: int = 0

    @property
    def begins_run(self) -> bool:
        return any(
            isinstance(event, Started) and event.run.number > 1 for event in self.turn.events
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """Records of an execution, oldest first, and what reading them cost."""

    texts: Sequence[str]
    read_units: int = 0


class Store(Protocol):
    """The turn log, and the listing that is projected from it.

    Attributes:
        transactional: whether `commit` stores effects and acknowledges receipts in one transaction
            with the record.
    """

    @property
    def transactional(self) -> bool: ...

    async def load(self, execution_id: str, *, whole: bool = False) -> Loaded:
        """The records of an execution's present run, or of all runs if `whole`; read consistently.

        None if there is no such execution. What reading costs does not grow with earlier runs.
        """
        ...

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        """Store a record if its number is free, and return the effects left to dispatch.

        A transactional store puts record, effects and acknowledgement of the receipts into one
        transaction and returns none; another returns `commit.effects`.

        Raises:
            Conflict: the number is taken by another record; by an equal one is no conflict.
        """
        ...

    async def put_header(self, header: Header) -> None:
        """Project a header, unless the store has a newer one."""
        ...

    async def header(self, execution_id: str) -> Header | None:
        """The header of an execution, read consistently."""
        ...

    async def list(self, query: Query) -> Page:
        """A page of headers, newest first; may lag behind by seconds."""
        ...


class Queue(Protocol):
    """Where effects leave to. Every send is in batches, and raises unless all was sent."""

    async def send_tasks(self, sends: Sequence[SendTask]) -> None:
        """Send tasks to the queues of their services."""
        ...

    async def send_messages(self, sends: Sequence[SendMessage]) -> None:
        """Send messages to executions, in order for each."""
        ...

    async def send_responses(self, sends: Sequence[SendResponse]) -> None:
        """Send outcomes to the response queue, if there is one."""
        ...


class Timers(Protocol):
    """Wakes executions, from milliseconds to a year ahead."""

    async def arm(self, timers: Sequence[ArmTimer]) -> None:
        """Make sure that each timer's message is sent, at its due time or later, at least once."""
        ...

    async def disarm(self, timers: Sequence[DisarmTimer]) -> None:
        """Withdraw timers, as far as the host can."""
        ...


class Blobs(Protocol):
    """Payloads that are too large to stand in a record or a message. Keys name their content."""

    async def put(self, key: str, content: bytes) -> None:
        """Store content under its key; storing it again changes nothing.

        Raises:
            BackendError: it is not stored, or (on AWS) the key has other content.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The content of a key.

        Raises:
            BlobMissing: there is none.
        """
        ...


class Clock(Protocol):
    """The host's time."""

    def now(self) -> int:
        """Milliseconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; a test's clock jumps instead."""
        ...


@dataclass(frozen=True, slots=True)
class Happening:
    """Something an operator may want to know.

    `kind` is one of KINDS; `fields` are JSON values that belong to it. `error` is why an execution
    is BLOCKED, for observers in this process.
    """

    kind: str
    execution_id: str
    workflow: str = ""
    turn: Turn | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    error: WorkflowError | None = field(default=None, compare=False)


KINDS = {
    "turn": "a turn was committed; `turn` holds it",
    "step": "inline work begins; `operation`, `name`, `attempt`, `at`",
    "blocked": "an execution is BLOCKED, told at each try; `reason`, `workflow`, `version`",
    "slow": "workflow code runs and does not wait; `line`, `seconds`; from another thread",
    "repeats": "workflow code does what each replay repeats, such as print; `line`, `call`",
    "closed": "an execution ended; `status`",
    "duplicate": "a message was seen before; `message`, `turn_number`",
    "late": "a message came too late and was dropped; `message`, `reason`",
    "long": "a run nears the limit of its history; `facts`, `limit`",
    "conflict": "another worker was first; the turn starts over",
    "dead_letter": "a message was moved to the dead-letter queue; `reason`",
    "unawaited": "an execution ended with a call that was never awaited; `operation`",
    "unseen": "an exception in workflow code that no code awaits; `message`, `error`, `line`",
    "set_aside": "a malformed signal was set aside; `name`, `id`, `reason`",
    "stubborn": "workflow code refused to be unwound; `line`",
    "failed": "a host failed at an execution's messages, which come again; `error`",
}


class Observer(Protocol):
    """Receives what happens; must not wait. What it raises is logged, and changes nothing."""

    def notify(self, happening: Happening) -> None:
        """Take note."""
        ...


class Quiet:
    """The observer that takes no note."""

    def notify(self, happening: Happening) -> None:
        """Do nothing."""


class GuardedObserver:
    """An observer whose errors are its own: they go to the log, and no turn fails by them."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def notify(self, happening: Happening) -> None:
        """Tell the observer."""
        try:
            self._observer.notify(happening)
        except (Exception, SystemExit, GeneratorExit) as error:
            logging.getLogger("lambda_workflow").error(
                "the observer %s raised %s at %r of execution %s",
                type(self._observer).__qualname__,
                type(error).__qualname__,
                happening.kind,
                happening.execution_id,
                exc_info=error,
            )


def guarded(observer: Observer) -> Observer:
    """The observer, so wrapped that nothing of it is raised."""
    is_safe = isinstance(observer, (GuardedObserver, Quiet))
    return observer if is_safe else GuardedObserver(observer)


@dataclass(frozen=True, slots=True)
class Backend:
    """The ports of one host.

    `inbox_url` is what tasks carry as `callback_queue_url`; `worker` names this process among all
    that work on the same executions, a random name if it is empty; `draw_secret` gives an execution
    the secret of its callback tokens where whoever started it gave none.
    """

    store: Store
    queue: Queue
    timers: Timers
    blobs: Blobs
    clock: Clock
    observer: Observer = field(default_factory=Quiet)
    inbox_url: str = ""
    worker: str = ""
    draw_secret: Callable[[], str] = secrets.token_urlsafe

    def __post_init__(self) -> None:
        object.__setattr__(self, "observer", guarded(self.observer))
