"""Events: the facts of an execution. A fact is recorded once and never changed.

`at` is when the host took it in, in milliseconds since the epoch; it never goes back within one
execution. `operation` is the id of the operation that the fact is about.

CallSucceeded, ScheduleCall, RunStep, StartTimer and Turn have `Final` fields instead of being
frozen: the same to a type checker, and a third of the time to make, which a replay of thousands of
them is mostly made of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

from lambda_workflow.model.bounded import as_details, clipped, seconds_of, text_of
from lambda_workflow.model.limits import ERROR_STACK_CHARACTERS_MAX, ERROR_TYPE_CHARACTERS_MAX
from lambda_workflow.model.payload import Json


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Stands for a payload over the inline limit; its content is in the blob store.

    `digest` is the payload's fingerprint, so that replay can compare without fetching; `bytes` is
    the length of its JSON text in UTF-8.
    """

    key: str
    digest: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of an error after it crossed a wall: names and words, no object.

    However it is made, it can be recorded: texts are cut to their limits and made encodable,
    details without a JSON form become their `repr`. `retry_after` is the delay in seconds that the
    origin asks for before the next attempt. `args` are those of a step's exception, as
    `exception_args` writes them; they are kept in records, and no message brings them.
    """

    type: str
    message: str
    retryable: bool = True
    details: Json = None
    stack: str | None = None
    retry_after: float | None = None
    args: Json = None

    def __post_init__(self) -> None:
        put = partial(object.__setattr__, self)
        put("type", clipped(text_of(self.type), ERROR_TYPE_CHARACTERS_MAX))
        put("message", clipped(text_of(self.message)))
        put("retryable", self.retryable is not False)
        put("details", as_details(self.details))
        if self.stack is not None:
            put("stack", text_of(self.stack)[-ERROR_STACK_CHARACTERS_MAX:])
        put("retry_after", seconds_of(self.retry_after))

    def to_json(self) -> dict[str, Any]:
        """The wire form; what is absent or usual is left out."""
        out: dict[str, Any] = {"type": self.type, "message": self.message}
        if not self.retryable:
            out["retryable"] = False
        if self.details is not None:
            out["details"] = self.details
        if self.stack is not None:
            out["stack"] = self.stack
        if self.retry_after is not None:
            out["retry_after"] = self.retry_after
        if self.args is not None:
            out["args"] = self.args
        return out

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Failure:
        """The error of the wire form; adapters in other languages may leave out all but `type`."""
        return cls(**_failure_fields(data))

    @classmethod
    def from_row(cls, data: dict[str, Any]) -> Failure:
        """The error of a record, as long as it was recorded: replay must see what it saw before."""
        failure = object.__new__(cls)
        for name, value in _failure_fields(data).items():
            object.__setattr__(failure, name, value)
        object.__setattr__(failure, "args", data.get("args"))
        return failure


def _failure_fields(data: dict[str, Any]) -> dict[str, Any]:
    stack = data.get("stack")
    return {
        "type": str(data.get("type") or "Error"),
        "message": str(data.get("message") or ""),
        "retryable": data.get("retryable") is not False,
        "details": data.get("details"),
        "stack": None if stack is None else str(stack),
        "retry_after": seconds_of(data.get("retry_after")),
    }


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the outcome of an execution is owed as a result: it was called like a service."""

    queue_url: str
    execution_id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class StartOptions:
    """How an execution was asked for, beyond what it shall do.

    Attributes:
        id: of the start itself; a repeated start is known by it.
        secret: what the tokens of its callbacks are signed with.
        timeout_ms: after which it is TIMED_OUT, counted from when its code may first begin; 0 for
            never.
        not_before: when its code begins, milliseconds since the epoch; 0 for at once.
        depth: how many parents it has.
        tags, memo: what a listing finds it by, and what it shows.
    """

    id: str = ""
    secret: str = ""
    timeout_ms: int = 0
    not_before: int = 0
    depth: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    memo: Json = None


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal came; `id` tells a repeated one, `checked` that its sender had a type for it."""

    operation: ClassVar[str] = ""
    at: int
    name: str
    payload: Json | BlobRef
    id: str
    checked: bool = False


@dataclass(frozen=True, slots=True)
class UpdateRequested:
    """Someone asks the running workflow for something, and waits for its reply."""

    operation: ClassVar[str] = ""
    at: int
    name: str
    payload: Json | BlobRef
    id: str
    checked: bool = False


Told = Signalled | UpdateRequested
"""What the code takes when it likes to."""


@dataclass(frozen=True, slots=True)
class Run:
    """Which run of an execution begins, and what the run before hands over.

    Attributes:
        number: from 1; `continue_as_new` begins the next.
        since: when the first run began, milliseconds since the epoch; 0 in the first itself.
        origin: what the first run's request is known by.
        untaken: signals and updates that the run before had not taken yet.
        seen: what the latest signals, updates and orders are known by (`signal:ID`, `update:ID`,
            `order:ID`), so that a repeated one is still known.
    """

    number: int = 1
    since: int = 0
    origin: str = ""
    untaken: tuple[Told, ...] = ()
    seen: tuple[str, ...] = ()


SEMANTICS: Final = 2
"""The engine-semantics version that new executions record.

