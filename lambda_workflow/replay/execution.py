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
import traceback
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

from lambda_workflow.errors import DecodeError, EncodeError, LimitExceeded, WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.failures import failure_of
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.check import difference
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.ledger import Ledger, chance
from lambda_workflow.replay.loop import DurableHandle, OrderedTask
from lambda_workflow.replay.operations import Operation, line_of
from lambda_workflow.replay.outcomes import bad_response, error_of, timed_out
from lambda_workflow.replay.tools import Info, Tools
from lambda_workflow.replay.unwind import unwind
from lambda_workflow.replay.workflow import Workflow


class Execution:
    """Replays turns, then takes new facts. After a fault it is of no more use but to be closed."""

    def __init__(self, workflow: Workflow[Any, Any], execution_id: str, tools: Tools) -> None:
        self.workflow = workflow
        self.execution_id = execution_id
        self.tools = tools
        self.ledger = Ledger(execution_id)
        self.loop = self.ledger.loop
        self.outcome: c.Complete | c.Fail | None = None
        self.fault: WorkflowError | None = None
        self.info: Info | None = None
        self._inbox: deque[e.Event] = deque()
        self._turns: deque[Turn] = deque()
        self._turn: Turn | None = None
        self._root: OrderedTask[Any] | None = None

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

    def complaints(self) -> list[tuple[str, BaseException | None]]:
        """What asyncio had to say since it was last asked: exceptions that nobody looked at."""
        found = [
            (str(told.get("message", "")), told.get("exception")) for told in self.loop.complaints
        ]
        self.loop.complaints.clear()
        return found

    def close(self) -> str | None:
        """Unwind the code's stack without effect; returns the line of code that refuses to end."""
        return unwind(self.loop)

    def _run(self) -> None:
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
                while self.loop.ready and not self.loop.stopped:
                    with suppress(SystemExit):  # its task holds it as its exception
                        self.loop.drain()
            except LimitExceeded as limit:
                self.fault = limit
        if (refused := getattr(watch, "refused", None)) is not None:
            self.fault = refused  # whether or not the code let it through
        if self._root is not None and self._root.done() and self.outcome is None:
            self._finish(self._root)

    def _peek(self) -> e.Event | None:
        while not self._inbox:
            was_blocked = False
            if self._turn is not None:
                was_blocked = self._turn.status is Status.BLOCKED
                self._check(self._turn)
                self._turn = None
            if self.fault is not None or not self._turns:
                self.ledger.expect(None)
                return None
            self._turn = turn = self._turns.popleft()
            self._inbox.extend(turn.events)
            if turn.status is not Status.BLOCKED:
                self.ledger.expect(turn.commands)
            elif not was_blocked:
                self.ledger.expect(self._commands_to_come())
        return self._inbox[0]

    def _commands_to_come(self) -> tuple[c.Command, ...] | None:
        """What a BLOCKED turn's facts caused stands in the next turn that ran."""
        ran = (turn for turn in self._turns if turn.status is not Status.BLOCKED)
        return next((turn.commands for turn in ran), None)

    def _check(self, turn: Turn) -> None:
        if turn.status is Status.BLOCKED:
            return
        made = self.ledger.settle()
        if made != turn.commands:
            self.fault = difference(self, turn, list(made))

    # facts

    def hurry(self, operation: Operation[Any]) -> None:
        """Law 4: feed the facts that answer an operation about to be awaited."""
        loop, answered = self.loop, operation.operation
        while not loop.ready and not loop.frozen and not operation.done():
            task: Any = asyncio.current_task(loop)
            if task is None or task._must_cancel:
                return  # it does not rest here: it is about to be cancelled
            event = self._peek()
            if event is None or isinstance(event, e.Started) or event.operation != answered:
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
                event.request,
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
        operation = self.ledger.operations.pop(event.operation, None)
        if operation is None:
            return
        if operation.own_timers:
            self.ledger.stop_own_timers(operation)
        if operation.done():
            return
        try:
            operation.resolve(event.payload)
        except DecodeError as error:
            operation.set_exception(bad_response(operation, str(error), self.execution_id))

    def _errored(self, event: e.CallErrored | e.StepErrored) -> None:
        ledger, failure, attempt = self.ledger, event.failure, event.attempt
        operation = ledger.operations.get(event.operation)
        if operation is None or operation.done():
            return
        policy = operation.retry
        recorded = ledger.retries(operation, attempt)
        retry = policy.retries(failure.type, failure.retryable, attempt)
        if retry if recorded is None else recorded:
            luck = chance(self.execution_id, f"{operation.operation}:retry{attempt}")
            ledger.rest(operation, attempt, policy.delay_ms(attempt, luck))
            return
        del ledger.operations[event.operation]
        ledger.stop_own_timers(operation)
        operation.set_exception(error_of(operation, failure, attempt, self.execution_id))

    def _fired(self, timer: str) -> None:
        waiting = self.ledger.take_timer(timer)
        if waiting is None:
            return
        if isinstance(waiting, DurableHandle):
            self.loop.fire(waiting)
        elif timer.endswith(":timeout"):
            self.ledger.operations.pop(waiting.operation, None)
            self.ledger.stop_own_timers(waiting)
            if not waiting.done():
                waiting.set_exception(timed_out(waiting, self.execution_id))
        else:
            self.ledger.try_again(waiting)

    # the end

    def _finish(self, root: OrderedTask[Any]) -> None:
        try:
            result = root.result()
        except asyncio.CancelledError as error:
            self._end(c.Fail(failure_of(error)))
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is the outcome
            stack = "".join(traceback.format_exception(error))
            self._end(c.Fail(failure_of(error, stack)))
        else:
            try:
                payload = self.workflow.result_codec.encode(
                    result, where=f"result of {self.workflow.name}"
                )
                self._end(self._strict_outcome() or c.Complete(payload))
            except EncodeError as error:
                self._end(c.Fail(failure_of(error)))

    def _strict_outcome(self) -> c.Fail | None:
        if not (self.tools.strict and self.ledger.unawaited):
            return None
        first = next(iter(self.ledger.unawaited.values()))
        message = (
            f"{line_of(first.site)} starts `{first.name}` (operation {first.operation}) and nobody "
            "awaits it: await it, or gather it with the others"
        )
        return c.Fail(e.Failure("UnawaitedCall", message, False))

    def _end(self, outcome: c.Complete | c.Fail) -> None:
        self.outcome = outcome
        self.ledger.end(outcome)
