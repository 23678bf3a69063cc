"""The history of one execution: its turns, and what can be known from them without running code.

Laws
 1. A fact is taken in at most once: `accept` answers a repeated message with `Duplicate`, which
    names the turn that took it, so that this turn's commands can be sent again.
 2. A fact for an operation that is settled or was withdrawn is `Late`, and is not taken.
 3. After `close` (Complete or Fail) nothing is taken.
 4. `accept` takes effect at once; whoever fails to commit the turn must drop this object and load.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.lifecycle import TRANSITIONS, Status
from lambda_workflow.model.messages import Message, Redrive, Request, Timer, Update
from lambda_workflow.model.payload import fingerprint
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import Usage

SEMANTICS = 1  # the engine-semantics version that new executions record


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The message's fact is recorded already, in this turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class Late:
    """The message's operation is settled, withdrawn or unknown; `reason` says which."""

    reason: str
    expected: bool = False  # the ordinary end of a race, not worth a warning; later turns keep it


@dataclass(frozen=True, slots=True)
class Wake:
    """The message brings no fact; it asks for another try."""


Acceptance = e.Event | Duplicate | Late | Wake


class History:
    """Turns in order, and an index of what is open. Mutable; owned by one turn at a time."""

    def __init__(self, execution_id: str, turns: Iterable[Turn] = ()) -> None:
        self.execution_id = execution_id
        self.turns: list[Turn] = []
        self.open: dict[str, c.ScheduleCall | c.StartTimer | c.RunStep] = {}
        self.timers: dict[str, c.StartTimer] = {}  # all that were started, to be disarmed
        self._attempts: dict[str, int] = {}  # the attempt under way, where it is not the first
        self._taken: dict[str, int] = {}  # fact key -> number of the turn that took it
        self._undecided: list[str] = []  # what erred at its last attempt, retry not yet known
        self._now = 0
        for turn in turns:
            for event in turn.events:
                self._take(event, turn.number)
            self.append(turn)

    @property
    def started(self) -> e.Started | None:
        """The first event, or None while there is no turn."""
        first = self.turns[0].events[0] if self.turns else None
        return first if isinstance(first, e.Started) else None

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
        return len(self.turns) + 1

    def clock(self, now: int) -> int:
        """The time to stamp on a fact: now, but never before an earlier fact."""
        self._now = max(self._now, now)
        return self._now

    def attempt(self, operation: str) -> int:
        """The attempt of an open call that is under way."""
        return self._attempts.get(operation, 1)

    def has_open_steps(self) -> bool:
        """Whether a step was begun and its result is not known: its worker may be dead."""
        return any(isinstance(command, c.RunStep) for command in self.open.values())

    def events(self) -> Iterator[e.Event]:
        """All facts, in order."""
        for turn in self.turns:
            yield from turn.events

    def accept(self, message: Message, now: int) -> Acceptance:
        """Judge a message, and take its fact in if it is new and legal."""
        judged = self._judge(message, now)
        if not isinstance(judged, Duplicate | Late | Wake):
            self._take(judged, self.next_number)
        return judged

    def take_step(self, event: e.StepSucceeded | e.StepErrored) -> None:
        """Take in the result of inline work, which no message brings."""
        self._take(event, self.next_number)

    def append(self, turn: Turn) -> None:
        """Add a committed turn, whose facts have been taken in."""
        legal = TRANSITIONS[self.status]
        if turn.number != self.next_number or turn.status not in legal:
            raise ValueError(
                f"turn {turn.number} ({turn.status}) does not follow turn {len(self.turns)} "
                f"({self.status}) of execution {self.execution_id}"
            )
        for command in turn.commands:
            self._apply(command)
        if turn.status is not Status.BLOCKED:
            self._decide(turn.commands)
        self._now = max(self._now, turn.at)
        self.turns.append(turn)

    def _judge(self, message: Message, now: int) -> Acceptance:
        match message:
            case Request():
                return self._judge_request(message, now)
            case Redrive():
                return Duplicate(len(self.turns)) if self.status.closed else Wake()
            case Update():
                return self._judge_update(message, now)
            case Timer():
                return self._judge_timer(message, now)
            case _:
                assert_never(message)

    def _judge_request(self, message: Request, now: int) -> Acceptance:
        if "" not in self._taken:
            at = self.clock(now)
            request, callback = message.request, message.callback
            # the version is the host's to fill in: see runtime.turns
            return e.Started(
                at, message.workflow, request, SEMANTICS, "", message.attempt, callback
            )
        started = self.started
        if started is None or (
            started.workflow == message.workflow
            and digest(started.request) == digest(message.request)
        ):
            return Duplicate(self._taken[""])
        return Late(
            f"the id belongs to an execution of {started.workflow!r} with another input: "
            "start under another id"
        )

    def _judge_update(self, message: Update, now: int) -> Acceptance:
        operation, failure = message.operation, message.failure
        opened = self.open.get(operation)
        if not isinstance(opened, c.ScheduleCall) or self.status.closed:
            key = f"{operation}#{message.attempt}" if failure else None
            return self._too_late(operation, key)
        current = self.attempt(operation)
        attempt = message.attempt or current
        if failure is None:
            return e.CallSucceeded(self.clock(now), operation, message.payload)
        if (turn := self._taken.get(f"{operation}#{attempt}")) is not None:
            return Duplicate(turn)
        if attempt != current:
            over = attempt < current
            return Late(f"attempt {attempt} of call {operation}: {current} is under way", over)
        return e.CallErrored(self.clock(now), operation, attempt, failure)

    def _judge_timer(self, message: Timer, now: int) -> Acceptance:
        operation = message.operation
        opened = self.open.get(operation)
        if not isinstance(opened, c.StartTimer) or self.status.closed:
            return self._too_late(operation, None)
        # never before its time, whatever the clock of the host that delivers it says
        return e.TimerFired(self.clock(max(now, opened.due)), operation)

    def _too_late(self, operation: str, key: str | None) -> Duplicate | Late:
        for taken in (key, operation):
            if taken and (turn := self._taken.get(taken)) is not None:
                return Duplicate(turn)
        if not self.turns:
            return Late("no such execution")
        if self.status.closed:
            return Late("the execution has ended", True)
        withdrawn = operation in self._taken or f"-{operation}" in self._taken
        return Late("withdrawn by the workflow" if withdrawn else "no such operation", withdrawn)

    def _take(self, event: e.Event, number: int) -> None:
        match event:
            case e.Started():
                self._taken[""] = number
            case e.CallErrored():
                self._taken[f"{event.operation}#{event.attempt}"] = number
                self._taken[f"{event.operation}#0"] = number  # for adapters that name no attempt
                self._undecided.append(event.operation)
            case e.CallSucceeded() | e.StepSucceeded():
                self._taken[event.operation] = number
                self._close(event.operation)
            case e.TimerFired():
                self._taken[event.operation] = number
                self.open.pop(event.operation, None)
                if event.operation.endswith(":timeout"):
                    self._close(c.owner_of(event.operation))
            case e.StepErrored():
                self._taken[f"{event.operation}#{event.attempt}"] = number
                self._undecided.append(event.operation)
            case _:
                assert_never(event)
        self._now = max(self._now, event.at)

    def _close(self, operation: str) -> None:
        self.open.pop(operation, None)
        self._attempts.pop(operation, None)
        if operation not in self._taken:
            self._taken.setdefault(f"-{operation}", self.next_number)

    def _apply(self, command: c.Command) -> None:
        match command:
            case c.ScheduleCall() | c.StartTimer() | c.RunStep():
                if isinstance(command, c.StartTimer):
                    self.timers[command.operation] = command
                if command.operation not in self._taken:
                    self.open[command.operation] = command
            case c.RetryCall():
                self._attempts[command.operation] = command.attempt
            case c.CancelCall() | c.CancelTimer():
                self._close(command.operation)
            case c.Complete() | c.Fail():
                self._attempts.clear()
            case _:
                assert_never(command)

    def _decide(self, commands: tuple[c.Command, ...]) -> None:
        """Close the calls and steps whose error was the last word: no retry followed it."""
        if not self._undecided:
            return
        retried = {
            c.owner_of(command.operation)
            for command in commands
            if isinstance(command, c.StartTimer | c.RetryCall)
        }
        for operation in self._undecided:
            if operation not in retried:
                self._close(operation)
        self._undecided.clear()


def digest(payload: object) -> str:
    """What two equal payloads have in common, inline or in the blob store."""
    if isinstance(payload, e.BlobRef):
        return payload.digest
    return fingerprint(payload)
