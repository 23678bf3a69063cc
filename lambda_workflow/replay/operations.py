"""Operations: the awaitables that workflow code holds. Each is a future that a fact resolves.

Laws
 1. An operation is registered when it is made, not when it is awaited.
 2. Cancelling it takes effect at once; the other side is told with the turn's commands.
 3. Retry decisions are made once, live, and read from the history ever after: a changed policy
    changes the attempts to come, never those that were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from lambda_workflow.model.commands import OpenCallback, RunStep, ScheduleCall, StartChild
from lambda_workflow.model.payload import Codec, codec_for
from lambda_workflow.model.retry import NO_RETRY, RetryPolicy
from lambda_workflow.model.service import Service
from lambda_workflow.model.tokens import make_token
from lambda_workflow.replay.loop import Loop, OrderedFuture, OrderedTask
from lambda_workflow.replay.places import Site

if TYPE_CHECKING:
    from lambda_workflow.replay.execution import Execution

T = TypeVar("T")
# Bound now: `nest_asyncio.apply()` puts another class in the place of `asyncio.Future`.
_init_future: Final = asyncio.Future.__init__


class Operation(OrderedFuture[T], Generic[T]):
    """An operation under way. Await it, gather it, wait for it, cancel it: it is a future."""

    attempt = 1
    resting = False  # between two attempts
    own_timers: tuple[str, ...] = ()
    retry: RetryPolicy = NO_RETRY
    attempt_ms = 0  # how long one attempt may take
    start_ms = 0  # how long the task of an attempt may wait before it begins
    beat_ms = 0  # how long an attempt may be silent
    beat_at = 0  # when it was last heard of
    replayed = False  # whether its present attempt was begun by an earlier worker

    def __init__(self, execution: Execution, operation: str, name: str, site: Site) -> None:
        self.operation = operation
        self.name = name
        self.site = site
        self._execution = execution
        loop = execution.loop
        self._order = loop.next_order()
        _init_future(self, loop=loop)  # past OrderedFuture: calls are many

    def __await__(self) -> Generator[Any, None, T]:
        execution = self._execution
        guard = execution.loop.guard
        if guard is not None:
            guard.pause()
        try:
            execution.ledger.unawaited.pop(self.operation, None)
            if not self.done():
                execution.hurry(self)
        except BaseException:
            if guard is not None:
                guard.resume()
            raise
        if guard is not None and self.done():  # else the task rests, and the loop resumes it
            guard.resume()
        return (yield from super().__await__())

    def add_done_callback(self, fn: Callable[[Any], object], *, context: Any = None) -> None:
        """As for any future; whoever adds one counts as awaiting it."""
        self._execution.ledger.unawaited.pop(self.operation, None)
        super().add_done_callback(fn, context=context)

    def resolve(self, payload: Any) -> None:
        """The fact that answers the operation has come; raises DecodeError."""
        raise NotImplementedError

    @property
    def loop_semantics(self) -> int:
        """The engine-semantics version that the execution keeps to."""
        return self._execution.loop.semantics

    def cancel(self, msg: Any | None = None) -> bool:
        """Give the operation up: it ends as cancelled at once, a later result is dropped."""
        if not super().cancel(msg):
            return False
        self._execution.ledger.withdraw(self)
        return True


class Call(Operation[T]):
    """A call of a service under way; `await` gives its result."""

    details: Any = None  # of the last heartbeat

    def __init__(
        self, execution: Execution, command: ScheduleCall, site: Site, service: Service[Any, T]
    ) -> None:
        self.service = service
        self.retry = service.retry
        super().__init__(execution, command.operation, command.name or service.name, site)

    def resolve(self, payload: Any) -> None:
        """The service answered."""
        self.set_result(self.service.response_codec.decode(payload, self.service.response_label))


class Step(Operation[T]):
    """Inline work under way; `await` gives its result."""

    timeout_ms = 0  # how long one attempt may take; the host sees to it

    def __init__(
        self, execution: Execution, command: RunStep, site: Site, work: Callable[[], Any]
    ) -> None:
        self.work = work
        self.is_async = False
        self.at_most_once = command.at_most_once
        self.codec: Codec[Any] = codec_for(Any)
        super().__init__(execution, command.operation, command.name, site)

    @property
    def execution_id(self) -> str:
        """The execution that the step belongs to."""
        return self._execution.execution_id

    def resolve(self, payload: Any) -> None:
        """The work is done; what it gave comes back as it would from the history."""
        self.set_result(self.codec.decode(payload, self.name))


class Callback(Operation[T]):
    """Something that somebody outside will answer; `await` gives the answer.

    Attributes:
        token: what to answer with; see `Client.complete_callback`. Fit for a URL; whoever holds it
            may answer, so give it to nobody else.
    """

    def __init__(
        self, execution: Execution, command: OpenCallback, site: Site, codec: Codec[T]
    ) -> None:
        self.codec = codec
        secret = execution.options.secret
        self.token = make_token(secret, execution.execution_id, command.operation)
        super().__init__(execution, command.operation, command.name or "callback", site)

    def resolve(self, payload: Any) -> None:
        """It was answered."""
        self.set_result(self.codec.decode(payload, f"answer to {self.name}"))


class Child(Operation[T]):
    """A child execution under way; `await` gives its result.

    Attributes:
        execution_id: of the child.
    """

    request_codec: Codec[Any]

    def __init__(
        self, execution: Execution, command: StartChild, site: Site, codec: Codec[T]
    ) -> None:
        self.codec = codec
        self.execution_id = command.child
        self.workflow = command.workflow
        super().__init__(execution, command.operation, command.name or command.workflow, site)

    def resolve(self, payload: Any) -> None:
        """The child completed."""
        self.set_result(self.codec.decode(payload, f"result of {self.workflow}"))


def pending_leaf(task: asyncio.Task[Any]) -> asyncio.Future[Any] | None:
    """The future that a task waits on, unless that is another task or a group of futures."""
    waiter = getattr(task, "_fut_waiter", None)
    if waiter is None or isinstance(waiter, OrderedTask) or waiter.done():
        return None
    if not isinstance(waiter, OrderedFuture) and isinstance(waiter.get_loop(), Loop):
        # a gathering future: its children are reached through their own tasks, or are operations
        children = getattr(waiter, "_children", None)
        if children:
            return next((f for f in children if not f.done() and not _is_task(f)), None)
    return waiter  # type: ignore[no-any-return]  # a private attribute of asyncio's


def _is_task(future: asyncio.Future[Any]) -> bool:
    return isinstance(future, OrderedTask)