1: an exception in an item of a batch is that item's error, a block is retried after any exception,
   a response that cannot be read is a BadResponse, a generator that is left is closed in a task.
2: what says that the code is wrong, or that its types cannot read a fact, blocks; a generator is
   closed at once.
"""
FIRST_RUN: Final = Run()
NO_OPTIONS: Final = StartOptions()


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of every history, and of every run.

    `semantics` is the engine-semantics version: replay keeps to the rules the history began under.
    `version` is the code version that the App gives the workflow.
    """

    operation: ClassVar[str] = ""
    at: int
    workflow: str
    request: Json | BlobRef
    semantics: int
    version: str = ""
    attempt: int = 1
    callback: Callback | None = None
    options: StartOptions = NO_OPTIONS
    run: Run = FIRST_RUN


@dataclass(slots=True, unsafe_hash=True)
class CallSucceeded:
    """A service, a child or whoever holds a callback's token answered."""

    at: Final[int]
    operation: Final[str]
    payload: Final[Json | BlobRef]


@dataclass(frozen=True, slots=True)
class CallErrored:
    """One attempt of a call ended in an error; whether it is retried is a command, not a fact."""

    at: int
    operation: str
    attempt: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer's time has come."""

    at: int
    operation: str


@dataclass(frozen=True, slots=True)
class StepSucceeded:
    """Inline work is done."""

    at: int
    operation: str
    payload: Json | BlobRef


@dataclass(frozen=True, slots=True)
class StepErrored:
    """One attempt of inline work raised."""

    at: int
    operation: str
    attempt: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An attempt of a call, or a callback, is alive; `details` is for the next attempt."""

    at: int
    operation: str
    details: Json = None


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The workflow is to end; its cleanup has `grace_ms` for that."""

    operation: ClassVar[str] = ""
    at: int
    reason: str
    grace_ms: int
    id: str = ""


@dataclass(frozen=True, slots=True)
class Terminated:
    """The execution ends at once; its code is not asked."""

    operation: ClassVar[str] = ""
    at: int
    reason: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Paused:
    """Facts are kept from now on, and nothing is made of them."""

    operation: ClassVar[str] = ""
    at: int
    reason: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The facts kept since Paused take effect."""

    operation: ClassVar[str] = ""
    at: int
    id: str = ""


Order = CancelRequested | Terminated | Paused | Resumed
"""What somebody outside wants of an execution, whatever its code is at."""
Event = (
    Started
    | CallSucceeded
    | CallErrored
    | TimerFired
    | StepSucceeded
    | StepErrored
    | Heartbeat
    | Signalled
    | UpdateRequested
    | CancelRequested
    | Terminated
    | Paused
    | Resumed
)
