"""Commands: what the workflow wants done. Committed with their facts, then dispatched.

A command's `operation` is unique within its execution; `key` names the command itself, so that a
command and its withdrawal within one turn cancel out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from lambda_workflow.model.events import BlobRef, Failure, Told
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json


@dataclass(slots=True, unsafe_hash=True)
class ScheduleCall:
    """Send the first attempt of a call to a service."""

    operation: Final[str]
    service: Final[str]
    payload: Final[Json | BlobRef]
    name: Final[str] = ""
    heartbeat_ms: Final[int] = 0


@dataclass(frozen=True, slots=True)
class RetryCall:
    """Begin a further attempt of a call, or of a step that runs at most once an attempt.

    A call's payload stands in its ScheduleCall.
    """

    operation: str
    attempt: int


@dataclass(frozen=True, slots=True)
class CancelCall:
    """The workflow no longer wants this call's, child's or callback's result."""

    operation: str


@dataclass(slots=True, unsafe_hash=True)
class StartTimer:
    """Wake the execution at `due` (milliseconds since the epoch).

    The id of a timer that belongs to an operation has a suffix: `3:timeout` (in all), `3:retry1`,
    `3:attempt1`, `3:start1` (attempt 1 is to begin by then), `3:beat1.2` (the second look for a
    heartbeat of attempt 1). Timers of the execution itself begin with `~`, after the run's
    prefix: `~timeout`, `~start`, `~grace`.

    Attributes:
        duration_ms: how long the code waits; 0 for a timer that is not the code's own, and in
            records of earlier versions.
        origin: what the code waits with, `sleep` or `timeout`, and the branch that does, as
            `function/digest of its arguments`, where it is not the main one.
    """

    operation: Final[str]
    due: Final[int]
    name: Final[str] = ""
    duration_ms: Final[int] = 0
    origin: Final[str] = ""


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """The workflow no longer waits for this timer."""

    operation: str


@dataclass(slots=True, unsafe_hash=True)
class RunStep:
    """Run inline work; a step that is done within the turn is recorded as well.

    With `at_most_once` this is committed before the work begins.

    Attributes:
        function: its module and name, and its place where the code makes it as it runs.
        arguments: a digest of them, as far as they have a JSON form; both are empty in records of
            earlier versions.
    """

    operation: Final[str]
    name: Final[str]
    at_most_once: Final[bool] = False
    function: Final[str] = ""
    arguments: Final[str] = ""


@dataclass(frozen=True, slots=True)
class OpenCallback:
    """Wait for an answer by whoever holds the token.

    Attributes:
        answer: the type of the answer; empty in records of earlier versions.
        branch: of the code, as a timer's origin has it.
        schema: the JSON Schema of the answer, for clients without the workflow's code; it is not
            compared.
    """

    operation: str
    name: str = ""
    answer: str = ""
    branch: str = ""
    heartbeat_ms: int = 0
    schema: Json = None


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start another execution.

    Attributes:
        child: its execution id.
        app: the App that has the workflow; empty for this one.
        policy: what becomes of it when this execution ends before it: cancel, terminate, abandon.
        detached: whether nobody waits for its result.
    """

    operation: str
    workflow: str
    payload: Json | BlobRef
    child: str
    app: str = ""
    policy: str = "cancel"
    detached: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """Hand work to a service, whose result nobody waits for."""

    operation: str
    service: str
    payload: Json | BlobRef
    name: str = ""


@dataclass(frozen=True, slots=True)
class OpenScope:
    """A name for the operations that are numbered under this one.

    Attributes:
        kind: scope, map, parallel, branch, poll, retry or rollback; empty in records of earlier
            versions.
    """

    operation: str
    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Patch:
    """The code took the changed way here; see `ctx.patched`."""

    operation: ClassVar[str] = ""
    name: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """A signal that was malformed: the code that read it goes on with the next one."""

    operation: ClassVar[str] = ""
    name: str
    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Declare:
    """The type by which the code reads the signals or updates of a name; it is not compared.

    Attributes:
        kind: signal or update.
        schema: the JSON Schema of the payload, for clients without the workflow's code; None takes
            an earlier one back.
        contract: a digest of all that the type says, which a schema of this size does not.
    """

    operation: ClassVar[str] = ""
    kind: str
    name: str
    schema: Json
    contract: str = ""


@dataclass(frozen=True, slots=True)
class SetStatus:
    """What the workflow says of itself."""

    operation: ClassVar[str] = ""
    payload: Json | BlobRef


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to an UpdateRequested; a refusal when `failure` is set."""

    operation: ClassVar[str] = ""
    id: str
    payload: Json | BlobRef = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Complete:
    """End the execution with a result."""

    operation: ClassVar[str] = ""
    payload: Json | BlobRef


@dataclass(frozen=True, slots=True)
class Fail:
    """End the execution with an error."""

    operation: ClassVar[str] = ""
    failure: Failure


@dataclass(frozen=True, slots=True)
class End:
    """End the execution without an outcome of its own: CANCELLED, TERMINATED or TIMED_OUT."""

    operation: ClassVar[str] = ""
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class ContinueAsNew:
    """End this run, and begin the next with a request, and the signals and updates left."""

    operation: ClassVar[str] = ""
    payload: Json | BlobRef
    untaken: tuple[Told, ...] = ()


Rarer = (
    OpenCallback
    | StartChild
    | Send
    | OpenScope
    | Patch
    | SetAside
    | Declare
    | SetStatus
    | Answer
    | End
    | ContinueAsNew
)
Ending = Complete | Fail | End | ContinueAsNew
Opening = ScheduleCall | OpenCallback | StartChild | RunStep | StartTimer
"""What makes an operation that a fact will answer."""
Command = (
    Opening
    | RetryCall
    | CancelCall
    | CancelTimer
    | Send
    | OpenScope
    | Patch
    | SetAside
    | Declare
    | SetStatus
    | Answer
    | Ending
)


def owner_of(operation: str) -> str:
    """The operation that a timer serves: `3` for `3:timeout`, itself for a plain one."""
    return operation.partition(":")[0]
