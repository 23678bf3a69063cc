"""Every exception of this package, drawn as one tree, by who has to act.

    WorkflowError                     anything this package raises on purpose
    ├── ConfigurationError            the deployment is wrong: a variable, a registration
    │   ├── UnknownService            a call names a service the App does not have
    │   └── UnknownWorkflow           a start names a workflow the App does not have
    ├── PayloadError                  a value does not fit its declared type
    │   ├── EncodeError               … on the way out: refused at the call
    │   └── DecodeError               … on the way in: names the field
    ├── LimitExceeded                 a documented limit was passed; the message names it
    │   ├── PayloadTooLarge           a payload is over 16 MiB or 200 levels: at the call or await
    │   └── TurnTimedOut              workflow code ran too long without waiting, and was cut off
    ├── OperationFailed               reaches the workflow's code: an operation ended badly
    │   ├── CallFailed                a service answered with an error, and retries are used up
    │   │   ├── BadResponse           a service's response is not of its type (unreadable="raise")
    │   │   └── CallTimedOut          no answer within the call's timeout (also a TimeoutError)
    │   │       ├── HeartbeatTimedOut the adapter at work on it was silent for too long
    │   │       └── StartTimedOut     no adapter began the last attempt within its start_timeout
    │   ├── CallbackFailed            whoever held the token answered with an error
    │   │   └── CallbackTimedOut      no answer in time (also a TimeoutError)
    │   │       └── CallbackHeartbeatTimedOut  no heartbeat in time
    │   ├── ChildFailed               a child execution did not complete; carries its id
    │   │   └── ChildTimedOut         it did not end within the call's timeout (a TimeoutError)
    │   └── StepFailed                a step raised what cannot be raised again as its own class
    │       ├── StepTimedOut          an attempt did not end in its timeout (also a TimeoutError)
    │       └── StepInterrupted       a step that runs at most once was begun, its end is unknown
    ├── BatchFailed                   items of a map or parallel failed (an ExceptionGroup of why)
    ├── PollTimedOut                  a poll's condition did not hold in time (also a TimeoutError)
    ├── SagaFailed                    compensations failed as well (an ExceptionGroup of why)
    ├── TaskCancelled                 reaches a service adapter: its result is no longer wanted
    ├── ServiceError                  raised by a service adapter to choose type, retryable, details
    ├── NonDeterminismError           the code no longer does what the history says it did
    ├── WorkflowBug                   workflow code raised what says that the code is wrong
    ├── UnreadableFact                a recorded fact that the code's types cannot read
    ├── UsageError                    code asked the library for what it does not allow there
    ├── NonDeterministicCall          workflow code asked the clock or the dice (strict guard)
    ├── MessageError                  a message on a queue that cannot be understood
    ├── ExecutionError                reaches the Client's caller
    │   ├── ExecutionFailed           the execution ended in failure; carries its error
    │   │   ├── ExecutionCancelled    … was cancelled
    │   │   ├── ExecutionTerminated   … was terminated
    │   │   └── ExecutionTimedOut     … did not end within its own timeout
    │   ├── ExecutionNotFound         no execution has this id
    │   ├── ExecutionAlreadyStarted   the id is taken by another workflow or another input
    │   ├── ExecutionClosed           it has ended, and takes no signal, update or answer
    │   ├── UpdateRejected            the workflow refused an update
    │   ├── InvalidToken              no token of a callback, or a forged one
    │   ├── CallbackClosed            the callback was answered, timed out, or given up
    │   └── ResultTimeout             the result was not there in time (also a TimeoutError)
    └── BackendError                  a port failed; the host tries again
        └── Conflict                  another worker committed this turn first

Not in this tree: the BaseExceptions Suspended (ends a turn) and Later (an adapter comes back).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Self

from lambda_workflow.suspension import Suspended as Suspended


class WorkflowError(Exception):
    """The root of what this package raises on purpose."""


class ConfigurationError(WorkflowError):
    """The deployment is wrong: the message names the variable, registration or argument to mend."""


class UnknownService(ConfigurationError):
    """A workflow calls a service that its App does not list; the message has the line to add."""


class UnknownWorkflow(ConfigurationError):
    """A start names a workflow that the App does not list; the message names those it has."""


class PayloadError(WorkflowError):
    """A value does not fit its declared type; the message has the path of the field."""


class EncodeError(PayloadError):
    """A value cannot be written as its declared type; raised at the call that passes it."""


class DecodeError(PayloadError):
    """A JSON value read from outside does not fit its declared type."""


class LimitExceeded(WorkflowError):
    """A documented limit was passed; the message names the limit and what to do instead."""


class PayloadTooLarge(LimitExceeded):
    """A payload is over 16 MiB, or nests over 200 levels deep; the message says what to do instead.

    Raised where code passes or awaits it; as the workflow's own result it fails the execution.
    """


class TurnTimedOut(LimitExceeded):
    """Workflow code ran too long without waiting for anything; the message names its line.

    The execution is BLOCKED. Its next message, or a redrive, tries again under the same limit.
    """


class OperationFailed(WorkflowError):
    """An operation of the workflow ended badly.

    Attributes:
        type: the name of the error's type at its origin.
        message: the error's own words.
        details: any JSON value the origin added, or None.
        stack: the origin's stack as text, or None.
        attempts: how many attempts were made.
        operation: the id of the operation in the history.
    """

    def __init__(
        self, text: str, *, type: str = "", message: str = "", details: Any = None,
        stack: str | None = None, attempts: int = 1, operation: str = "",
    ) -> None:  # fmt: skip
        super().__init__(text)
        self.type = type
        self.message = message
        self.details = details
        self.stack = stack
        self.attempts = attempts
        self.operation = operation


class CallFailed(OperationFailed):
    """A service answered a call with an error that is not, or no longer, retried.

    Attributes:
        service: the name of the service; for the others see OperationFailed.
    """

    def __init__(self, text: str, *, service: str = "", **rest: Any) -> None:
        super().__init__(text, **rest)
        self.service = service


class BadResponse(CallFailed):
    """A service answered with a value that its declared response type does not accept."""


class CallTimedOut(CallFailed, TimeoutError):
    """No answer came in time; a late one is dropped. `type`: `CallTimedOut`, `AttemptTimedOut`."""


class HeartbeatTimedOut(CallTimedOut):
    """The last attempt of a call sent no heartbeat within its `heartbeat_timeout`."""


class StartTimedOut(CallTimedOut):
    """No adapter began the last attempt of a call within its start_timeout."""


class CallbackFailed(OperationFailed):
    """A holder of the callback's token answered with an error."""


