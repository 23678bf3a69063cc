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
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from contextvars import Context as Variables
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lambda_workflow.errors import LimitExceeded, WorkflowError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload_shown import SHOWS_VALUES, texts_for
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.anyio_rules import forget_tasks_in_anyio
from lambda_workflow.replay.bugs import bug_fault
from lambda_workflow.replay.check import difference
from lambda_workflow.replay.endings import finish
from lambda_workflow.replay.facts import feed_rarer, succeeded
from lambda_workflow.replay.ledger import Ledger
from lambda_workflow.replay.loop import OrderedTask
from lambda_workflow.replay.narrative import Narrative
from lambda_workflow.replay.operations import Operation
from lambda_workflow.replay.tools import Info, Tools
from lambda_workflow.replay.unwind import unwind
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.suspension import RunEnded

if TYPE_CHECKING:
    from lambda_workflow.replay.context import Context


class Execution:
    """Replays turns, then takes new facts. After a fault it is of no more use but to be closed."""

    def __init__(self, workflow: Workflow[Any, Any], execution_id: str, tools: Tools) -> None:
        self.workflow = workflow
        self.execution_id = execution_id
        self.tools = tools
        self.ledger = Ledger(execution_id)
        self.loop = self.ledger.loop
        self.outcome: c.Ending | None = None
        self.fault: WorkflowError | None = None
        self.bug: BaseException | None = None  # what says that the code is wrong
        self.renewal: RunEnded | None = None  # what `ctx.continue_as_new` has raised
        self.info: Info | None = None
        self.options = e.NO_OPTIONS
        self.state = Narrative()
        self.context: Context | None = None
        self.root: OrderedTask[Any] | None = None
        self.facts = 0
        self.read_only = False
        self._shows_values = False
        self.replayed: list[Turn] = []
        self._inbox: deque[e.Event] = deque()
        self._turns: deque[Turn] = deque()
        self._turn: Turn | None = None

    # driving

    @property
    def live(self) -> bool:
        """Whether the code runs for the first time, and not in replay."""
        return self.ledger.is_live

    def replay(self, turns: Iterable[Turn]) -> None:
        """Run through committed turns.

        Raises:
            WorkflowError: the code does not do what the history says (NonDeterminismError), or
                cannot go on with this deployment (UnknownService).
        """
        self.replayed = list(turns)
        self._turns.extend(self.replayed)
        self._run()

    def advance(self, events: Sequence[e.Event]) -> None:
        """Take new facts and run to rest; raises as `replay` does."""
        self._inbox.extend(events)
        self._run()

    def complaints(self) -> list[tuple[str, BaseException | None]]:
        """What was lost since it was last asked: exceptions that no code has looked at."""
        found = [told for told in map(_complaint, self.loop.complaints) if told is not None]
        self.loop.complaints.clear()
        return found

    def close(self) -> str | None:
        """Unwind the code's stack without effect; returns the line of code that refuses to end."""
        refusing = unwind(self.loop, self.watched)
        forget_tasks_in_anyio(self.loop)
        self.replayed = []
        return refusing

    def stop(self) -> None:
        """Let the code come to rest after its present step; safe from another thread."""
        self.loop.stopped = True

    def watched(self, code: Callable[[], None]) -> WorkflowError | None:
        """Run code under the watchdog, if there is one; why it was cut off, if it was."""
        watched = self.tools.watched
        if watched is not None:
            return watched(self, code)
        code()
        return None

    def _run(self) -> None:
        self._shows_values = SHOWS_VALUES.get()
        watched, cut = self.tools.watched, None
        if watched is None:
            self._run_through()
        else:
            cut = watched(self, self._run_through)
        if cut is not None:
            self.fault = cut
            raise cut

    def _run_through(self) -> None:
        # law 3 of `payload_shown`: the texts that the code sees do not depend on the host
        if self._shows_values is not (self.loop.semantics < 2):
            SHOWS_VALUES.set(not self._shows_values)
        try:
            while True:
                if self.loop.ready:
                    self._drain()
                event = self._peek()
                if self.fault is not None:
                    raise self.fault
                if event is None:
                    return
                self._feed(self._inbox.popleft())
        finally:  # `start` may have set it, too
            if SHOWS_VALUES.get() is not self._shows_values:
                SHOWS_VALUES.set(self._shows_values)

    def _drain(self) -> None:
        around = self.tools.around
        if around is None:
            self._run_limited()
        else:
            with around() as guard:
                guard.pause()
                self.loop.guard = guard
                self._run_limited()
                self.loop.guard = None
        if (found := self.ledger.misfit) is not None and self.fault is None:
            with texts_for(values=self._shows_values):
                self.fault = found[0](self, found[1])
        if around is not None and guard.refused is not None:
            self.fault = guard.refused  # whether or not the code let it through
        if self.root is not None and self.root.done() and self.outcome is None and not self.bug:
            finish(self, self.root)
        if self.bug is not None and self.fault is None:
            with texts_for(values=self._shows_values):
                self.fault = bug_fault(self, self.bug)

    def _run_limited(self) -> None:
        try:
            self._run_to_rest()
        except LimitExceeded as limit:
            self.fault = limit

    def _run_to_rest(self) -> None:
        while self.loop.ready and not self.loop.stopped:
            with suppress(SystemExit):  # its task holds it as its exception
                self.loop.drain()
            if self.state.conditions and not self.loop.ready and not self.loop.stopped:
                self.loop.run_here(self.state.try_conditions)

    def _peek(self) -> e.Event | None:
        while not self._inbox:
            was_stalled = False
            if (last := self._turn) is not None:
                if last.status is not Status.RUNNING and last.status.forced:
                    was_stalled = True
                else:
                    self._check(last)
                self._turn = None
            if self.fault is not None or not self._turns:
                self.ledger.expect(None)
                return None
            self._turn = turn = self._turns.popleft()
            if turn.status is Status.RUNNING:
                self._inbox.extend(turn.events)
                self.ledger.expect(turn.commands)
            else:
                self._take_up(turn, was_stalled)
        return self._inbox[0]

    def _take_up(self, turn: Turn, was_stalled: bool) -> None:
        """A turn that ends the execution, or that the code was not asked about when it was made."""
        if turn.status.forced and turn.status.closed:
            return
        self._inbox.extend(turn.events)
        if not turn.status.forced:
            self.ledger.expect(turn.commands)
        elif not was_stalled:
            self.ledger.expect(self._commands_to_come())

    def _commands_to_come(self) -> tuple[c.Command, ...] | None:
        """What a stalled turn's facts caused stands in the next turn that ran."""
        ran = (turn for turn in self._turns if not turn.status.forced)
        return next((turn.commands for turn in ran), None)

    def _check(self, turn: Turn) -> None:
        made = self.ledger.settle()
        if made != turn.commands and self.fault is None:  # what is known says more
            with texts_for(values=self._shows_values):
                self.fault = difference(self, turn, list(made))

    def hurry(self, operation: Operation[Any]) -> None:
        """Law 4: feed the facts that answer an operation about to be awaited."""
        loop, answered = self.loop, operation.operation
        while not loop.ready and not loop.frozen and not operation.done():
            if self.state.conditions:
                return  # they are asked at every rest, and this is one
            task: Any = asyncio.current_task(loop)
            if task is None or task._must_cancel:
                return  # it does not rest here: it is about to be cancelled
            event = self._peek()
            if event is None or isinstance(event, e.Started) or event.operation != answered:
                return
            self._feed(self._inbox.popleft())
            if self.fault is not None:
                return

    def _feed(self, event: e.Event) -> None:
        if event.at > self.loop.now:
            self.loop.now = event.at
        self.facts += 1
        if self.outcome is not None:
            if isinstance(self.outcome, c.ContinueAsNew):
                self._feed_between_runs(self.outcome, event)
            return
        kind = type(event)
        if kind is e.CallSucceeded or kind is e.StepSucceeded:
            succeeded(self, event)  # type: ignore[arg-type]  # its type was just asked
        else:
            feed_rarer(self, event)

    def _feed_between_runs(self, outcome: c.ContinueAsNew, event: e.Event) -> None:
        """What came in one turn with the fact that ended a run is the next run's."""
        if isinstance(event, e.Told):
            self.end(replace(outcome, untaken=(*outcome.untaken, event)))
        elif isinstance(event, e.CancelRequested):  # whose code has not begun
            self.end(c.End(Status.CANCELLED, event.reason))

    def take_early(self, operation: str) -> None:
        """A callback may be answered before the code opens it."""
        if (event := self.ledger.early.pop(operation, None)) is not None:
            self._feed(event)
            self.facts -= 1

    def start(self, ctx: Context) -> None:
        """Begin the workflow's code."""
        self.context = ctx
        # empty: what the host keeps in variables would not be there in a replay
        variables = Variables()
        if self.loop.semantics < 2:
            SHOWS_VALUES.set(True)  # until `_run` ends, and in all that the code does
            variables.run(SHOWS_VALUES.set, True)
        coro = self.workflow.function(ctx, ctx.request)  # last: what is made is to be awaited
        self.root = OrderedTask(coro, self.loop, self.loop.root, variables)
        self.root.is_main = True
        self.loop.tasks[self.root] = None
        self.root.add_done_callback(self._root_done)

    def _root_done(self, task: asyncio.Task[Any]) -> None:
        self.loop.tasks.pop(task, None)  # type: ignore[call-overload]  # it is the root task
        self.loop.stopped = True

    def end(self, outcome: c.Ending) -> None:
        """The code has come to its end, or is given no more time."""
        self.outcome = outcome
        self.ledger.end(outcome)


def _complaint(told: dict[str, Any]) -> tuple[str, BaseException | None] | None:
    """asyncio's own words, or those for a task that has died and that no code awaits."""
    if "message" in told:
        return str(told["message"]), told.get("exception")
    task = told["future"]
    if not task._log_traceback:
        return None  # it was awaited since
    task._log_traceback = False  # asyncio would tell of it once more, when it is collected
    return f"the background task {task.get_name()} has ended in an error", task._exception
