"""One turn: load, accept, replay, commit, dispatch. This module owns that order.

Laws
 1. All that arrived for an execution makes one turn: one load, one replay, one commit (steps that
    run while other commands wait make a commit of their own, so that these need not wait).
 2. Commit before dispatch. What a turn causes is sent only once its record is stored.
 3. A repeated message sends again what it caused and what has no answer yet.
 4. A live copy stays in memory only while all that it committed is dispatched: after any failure
    it is dropped. It may be out of date, so only a commit or the store can say that a message is
    too late.
 5. Code that diverges, is wrong or missing, or cannot read a fact, blocks the execution; the facts
    are kept, nothing is sent. The reason is that of the last try.
    What a step gave in the blocked turn is kept only if the step itself is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.errors import (
    BackendError,
    Conflict,
    LimitExceeded,
    NonDeterminismError,
    WorkflowError,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload_shown import values_shown
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import Backend, Happening
from lambda_workflow.replay.endings import end_without_code
from lambda_workflow.replay.facts import execution_timeout
from lambda_workflow.replay.reasons import of_execution, place_of
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.committing import Committer, Work
from lambda_workflow.runtime.dispatch import (
    dispatch,
)
from lambda_workflow.runtime.intake import (
    Arrival,
    Intake,
    parts_of,
    replaces_what_it_ended,
    take_in,
)
from lambda_workflow.runtime.lent import tools_for
from lambda_workflow.runtime.living import LIVE_MAX, Living, damaged
from lambda_workflow.runtime.offload import check_payloads, stored
from lambda_workflow.runtime.playing import Player, renews
from lambda_workflow.runtime.turn_limits import TURN_LIMITS, TurnLimits
from lambda_workflow.runtime.unheeded import tell_unheeded
from lambda_workflow.runtime.watchdog import Watch

CONFLICTS_MAX: Final = 5  # another worker is at the same execution: let the queue settle it
RUNS_MAX: Final = 100  # in a row, without waiting for anything


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What became of a turn.

    Attributes:
        status: the execution's status afterwards; None if there is no such execution.
        commits: how many records were written; 0 if there was nothing new.
        acked: whether the store acknowledged the receipts in its own transaction.
    """

    status: Status | None
    commits: int
    acked: bool