class CallbackTimedOut(CallbackFailed, TimeoutError):
    """A callback had no answer, or no heartbeat, in time; a late answer is refused."""


class CallbackHeartbeatTimedOut(CallbackTimedOut):
    """No heartbeat came for a callback within its `heartbeat_timeout`."""


class ChildFailed(OperationFailed):
    """A child execution did not complete.

    Attributes:
        execution_id, workflow: the child; for the others see OperationFailed. `type` is the name of
            the error that ended it, or `ExecutionCancelled`, `ExecutionTerminated`,
            `ExecutionTimedOut`.
    """

    def __init__(
        self, text: str, *, execution_id: str = "", workflow: str = "", **rest: Any
    ) -> None:
        super().__init__(text, **rest)
        self.execution_id = execution_id
        self.workflow = workflow


class ChildTimedOut(ChildFailed, TimeoutError):
    """A child did not end within the timeout of its call; its close policy is applied to it."""


class StepFailed(OperationFailed):
    """A step raised an exception whose class cannot be rebuilt; this one carries the facts."""


class StepTimedOut(StepFailed, TimeoutError):
    """An attempt of a step took longer than the step's timeout; a late result is dropped."""


class StepInterrupted(StepFailed):
    """A step that runs at most once was begun and its worker died: how far it came is not known."""


class BatchFailed(WorkflowError, ExceptionGroup[Exception]):
    """Items of a map or parallel failed; `exceptions` has their errors, in the items' order.

    It is an ExceptionGroup: `except* CallFailed` takes out of it what it names.
    """

    def derive(self, excs: Sequence[Exception], /) -> BatchFailed:  # type: ignore[override]
        return BatchFailed(self.message, excs)


class PollTimedOut(WorkflowError, TimeoutError):
    """A poll's condition did not hold within its timeout, or in its number of checks.

    Attributes:
        state: what the last check gave; the first state if none had ended.
        checks: how many checks had ended.
    """

    def __init__(self, text: str, *, state: Any = None, checks: int = 0) -> None:
        super().__init__(text)
        self.state = state
        self.checks = checks


