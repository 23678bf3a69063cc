"""The history of one execution: its turns, and what can be known from them without running code.

Laws
 1. A fact is taken in at most once: `accept` answers a repeated message with `Duplicate`, which
    names the turn that took it, so that this turn's commands can be sent again.
 2. A fact for an operation that is settled or was withdrawn is `Late`, and is not taken.
 3. After an end (Complete, Fail, End) nothing is taken, but the start of another run.
 4. `accept` takes effect at once; whoever fails to commit the turn must drop this object and load.
 5. A history may begin with a later run: what came before has no bearing on what is to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar, assert_never

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.events import SEMANTICS
from lambda_workflow.model.judging import Acceptance, Duplicate, Late, Wake, digest, judge
from lambda_workflow.model.lifecycle import TRANSITIONS, Status
from lambda_workflow.model.messages import Message
from lambda_workflow.model.payload import Json
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import Usage

__all__ = ["SEMANTICS", "Acceptance", "Duplicate", "History", "Late", "Wake", "digest"]

Opened = TypeVar("Opened", bound=c.Opening)

SEEN_MAX = 200  # of what is known by an id, that a run hands on; a repeat comes within minutes


class History:
    """Turns in order, and an index of what is open. Mutable; owned by one turn at a time.

    Attributes:
        started: the start of the present run; None while there is none.
        open: operations that wait for a fact, by id.
        opened: all that were ever open in this run, by id.
        taken: what each fact is known by, and the number of the turn that took it.
        told: the signals and updates of this run, by what they are known by.
        attempts: the attempt under way, where it is not the first.
        details: of the last heartbeat, by operation.
        ended: the fact that ends the execution without its code, once it is taken.
        renewal: what the next run begins with, between the end of one and its start.
        custom_status: what the workflow last said of itself.
        facts: how many this run has.
    """

    def __init__(self, execution_id: str, turns: Iterable[Turn] = ()) -> None:
        self.execution_id = execution_id
        self.turns: list[Turn] = []
        self.started: e.Started | None = None
        self.ended: e.Terminated | e.TimerFired | None = None
        self.custom_status: Json | e.BlobRef = None
        self._now = 0
        self._begin(None)
        for turn in turns:
            for event in turn.events:
                self._take(event, turn.number)
            self.append(turn)

    @property
    def status(self) -> Status:
        """The status after the last turn."""
        return self.turns[-1].status if self.turns else Status.RUNNING

    @property
    def usage(self) -> Usage:
        """The units consumed up to the last turn."""
        return self.turns[-1].usage if self.turns else Usage()

    @property
    def next_number(self) -> int:
        """The number of the turn being made."""
        return self.turns[-1].number + 1 if self.turns else 1

    @property
    def since(self) -> int:
        """When the first run began, in milliseconds since the epoch."""
        if self.started is None:
            return self._now
        return self.started.run.since or self.started.at

    def clock(self, now: int) -> int:
        """The time to stamp on a fact: now, but never before an earlier fact."""
        self._now = max(self._now, now)
        return self._now

    def attempt(self, operation: str) -> int:
        """The attempt of an open call that is under way."""
        return self.attempts.get(operation, 1)

    def has_open_steps(self) -> bool:
        """Whether a step was begun and its result is not known: its worker may be dead."""
        return any(isinstance(command, c.RunStep) for command in self.open.values())

    def opening(self, operation: str, kind: type[Opened]) -> Opened | None:
        """How an operation of this run was opened, if it is of this kind."""
        found = self.opened.get(operation)
        return found if isinstance(found, kind) else None

    def heard(self) -> tuple[str, ...]:
        """What the latest signals, updates and orders are known by."""
        return tuple(self._heard[-SEEN_MAX:])

    def events(self) -> Iterator[e.Event]:
        """All facts, in order."""
        for turn in self.turns:
            yield from turn.events

    def run_turns(self) -> list[Turn]:
        """The turns of the present run."""
        return [turn for turn in self.turns if turn.number >= self.run_begins]

    def forget_earlier_runs(self) -> None:
        """Keep the turns of the present run alone: nothing that is to come asks for the others."""
        earlier = self.run_begins - self.turns[0].number
        if earlier > 0:
            del self.turns[:earlier]

    def next_run(self, now: int) -> e.Started:
        """Take in the start of the run that the last one asked for."""
        before, renewal = self.started, self.renewal
        if before is None or renewal is None:
            raise ValueError(f"no run follows in execution {self.execution_id}")
        origin = before.run.origin or digest(before.request)
        number = before.run.number + 1
        run = e.Run(number, self.since, origin, renewal.untaken, self.heard())
        started = e.Started(
            self.clock(now), before.workflow, renewal.payload, SEMANTICS, "", before.attempt,
            before.callback, before.options, run,
        )  # fmt: skip
        self._take(started, self.next_number)
        return started

    def run_by(self, version: str) -> e.Started:
        """Record the code version that runs what was just started."""
        if self.started is None:
            raise ValueError(f"execution {self.execution_id} is not started")
        self.started = replace(self.started, version=version)
        return self.started

    def accept(self, message: Message, now: int) -> Acceptance:
        """Judge a message, and take its fact in if it is new and legal."""
        judged = judge(self, message, now)
        if not isinstance(judged, Duplicate | Late | Wake):
            self._take(judged, self.next_number)
        return judged

    def take_step(self, event: e.StepSucceeded | e.StepErrored) -> None:
        """Take in the result of inline work, which no message brings."""
        self._take(event, self.next_number)

    def append(self, turn: Turn) -> None:
        """Add a committed turn, whose facts have been taken in."""
        begins = self.run_begins == turn.number  # another run may follow an end
        follows = turn.number == self.next_number or (begins and not self.turns)
        if not follows or not (begins or turn.status in TRANSITIONS[self.status]):
            raise ValueError(
                f"turn {turn.number} ({turn.status}) does not follow turn {self.next_number - 1} "
                f"({self.status}) of execution {self.execution_id}"
            )
        for command in turn.commands:
            self._apply(command)
        if not turn.status.stalled:
            self._decide(turn.commands)
        self._now = max(self._now, turn.at)
        self.turns.append(turn)

    def _begin(self, started: e.Started | None, number: int = 0) -> None:
        self.started = started
        self.run_begins, self.facts = number, 0
        self.open: dict[str, c.Opening] = {}
        self.opened: dict[str, c.Opening] = {}
        self.attempts: dict[str, int] = {}
        self.details: dict[str, Json] = {}
        self.taken: dict[str, int] = {}
        self.ended = None
        self.renewal: c.ContinueAsNew | None = None
        self.paused = self.cancelling = False
        self._undecided: list[str] = []  # what erred at its last attempt, retry not yet known
        self.told: dict[str, e.Told] = {}
        self._heard: list[str] = []  # what signals, updates and orders are known by

    def _take(self, event: e.Event, number: int) -> None:
        match event:
            case e.CallSucceeded() | e.StepSucceeded():
                self.taken[event.operation] = number
                self._close(event.operation)
            case e.TimerFired():
                self.taken[event.operation] = number
                self._timer_fired(event)
            case e.CallErrored() | e.StepErrored():
                self._errored(event, number)
            case e.Started():
                if self.started is not None and event.run.number > 1:
                    self.custom_status = None
                self._begin(event, number)
                self.taken[""] = number
                for known in event.run.seen:
                    self._hear(known, number)
            case e.Signalled() | e.UpdateRequested():
                key = f"{'signal' if isinstance(event, e.Signalled) else 'update'}:{event.id}"
                self._hear(key, number)
                self.told[key] = event
            case e.Heartbeat(operation=beating):
                self.details[beating] = event.details
                if (start := f"{beating}:start{self.attempt(beating)}") in self.open:
                    self._close(start)  # it has begun, also while BLOCKED
            case e.CancelRequested():
                self.taken["cancel"], self.cancelling = number, True
            case e.Terminated():
                self.ended = event
            case e.Paused():
                self.taken["pause"], self.paused = number, True
            case e.Resumed():
                self.taken["resume"], self.paused = number, False
            case _:
                assert_never(event)
        if isinstance(event, e.Order) and event.id:
            self._hear(f"order:{event.id}", number)
        self.facts += 1
        self._now = max(self._now, event.at)

    def _hear(self, key: str, number: int) -> None:
        self.taken[key] = number
        self._heard.append(key)

    def _timer_fired(self, event: e.TimerFired) -> None:
        self.open.pop(event.operation, None)
        owner, _, purpose = event.operation.partition(":")
        if owner.endswith("~timeout"):
            self.ended = event
        elif purpose == "timeout":
            self._close(owner)
        elif purpose.startswith(("attempt", "start", "beat")):
            self._undecided.append(owner)

    def _errored(self, event: e.CallErrored | e.StepErrored, number: int) -> None:
        operation = event.operation
        self.taken[f"{operation}#{event.attempt}"] = number
        if isinstance(event, e.CallErrored):
            self.taken[f"{operation}#0"] = number  # for adapters that name no attempt
            if not isinstance(self.open.get(operation), c.ScheduleCall):
                self.taken[operation] = number  # a callback or child has one answer
                self._close(operation)
                return
        self._undecided.append(operation)

    def _close(self, operation: str) -> None:
        self.open.pop(operation, None)
        self.attempts.pop(operation, None)
        if operation not in self.taken:
            self.taken.setdefault(f"-{operation}", self.next_number)

    def _apply(self, command: c.Command) -> None:
        match command:
            case c.ScheduleCall() | c.StartTimer() | c.RunStep() | c.OpenCallback():
                self._open(command)
            case c.StartChild():
                if not command.detached:
                    self._open(command)
            case c.RetryCall():
                self.attempts[command.operation] = command.attempt
            case c.CancelCall() | c.CancelTimer():
                self._close(command.operation)
            case c.SetStatus():
                self.custom_status = command.payload
            case c.ContinueAsNew():
                self.renewal = command
            case c.Complete() | c.Fail() | c.End():
                self.attempts.clear()
            case c.Send() | c.OpenScope() | c.Patch() | c.SetAside() | c.Declare() | c.Answer():
                pass
            case _:
                assert_never(command)

    def _open(self, command: c.Opening) -> None:
        self.opened[command.operation] = command
        if command.operation not in self.taken:
            self.open[command.operation] = command

    def _decide(self, commands: tuple[c.Command, ...]) -> None:
        """Close the calls and steps whose error was the last word: no retry followed it."""
        if not self._undecided:
            return
        retried: set[str] = set()
        for owner, purpose in _followed(commands):
            retried.add(owner)
            if purpose.startswith("retry"):  # the attempt is over, whatever it still says
                attempt = purpose.removeprefix("retry")
                self.taken.setdefault(f"{owner}#{attempt}", self.next_number)
        for operation in self._undecided:
            if operation not in retried:
                self._close(operation)
        self._undecided.clear()


def _followed(commands: Iterable[c.Command]) -> Iterator[tuple[str, str]]:
    """The operations that have another attempt, or another timer, and what for."""
    for command in commands:
        if isinstance(command, c.StartTimer | c.RetryCall):
            owner, _, purpose = command.operation.partition(":")
            yield owner, purpose