class Turns:
    """Makes turns for an App on a Backend; one per container or engine.

    Args:
        live_max: how many executions are kept in memory between turns; 0 keeps none.
        check: replay from scratch at every turn and compare (development and tests).
        guard: refuse clock, dice and I/O in workflow code (development and tests).
        strict: a call that was never awaited fails the execution (tests).
        limits: how long workflow code may run without waiting.
        interrupted: the error of a turn that a signal of the process has ended.
    """

    def __init__(
        self,
        app: App,
        backend: Backend,
        *,
        live_max: int = LIVE_MAX,
        check: bool = False,
        guard: bool = False,
        strict: bool = False,
        limits: TurnLimits = TURN_LIMITS,
        interrupted: Callable[[str], BaseException] = BackendError,
    ) -> None:
        self.app: Final = app
        self.backend: Final = backend
        owners = {name: app.owner_of(name) for name in app.workflows}
        watch = Watch(limits, backend.observer, interrupted)
        lent = {
            app: tools_for(app, guard=guard, strict=strict, watch=watch)
            for app in set(owners.values())
        }
        tools = {name: lent[app] for name, app in owners.items()}
        self._faults: dict[str, WorkflowError] = {}
        self._living = Living(backend, live_max)
        self._committer = Committer(backend)
        self._player = Player(app, backend, self._committer, tools=tools, check=check)

    async def run(
        self, execution_id: str, arrivals: Sequence[Arrival], *, consumed: Usage = Usage()
    ) -> TurnResult:
        """Make one turn of what arrived; returns when the messages may be acknowledged.

        Args:
            consumed: units the host has spent on these arrivals (receives, deletes, invocations).

        Raises:
            BackendError: (or anything) the same messages must come again; nothing is lost.
        """
        receipts = tuple(a.receipt for a in arrivals if a.receipt is not None)
        async with self._living.alone(execution_id):
            result = TurnResult(None, 0, acked=False)
            told = False
            parts = parts_of(arrivals)
            for part in parts:
                taken = receipts if part is parts[-1] else ()
                if self.app.show_values:
                    with values_shown():
                        result = await self._first(execution_id, part, consumed, taken, told=told)
                else:
                    result = await self._first(execution_id, part, consumed, taken, told=told)
                consumed, told = Usage(), result.commits > 0
            return result

    async def _first(
        self,
        execution_id: str,
        arrivals: Sequence[Arrival],
        consumed: Usage,
        receipts: Sequence[Any],
        *,
        told: bool,
    ) -> TurnResult:
        """One part of what arrived; `told` says that the part before it made a turn."""
        for _ in range(CONFLICTS_MAX):
            try:
                return await self._turn(execution_id, arrivals, consumed, receipts, told=told)
            except Conflict as conflict:
                self._notify("conflict", execution_id, error=str(conflict))
        raise BackendError(
            f"execution {execution_id}: another worker was first {CONFLICTS_MAX} times in a "
            "row; the messages come again"
        )

    def fault_of(self, execution_id: str) -> WorkflowError | None:
        """Why an execution is being marked BLOCKED, while its record is being committed."""
        return self._faults.get(execution_id)

    def evict(self, execution_id: str) -> None:
        """Forget the live copy of an execution, unwinding its code."""
        self._living.evict(execution_id)

    def close(self) -> None:
        """Forget all live copies."""
        self._living.close()

    # one turn

    async def _turn(
        self,
        execution_id: str,
        arrivals: Sequence[Arrival],
        consumed: Usage,
        receipts: Sequence[Any],
        *,
        told: bool,
    ) -> TurnResult:
        live = await self._living.take(execution_id)
        kept = False
        try:
            work = Work(live, receipts, consumed, since=self.backend.clock.now())
            begins_anew = not told and replaces_what_it_ended(arrivals, live.history)
            if live.history.renewal is not None or begins_anew:  # its worker died between two runs
                await self._committer.repeat(live.history, {live.history.next_number - 1})
            intake = take_in(arrivals, live, self.backend, self.app)
            if live.history.turns or intake.events:
                await self._act(work, intake)
            kept = self._living.keep(execution_id, live)
            status = live.history.status if live.history.turns else None
            acked = work.acked and self.backend.store.transactional
            return TurnResult(status, work.commits, acked)
        except WorkflowError:
            raise
        except Exception as error:
            if (damage := damaged(live.history)) is not None:
                raise damage from error
            raise
        finally:
            if not kept:
                self._living.unwind(live)

    async def _act(self, work: Work, intake: Intake) -> None:
        live = work.live
        history = live.history
        if unsure := {number for number in intake.duplicates if number <= live.loaded}:
            await self._committer.repeat(history, unsure)
        if intake.replies:
            await dispatch(intake.replies, self.backend)
        blocked = history.status is Status.BLOCKED
        held = history.status.stalled or history.status.closed
        abandoned = not live.cached and not held and history.has_open_steps()
        if intake.wake and not blocked:
            everything, fresh = set(range(1, history.next_number)), f"redrive{intake.wake}"
            await self._committer.repeat(history, everything, fresh)
        asked = intake.wake and (blocked or not held)  # whether its code fits, for one
        if not (intake.events or abandoned or asked):
            return
        first = history.next_number
        await self._make(work, intake.events)
        if intake.wake and blocked and not (history.status.stalled or history.status.closed):
            everything, fresh = set(range(1, first)), f"redrive{intake.wake}"
            await self._committer.repeat(history, everything, fresh, until=first)
        for _ in range(RUNS_MAX):
            if history.renewal is None:
                return
            await self._make(work, [self._next_run(work)])
        if history.renewal is None:
            return
        await self._block(
            work,
            LimitExceeded(
                f"{RUNS_MAX} runs in a row have continued as new without waiting for anything: "
                "let the code wait for a call, a timer or a signal before it does"
            ),
        )

    def _next_run(self, work: Work) -> e.Started:
        live = work.live
        self._living.unwind(live)
        begun = live.history.next_run(self.backend.clock.now())
        return live.history.run_by(self.app.version_of(begun.workflow))

    async def _make(self, work: Work, events: list[e.Event]) -> None:
        """One record, or several where steps are done within the turn."""
        history = work.live.history
        work.pending = list(events)
        if history.ended is not None:
            await self._end_unasked(work)
        elif history.paused:
            await self._commit_unasked(work, Status.PAUSED, (), _why_paused(history, events))
        else:
            await self._go_on(work, events)

    async def _commit_unasked(
        self, work: Work, status: Status, commands: tuple[c.Command, ...], reason: str = ""
    ) -> None:
        """Record facts that the code is not asked about."""
        live, history = work.live, work.live.history
        self._living.unwind(live)
        await check_payloads(work.pending, self.backend.blobs)
        at = history.clock(self.backend.clock.now())
        commands = commands or _limit_of(history, status)
        turn = Turn(history.next_number, at, tuple(work.pending), commands, status, reason)
        await self._committer.commit(
            work, await stored(turn, history.execution_id, self.backend.blobs)
        )

    async def _go_on(self, work: Work, events: Sequence[e.Event]) -> None:
        live = work.live
        try:
            turn = await self._player.play(work, events)
        except NonDeterminismError as error:
            await self._block(work, error)
        except BackendError:
            raise
        except WorkflowError as error:
            await self._block(work, error)
        else:
            if turn is None:
                await self._end_unasked(work)
                return
            if turn.events or turn.commands or turn.status is not live.history.status:
                await self._committer.commit(work, turn, is_last=not renews(live))
            tell_unheeded(live, self.backend.observer)

    async def _end_unasked(self, work: Work) -> None:
        """The execution's own time was over while its steps ran."""
        history = work.live.history
        if (ended := history.ended) is not None:
            end = end_without_code(ended)
            work.pending = [p for p in work.pending if not _is_of_unrecorded_step(p, history)]
            await self._commit_unasked(work, end.status, (end,))

    async def _block(self, work: Work, error: WorkflowError) -> None:
        """Record why the code cannot go on, where that is news; tell it each time."""
        live, history = work.live, work.live.history
        reason = f"{type(error).__name__}: {error}"
        if live.execution is not None and ".py:" not in reason:
            reason = f"{reason} ({place_of(live.execution)})"
        elif live.execution is not None and f"execution {history.execution_id}" not in reason:
            reason = f"{reason} ({of_execution(live.execution)})"
        kept = [event for event in work.pending if not _is_of_unrecorded_step(event, history)]
        if len(kept) < len(work.pending):  # the history has taken in what is not to be recorded
            work.pending, live.is_spoilt = kept, True
        is_known = history.status is Status.BLOCKED and history.turns[-1].reason == reason
        self._faults[history.execution_id] = error
        try:
            if work.pending or not is_known:
                await self._commit_unasked(work, Status.BLOCKED, (), reason)
        finally:
            del self._faults[history.execution_id]
        self._living.unwind(live)
        started = history.started
        of = {} if started is None else {"workflow": started.workflow, "version": started.version}
        fields = {"reason": reason, **of}
        happening = Happening("blocked", history.execution_id, fields=fields, error=error)
        self.backend.observer.notify(happening)

    # telling

    def _notify(self, kind: str, execution_id: str, **fields: Any) -> None:
        self.backend.observer.notify(Happening(kind, execution_id, fields=fields))


def _is_of_unrecorded_step(event: e.Event, history: History) -> bool:
    """Whether this is the result of a step whose RunStep goes unrecorded, as the turn is blocked.

    Other code may give the step's id to another operation, whose result it would seem to be.
    """
    is_of_step = isinstance(event, e.StepSucceeded | e.StepErrored)
    return is_of_step and history.opening(event.operation, c.RunStep) is None


def _limit_of(history: History, status: Status) -> tuple[c.Command, ...]:
    """The execution timeout of what is held before its code could ask for it."""
    if not status.stalled or history.started is None or history.run_begins != history.next_number:
        return ()
    limit = execution_timeout(history.started)
    return () if limit is None else (limit,)


def _why_paused(history: History, events: Sequence[e.Event]) -> str:
    said = [event.reason for event in events if isinstance(event, e.Paused)]
    return said[-1] if said else history.turns[-1].reason
