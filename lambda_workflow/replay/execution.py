"""One execution of workflow code, driven by facts.

Laws
 1. Facts are fed one at a time, in order of arrival, and the code runs to rest after each, live
    and in replay alike. A result is never looked up at the call.
 2. The commands of a turn are its net effect at rest: what was begun and given up within the turn
    leaves no trace.
 3. In replay each turn's commands are compared with the history's; any difference is a fault.
 4. Where nothing is ready and the next fact answers the call being awaited, it is handed over at
    once: the order is the same, the task's round through the loop is saved.
 5. Once frozen, nothing that the code does while its stack unwinds has any effect.
"""

from __future__ import annotations

import asyncio
import hashlib
import traceback
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from lambda_workflow.errors import (
    BadResponse,
    CallFailed,
    CallTimedOut,
    DecodeError,
    EncodeError,
    LimitExceeded,
    WorkflowError,
    suspended,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.check import difference
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.loop import DurableHandle, Loop, OrderedTask, Path
from lambda_workflow.replay.loop import refuse_threads_of_anyio as _refuse_threads
from lambda_workflow.replay.operations import (
    Call,
    Operation,
    Site,
    Step,
    caller,
    failure_of,
    line_of,
    pending_leaf,
    rebuilt,
)
from lambda_workflow.replay.tools import Info, Tools
from lambda_workflow.replay.workflow import Workflow

OPERATIONS_MAX: Final = 100_000  # per execution: a replay of it takes seconds
UNWIND_ROUNDS_MAX: Final = 32  # each gives every task one more chance to end
TIMER_MS_MAX: Final = 366 * 24 * 3_600_000  # hosts keep timers for a little longer than this


class Execution:
    """Replays turns, then takes new facts. After a fault it is of no more use but to be closed."""

    def __init__(self, workflow: Workflow[Any, Any], execution_id: str, tools: Tools) -> None:
        self.workflow = workflow
        self.execution_id = execution_id
        self.tools = tools
        self.loop = Loop(self)  # type: ignore[abstract]  # the rest is refused by name
        self.operations: dict[str, Call[Any] | Step[Any]] = {}
        self.unawaited: dict[str, Operation[Any]] = {}
        self.outcome: c.Complete | c.Fail | None = None
        self.fault: WorkflowError | None = None
        self.info: Info | None = None
        self._timers: dict[str, DurableHandle | Call[Any] | Step[Any]] = {}
        self._timer_sites: dict[str, Site] = {}
        self._intents: dict[str, c.Command] = {}
        self._inbox: deque[e.Event] = deque()
        self._turns: deque[Turn] = deque()
        self._turn: Turn | None = None
        self._expected: dict[str, c.Command] | None = None
        self._root: OrderedTask[Any] | None = None
        self._registered = 0

    # driving

    @property
    def live(self) -> bool:
        """Whether the code runs for the first time, and not in replay."""
        return self._turn is None and not self._turns

    def replay(self, turns: Iterable[Turn]) -> None:
        """Run through committed turns.

        Raises:
            WorkflowError: the code does not do what the history says (NonDeterminismError), or
                cannot go on with this deployment (UnknownService).
        """
        self._turns.extend(turns)
        self._run()

    def advance(self, events: Sequence[e.Event]) -> None:
        """Take new facts and run to rest; raises as `replay` does."""
        self._inbox.extend(events)
        self._run()

    def pending_steps(self) -> list[Step[Any]]:
        """The steps that wait to be run, in the order in which they were started."""
        return [op for op in self.operations.values() if isinstance(op, Step) and not op.resting]

    def has_news(self) -> bool:
        """Whether others wait for commands of this turn, which steps must not delay."""
        asked = c.ScheduleCall | c.RetryCall | c.StartTimer
        return any(isinstance(intent, asked) for intent in self._intents.values())

    def settle(self) -> tuple[c.Command, ...]:
        """The turn's commands; what comes next belongs to the next turn."""
        commands = tuple(self._intents.values())
        self._intents.clear()
        return commands

    def close(self) -> str | None:
        """Unwind the code's stack without effect; returns the line of code that refuses to end."""
        loop = self.loop
        loop.frozen, loop.stopped = True, False
        loop.ready.clear()
        for _ in range(UNWIND_ROUNDS_MAX):
            tasks = [task for task in loop.tasks if not task.done()]
            if not tasks:
                return None
            leaves = [leaf for task in tasks if (leaf := pending_leaf(task)) is not None]
            for leaf in leaves:
                if not leaf.done():
                    leaf.set_exception(suspended())
            if not leaves:
                for task in tasks:
                    task.cancel()
            try:
                loop.drain()
            except BaseException:  # noqa: BLE001  # the turn is over: nothing here counts
                continue
        return self._abandon([task for task in loop.tasks if not task.done()])

    def _abandon(self, tasks: list[OrderedTask[Any]]) -> str:
        place = "?"
        for task in tasks:
            coro: Any = task.get_coro()
            if frame := getattr(coro, "cr_frame", None):
                place = f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own switch
            with suppress(RuntimeError, ValueError):
                coro.close()
        return place

    def _run(self) -> None:
        _refuse_threads()
        while True:
            self._drain()
            event = self._peek()
            if self.fault is not None:
                raise self.fault
            if event is None:
                return
            self._feed(self._inbox.popleft())

    def _drain(self) -> None:
        if not self.loop.ready:
            return
        around = self.tools.around
        with around() if around is not None else nullcontext() as watch:
            try:
                self.loop.drain()
            except LimitExceeded as limit:
                self.fault = limit
            except SystemExit:
                pass  # the root task holds it as its exception
        if (refused := getattr(watch, "refused", None)) is not None:
            self.fault = refused  # whether or not the code let it through
        if self._root is not None and self._root.done() and self.outcome is None:
            self._finish(self._root)

    def _peek(self) -> e.Event | None:
        while not self._inbox:
            if self._turn is not None:
                self._check(self._turn)
                self._turn = None
            if self.fault is not None or not self._turns:
                self._expected = None
                return None
            self._turn = turn = self._turns.popleft()
            self._inbox.extend(turn.events)
            if turn.status is not Status.BLOCKED or self._expected is None:
                self._expected = self._commands_to_come(turn)
        return self._inbox[0]

    def _commands_to_come(self, turn: Turn) -> dict[str, c.Command] | None:
        """The commands recorded for a turn; those of a BLOCKED one stand in the next that ran."""
        if len(turn.commands) == 1 and turn.status is not Status.BLOCKED:
            return {_key(turn.commands[0]): turn.commands[0]}
        for candidate in chain((turn,), self._turns):
            if candidate.status is not Status.BLOCKED:
                return {_key(command): command for command in candidate.commands}
        return None

    def _check(self, turn: Turn) -> None:
        if turn.status is Status.BLOCKED:
            return
        made = tuple(self._intents.values())
        self._intents.clear()
        if made != turn.commands:
            self.fault = difference(self, turn, list(made))

    def site_of(self, operation: str) -> str:
        """Where in the code an operation was started."""
        if (found := self.operations.get(operation)) is not None:
            return line_of(found.site)
        return line_of(self._timer_sites.get(operation))

    # facts

    def hurry(self, operation: Operation[Any]) -> None:
        """Law 4: feed the facts that answer an operation about to be awaited."""
        loop = self.loop
        while not loop.ready and not loop.frozen and not operation.done():
            event = self._peek()
            if event is None or getattr(event, "operation", None) != operation.operation:
                return
            task: Any = asyncio.current_task(loop)
            if task is None or task._must_cancel:
                return
            self._feed(self._inbox.popleft())

    def _feed(self, event: e.Event) -> None:
        if event.at > self.loop.now:
            self.loop.now = event.at
        if self.outcome is not None:
            return
        kind = type(event)
        if kind is e.CallSucceeded or kind is e.StepSucceeded:
            self._succeeded(event)
        elif kind is e.TimerFired:
            self._fired(event.operation)  # type: ignore[union-attr]  # its type was just asked
        elif isinstance(event, e.CallErrored | e.StepErrored):
            self._errored(event)
        elif isinstance(event, e.Started):
            self._start(event)

    def _start(self, event: e.Started) -> None:
        at = datetime.fromtimestamp(event.at / 1000, UTC)
        name = self.workflow.name
        info = Info(self.execution_id, name, event.attempt, at, event.version)
        self.info = info
        try:
            request = self.workflow.request_codec.decode(
                event.request,  # type: ignore[arg-type]  # the runtime fetches blobs before
                where="request",
            )
        except DecodeError as error:
            self._end(c.Fail(failure_of(error)))
            return
        ctx = Context(self, info, request)
        coro = self.workflow.function(ctx, request)
        self._root = OrderedTask(coro, self.loop, self.loop.root, None)
        self.loop.tasks[self._root] = None
        self._root.add_done_callback(self._root_done)

    def _root_done(self, task: asyncio.Task[Any]) -> None:
        self.loop.tasks.pop(task, None)  # type: ignore[call-overload]  # it is the root task
        self.loop.stopped = True

    def _succeeded(self, event: Any) -> None:
        operation = self.operations.pop(event.operation, None)
        if operation is None:
            return
        self._stop_own_timers(operation)
        if operation.done():
            return
        try:
            operation.resolve(event.payload)
        except DecodeError as error:
            of = f"{type(operation).__name__.lower()} {operation.operation} ({operation.name})"
            operation.set_exception(
                BadResponse(
                    f"the answer to {of} of execution {self.execution_id} is not what its "
                    f"contract says: {error}",
                    service=operation.name,
                    type="BadResponse",
                    message=str(error),
                    attempts=operation.attempt,
                    operation=operation.operation,
                )
            )

    def _errored(self, event: e.CallErrored | e.StepErrored) -> None:
        operation = self.operations.get(event.operation)
        if operation is None or operation.done():
            return
        failure, attempt = event.failure, event.attempt
        timer = f"{event.operation}:retry{attempt}"
        recorded = self._expected and self._expected.get(f"+{timer}")
        if recorded is None and self._expected is not None:
            retry = False
        elif recorded is not None:
            retry = True
        else:
            retry = operation.retry.retries(failure.type, failure.retryable, attempt)
        if retry:
            chance = _uniform(self.execution_id, timer)
            due = self.loop.now + operation.retry.delay_ms(attempt, chance)
            if isinstance(recorded, c.StartTimer):
                due = recorded.due
            operation.attempt = attempt
            operation.resting = True
            self._arm(operation, timer, due)
            return
        del self.operations[event.operation]
        self._stop_own_timers(operation)
        operation.set_exception(_error(operation, failure, attempt, self.execution_id))

    def _fired(self, timer: str) -> None:
        waiting = self._timers.pop(timer, None)
        self._timer_sites.pop(timer, None)
        if waiting is None:
            return
        if isinstance(waiting, DurableHandle):
            self.loop.fire(waiting)
        elif timer.endswith(":timeout"):
            self._timed_out(waiting)
        else:
            waiting.attempt += 1
            waiting.resting = False
            if isinstance(waiting, Call):
                retry = c.RetryCall(waiting.operation, waiting.attempt)
                self._intents[f"^{waiting.operation}"] = retry

    def _timed_out(self, call: Call[Any] | Step[Any]) -> None:
        self.operations.pop(call.operation, None)
        self._stop_own_timers(call)
        if call.done():
            return
        text = (
            f"no answer from service {call.name!r} in time (operation {call.operation}, attempt "
            f"{call.attempt} of execution {self.execution_id}); a late one is dropped"
        )
        call.set_exception(
            CallTimedOut(
                text,
                service=call.name,
                type="CallTimedOut",
                message=text,
                attempts=call.attempt,
                operation=call.operation,
            )
        )

    # what the code does

    def register(self, operation: Call[Any] | Step[Any], command: c.Command) -> None:
        """An operation was started."""
        self._count()
        self.operations[operation.operation] = operation
        self.unawaited[operation.operation] = operation
        self._intents[f"+{operation.operation}"] = command

    def deadline(self, call: Call[Any], milliseconds: int) -> None:
        """A call is to be answered in time."""
        timer = f"{call.operation}:timeout"
        self._arm(call, timer, self.loop.now + milliseconds)

    def withdraw(self, operation: Operation[Any]) -> None:
        """An operation was cancelled by the code."""
        found = self.operations.pop(operation.operation, None)
        if found is None or self.loop.frozen:
            return
        self.unawaited.pop(operation.operation, None)
        self._stop_own_timers(found)
        fresh = self._intents.pop(f"+{operation.operation}", None)
        self._intents.pop(f"^{operation.operation}", None)
        if fresh is None and isinstance(found, Call):
            self._intents[f"-{operation.operation}"] = c.CancelCall(operation.operation)

    def timer_started(self, handle: DurableHandle, path: Path) -> None:
        """The code waits for a time; see `loop.TimerKeeper`."""
        self._count()
        if handle.due - self.loop.now > TIMER_MS_MAX:
            raise LimitExceeded(
                "a timer of more than 366 days: sleep in a loop, a year at a time at the most"
            )
        handle.operation = path.operation()
        self._timers[handle.operation] = handle
        self._timer_sites[handle.operation] = caller(3)
        command = c.StartTimer(handle.operation, handle.due)
        self._intents[f"+{handle.operation}"] = command

    def timer_cancelled(self, handle: DurableHandle) -> None:
        """The code no longer waits for a time; see `loop.TimerKeeper`."""
        self._disarm(handle.operation)

    def _count(self) -> None:
        self._registered += 1
        if self._registered > OPERATIONS_MAX:
            raise LimitExceeded(
                f"execution {self.execution_id} started more than {OPERATIONS_MAX} operations: "
                "split the work over several executions"
            )

    def _arm(self, operation: Call[Any] | Step[Any], timer: str, due: int) -> None:
        recorded = self._expected and self._expected.get(f"+{timer}")
        if isinstance(recorded, c.StartTimer):
            due = recorded.due
        self._timers[timer] = operation
        operation.own_timers.append(timer)
        self._intents[f"+{timer}"] = c.StartTimer(timer, due)

    def _disarm(self, timer: str) -> None:
        if self._timers.pop(timer, None) is None or self.loop.frozen:
            return
        self._timer_sites.pop(timer, None)
        if self._intents.pop(f"+{timer}", None) is None:
            self._intents[f"-{timer}"] = c.CancelTimer(timer)

    def _stop_own_timers(self, operation: Call[Any] | Step[Any]) -> None:
        for timer in operation.own_timers:
            self._disarm(timer)
        operation.own_timers.clear()

    # the end

    def _finish(self, root: OrderedTask[Any]) -> None:
        try:
            result = root.result()
        except asyncio.CancelledError as error:
            self._end(c.Fail(failure_of(error)))
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is the outcome
            stack = "".join(traceback.format_exception(error))
            self._end(c.Fail(failure_of(error, stack[-4000:])))
        else:
            try:
                payload = self.workflow.result_codec.encode(
                    result, where=f"result of {self.workflow.name}"
                )
                self._end(self._strict_outcome() or c.Complete(payload))
            except EncodeError as error:
                self._end(c.Fail(failure_of(error)))

    def _strict_outcome(self) -> c.Fail | None:
        if not (self.tools.strict and self.unawaited):
            return None
        first = next(iter(self.unawaited.values()))
        message = (
            f"{line_of(first.site)} starts `{first.name}` (operation {first.operation}) and nobody "
            "awaits it: await it, or gather it with the others"
        )
        return c.Fail(e.Failure("UnawaitedCall", message, False))

    def _end(self, outcome: c.Complete | c.Fail) -> None:
        self.outcome = outcome
        timers = [key for key, i in self._intents.items() if _is_timer(i)]
        for key in timers:  # nobody waits any more; the dispatch withdraws those under way
            del self._intents[key]
        self._intents["!"] = outcome


def _is_timer(intent: c.Command) -> bool:
    return isinstance(intent, c.StartTimer | c.CancelTimer)


def _key(command: c.Command) -> str:
    match command:
        case c.ScheduleCall() | c.StartTimer() | c.RunStep():
            return f"+{command.operation}"
        case c.CancelCall() | c.CancelTimer():
            return f"-{command.operation}"
        case c.RetryCall():
            return f"^{command.operation}"
        case c.Complete() | c.Fail():
            return "!"


def _uniform(execution_id: str, timer: str) -> float:
    """A number in [0, 1) that is the same for the same timer."""
    digest = hashlib.blake2b(f"{execution_id}/{timer}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / (1 << 48)


def _error(
    operation: Call[Any] | Step[Any], failure: e.Failure, attempts: int, execution_id: str
) -> BaseException:
    if isinstance(operation, Step):
        return rebuilt(operation, failure, attempts)
    kind = BadResponse if failure.type == "BadResponse" else CallFailed
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    return kind(
        f"service {operation.name!r} failed after {tries} with {failure.type}: {failure.message} "
        f"(operation {operation.operation} of execution {execution_id})",
        service=operation.service.name,
        type=failure.type,
        message=failure.message,
        details=failure.details,
        stack=failure.stack,
        attempts=attempts,
        operation=operation.operation,
    )
