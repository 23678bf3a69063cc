"""Letting workflow code have its say: replay, new facts, inline work, and the turn they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambda_workflow.errors import LimitExceeded, NonDeterminismError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.turn import Turn
from lambda_workflow.ports import Backend, Blobs, Happening
from lambda_workflow.replay.endings import status_after
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.operations import Step
from lambda_workflow.replay.tools import Tools
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.committing import Committer, Work
from lambda_workflow.runtime.living import Live
from lambda_workflow.runtime.offload import (
    as_recorded,
    inflate,
    inflate_commands,
    inflate_event,
    is_next_run,
    stored,
)
from lambda_workflow.runtime.step_timers import StepTimers
from lambda_workflow.runtime.steps import StepOutcome, Steps, interrupted

FACTS_MAX: Final = 100_000  # of one run: a replay of them takes seconds
COMPARED_ALWAYS: Final = 64  # facts: `check` compares after each turn
COMPARED_GROWTH: Final = 1.5
FACTS_WARNING: Final = FACTS_MAX * 4 // 5


class Player:
    """See the module; one per Turns.

    Args:
        tools: by workflow.
        check: replay from scratch at every turn and compare.
    """

    def __init__(
        self,
        app: App,
        backend: Backend,
        committer: Committer,
        *,
        tools: Mapping[str, Tools],
        check: bool,
    ) -> None:
        self._app = app
        self._backend = backend
        self._committer = committer
        self._tools = tools
        self._check = check

    async def play(self, work: Work, events: Sequence[e.Event]) -> Turn | None:
        """The turn that the code makes of new facts; steps may have committed others before it.

        None where the execution's own time was over meanwhile: the code is not asked any more.

        Raises:
            WorkflowError: the code does not fit its history, or cannot go on.
            BackendError: the same messages must come again.
        """
        live, blobs = work.live, self._backend.blobs
        execution = live.execution or await self._replay(live)
        execution.ledger.present = live.history.clock(self._backend.clock.now())
        execution.complaints()  # those of the replay were told when they were new
        execution.advance([await _inflated(event, blobs) for event in events])
        await self._run_steps(work, execution)
        if live.history.ended is not None:  # its time was over while steps ran
            return None
        self._check_length(live)
        turn = await self._made(work, execution)
        if self._check and _is_to_be_compared(live):
            live.compared = live.history.facts
            await _compare(live, turn, blobs)
        return turn

    def _check_length(self, live: Live) -> None:
        facts, execution = live.history.facts, live.execution
        if facts < FACTS_WARNING or execution is None or execution.outcome is not None:
            return
        if facts > FACTS_MAX:
            raise LimitExceeded(
                f"this run has taken in more than {FACTS_MAX} facts: deploy code that calls "
                "ctx.continue_as_new in time (ctx.history_length says how many there are); the "
                "execution goes on from here, nothing is lost"
            )
        if not live.is_long:
            live.is_long = True
            fields = {"facts": facts, "limit": FACTS_MAX}
            happening = Happening("long", live.history.execution_id, fields=fields)
            self._backend.observer.notify(happening)

    async def _replay(self, live: Live) -> Execution:
        blobs, history = self._backend.blobs, live.history
        with as_recorded():
            turns = await inflate(history.run_turns(), blobs)
        try:
            return self._replay_by(live, turns)
        except NonDeterminismError:
            with as_recorded():
                whole = await inflate_commands(turns, blobs)
            if whole is None:
                raise
            # a request that is stored apart: whether today's type reads it has to be looked at
            if live.execution is not None:
                live.execution.close()
            return self._replay_by(live, whole)

    def _replay_by(self, live: Live, turns: Sequence[Turn]) -> Execution:
        history = live.history
        started = history.started
        named = (started.workflow, started.version) if started is not None else ("", "")
        workflow = self._app.workflow(*named)
        execution = Execution(workflow, history.execution_id, self._tools[workflow.name])
        live.execution = execution  # whatever becomes of the replay, its owner unwinds it
        execution.ledger.present = history.clock(self._backend.clock.now())
        execution.replay(turns)
        return execution

    async def _run_steps(self, work: Work, execution: Execution) -> None:
        ledger = execution.ledger
        if not ledger.pending_steps():
            return

        def begun(step: Step[Any]) -> None:
            fields = {"operation": step.operation, "name": step.name, "attempt": step.attempt}
            fields["at"] = self._backend.clock.now()
            happening = Happening("step", work.live.history.execution_id, fields=fields)
            self._backend.observer.notify(happening)

        timers = StepTimers(work.live.history, self._backend.clock)
        async with Steps(begun) as steps:
            while execution.outcome is None and work.live.history.ended is None:
                for step in ledger.pending_steps():
                    if step.at_most_once and step.replayed:
                        self._take_step(work, execution, interrupted(step))
                pending = ledger.pending_steps()
                steps.begin([step for step in pending if not step.at_most_once])
                if ledger.has_news() or self._committer.is_due(work):
                    await self._committer.commit(
                        work, await self._made(work, execution), is_last=False
                    )
                if not steps.begin(ledger.pending_steps()):
                    return
                if (fired := timers.take_due()) is not None:
                    work.pending.append(fired)
                    if work.live.history.ended is None:
                        execution.advance([fired])
                    continue
                for step, outcome in await steps.finished(timers.sleep()):
                    if ledger.operations.get(step.operation) is step:  # not given up meanwhile
                        self._take_step(work, execution, outcome)

    def _take_step(self, work: Work, execution: Execution, outcome: StepOutcome) -> None:
        history = work.live.history
        event = outcome.at(history.clock(self._backend.clock.now()))
        history.take_step(event)
        work.pending.append(event)
        execution.advance([event])

    async def _made(self, work: Work, execution: Execution) -> Turn:
        status = status_after(execution.outcome)
        history = work.live.history
        at = history.clock(self._backend.clock.now())
        events, commands = tuple(work.pending), execution.ledger.settle()
        turn = Turn(history.next_number, at, events, commands, status)
        return await stored(turn, history.execution_id, self._backend.blobs)


async def _inflated(event: e.Event, blobs: Blobs) -> e.Event:
    if not is_next_run(event):
        return await inflate_event(event, blobs)
    with as_recorded():
        return await inflate_event(event, blobs)


def renews(live: Live) -> bool:
    """Whether the code has ended its run, and another one follows."""
    return live.execution is not None and isinstance(live.execution.outcome, c.ContinueAsNew)


def _is_to_be_compared(live: Live) -> bool:
    """Each turn of a short history, then at growing lengths, and at the end of the run.

    A comparison takes in all turns before it, so that nothing is left out; at each turn it would
    cost a long history the square of its length.
    """
    facts = live.history.facts
    at_its_end = live.execution is not None and live.execution.outcome is not None
    return at_its_end or facts <= COMPARED_ALWAYS or facts >= live.compared * COMPARED_GROWTH


async def _compare(live: Live, turn: Turn, blobs: Blobs) -> None:
    """Development and tests: the code must do the same again from the start."""
    if live.execution is None:
        return
    turns = await inflate([*live.history.run_turns(), turn], blobs)
    done = live.execution
    again = Execution(done.workflow, live.history.execution_id, done.tools)
    try:
        again.replay(turns)
    finally:
        again.close()