class SagaFailed(WorkflowError, ExceptionGroup[Exception]):
    """A saga was rolled back, and compensations failed for good; the others were made.

    Attributes:
        cause: why it was rolled back: the error of the block, or its CancelledError.
        failures: the errors of the compensations, in the order in which these were begun.
    """

    cause: BaseException

    def __new__(cls, message: str, failures: Sequence[Exception], cause: BaseException) -> Self:
        error = super().__new__(cls, message, failures)
        error.cause = error.__cause__ = cause
        return error

    @property
    def failures(self) -> tuple[Exception, ...]:
        """See the class."""
        return tuple(self.exceptions)

    def derive(self, excs: Sequence[Exception], /) -> SagaFailed:  # type: ignore[override]
        return SagaFailed(self.message, excs, self.cause)


class ServiceError(WorkflowError):
    """Raise this in a service adapter to say exactly what the workflow shall see.

    Args:
        message: the words of CallFailed.message.
        type: the name that retry policies and CallFailed.type show.
        retryable: False ends the call at once, whatever its retry policy.
        details: any JSON value; reaches the workflow as CallFailed.details.
        retry_after: the delay before the next attempt, instead of the retry policy's own.
    """

    def __init__(
        self, message: str, *, type: str = "ServiceError", retryable: bool = True,
        details: Any = None, retry_after: timedelta | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.type = type
        self.retryable = retryable
        self.details = details
        self.retry_after = retry_after


class TaskCancelled(WorkflowError):
    """Raised by `heartbeat` in a service adapter: the workflow no longer wants the result."""


class NonDeterminismError(WorkflowError):
    """Replaying the code gave other operations than the history holds.

    The execution is BLOCKED, keeps the facts that arrive, and goes on once the code fits again.
    """


class WorkflowBug(WorkflowError):
    """Workflow code raised an exception which says that the code itself is wrong.

    The execution is BLOCKED, and goes on once the code is corrected. `__cause__` is the exception;
    the message has its file and line and the frames of the workflow's code. See `BUGS`.
    """


class UnreadableFact(WorkflowError):
    """A recorded fact (a response, answer, signal or request) does not fit the code's type for it.

    The execution is BLOCKED, and goes on once a deployed contract reads the fact, which is kept as
    it came. The message has the contract, the field, and the types that were expected and found.
    """


class UsageError(WorkflowError):
    """Code asked this library for what it does not allow there, such as a thread in a workflow."""


class NonDeterministicCall(WorkflowError, RuntimeError):
    """Workflow code used clock, randomness or I/O directly; the message has the safe spelling."""


class MessageError(WorkflowError):
    """A queue message cannot be understood; the host moves it to the dead-letter queue intact."""


class ExecutionError(WorkflowError):
    """Something about one execution that the Client's caller has to know."""


class ExecutionFailed(ExecutionError):
    """The execution ended in failure.

    Attributes:
        execution_id, workflow: whose failure this is.
        type, message, details, stack: the error that ended it.
    """

    def __init__(
        self, text: str, *, execution_id: str = "", workflow: str = "", type: str = "",
        message: str = "", details: Any = None, stack: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(text)
        self.execution_id = execution_id
        self.workflow = workflow
        self.type = type
        self.message = message
        self.details = details
        self.stack = stack


class ExecutionCancelled(ExecutionFailed):
    """The execution was cancelled before it had a result."""


class ExecutionTerminated(ExecutionFailed):
    """The execution was terminated."""


class ExecutionTimedOut(ExecutionFailed):
    """The execution did not end within the timeout it was started with."""


class ExecutionClosed(ExecutionError):
    """The execution has ended: it takes no signal, update or answer any more."""


class UpdateRejected(ExecutionError):
    """The workflow refused an update.

    Attributes:
        type, message, details: what the workflow said of its reason.
    """

    def __init__(
        self, text: str, *, type: str = "", message: str = "", details: Any = None
    ) -> None:
        super().__init__(text)
        self.type = type
        self.message = message
        self.details = details


class InvalidToken(ExecutionError):
    """This is no token of a callback, or it was not made by the execution that it names."""


class CallbackClosed(ExecutionError):
    """The callback was answered, timed out or was given up: the answer changes nothing."""


class ExecutionNotFound(ExecutionError):
    """No execution has this id (or its history has expired)."""


class ExecutionAlreadyStarted(ExecutionError):
    """The execution id is taken by another workflow or by another input."""


class ResultTimeout(ExecutionError, TimeoutError):
    """The result was not there in time; the execution itself goes on."""


class BackendError(WorkflowError):
    """A store, queue, timer or blob operation failed: the message is redelivered, nothing lost."""


class Conflict(BackendError):
    """This turn number is taken: another worker was first, and this copy is out of date."""
