"""Live progress of an execution: a line for each thing that happens."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any, Final, assert_never

from lambda_workflow.errors import WorkflowBug
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload_words import failure_words, payload_words
from lambda_workflow.model.turn import Turn
from lambda_workflow.ports import Happening
from lambda_workflow.replay.bugs import traceback_of

CHARACTERS_SHOWN: Final = 60


class Progress:
    """An observer that writes lines.

    Attributes:
        turns: how many were committed.
        blocked: set once the execution is BLOCKED.
        traceback: of the bug that blocks it, if it is one.
        resume: the command that lets it go on once it is PAUSED.
    """

    def __init__(self, execution_id: str, out: IO[str] | None = None) -> None:
        self.execution_id = execution_id
        self.turns = 0
        self.blocked = asyncio.Event()
        self.resume = ""
        self.traceback = ""
        self._out = out or sys.stderr
        self._names: dict[str, str] = {}
        self._begun: set[tuple[str, str]] = set()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Lines need no room of their own."""
        yield

    def notify(self, happening: Happening) -> None:
        """Write what a turn took in and caused."""
        if happening.execution_id not in (self.execution_id, ""):
            return
        if (turn := happening.turn) is not None:
            self.turns += 1
            for at, mark, operation, words in told(turn, self._names):
                if (operation, mark) in self._begun:  # it was shown when it began
                    self._begun.discard((operation, mark))
                else:
                    self._line(at, mark, operation, words)
        elif happening.kind == "step":
            self._step(happening)
        self.note(self.note_of(happening))

    def note(self, words: str) -> None:
        """Write a line of its own, unless it is empty."""
        if words:
            self._out.write(f"{words}\n")
            self._out.flush()

    def _step(self, happening: Happening) -> None:
        fields = happening.fields
        operation, attempt = fields["operation"], fields["attempt"]
        again = f" attempt {attempt}" if attempt > 1 else ""
        if not again:
            self._begun.add((operation, "→"))
        self._line(fields["at"], "→", operation, f"step {fields['name']}{again}")

    def recall(self, turns: Iterable[Turn]) -> None:
        """Learn from the turns of an earlier command what its operations are called."""
        for turn in turns:
            for command in turn.commands:
                command_words(command, self._names)

    def note_of(self, happening: Happening) -> str:
        """What is worth a word beside the turns."""
        if happening.kind == "blocked":
            self.blocked.set()
        if (turn := happening.turn) is not None and any(
            isinstance(event, e.Paused) for event in turn.events
        ):
            return self.paused_words(turn.status)
        if happening.kind == "slow":
            fields = happening.fields
            return f"{fields['line']}: has run for {fields['seconds']} s without waiting"
        if happening.kind == "repeats":
            return f"{happening.fields['line']} calls {happening.fields['call']}"
        if happening.kind == "blocked":
            return f"blocked: {self._reason(happening)}"
        if happening.kind == "failed":
            again = happening.fields.get("again_in_seconds")
            after = "" if again is None else f"; tried again in {again:g} s"
            return f"failed: {happening.fields['error']}{after}"
        if happening.kind not in ("unawaited", "unseen", "stubborn"):
            return ""
        return f"{happening.kind}: {', '.join(str(v) for v in happening.fields.values())}"

    def _reason(self, happening: Happening) -> str:
        """Why it is BLOCKED; of a bug the first line, as its traceback has the others."""
        reason = str(happening.fields["reason"])
        self.traceback = ""
        if not isinstance(happening.error, WorkflowBug):
            return reason
        self.traceback = traceback_of(happening.error)
        return reason.partition("\n")[0]

    def paused_words(self, status: Status) -> str:
        """That nothing more will happen, and what to do; empty unless it is paused."""
        return f"paused; to go on: {self.resume}" if status is Status.PAUSED else ""

    def _line(self, at: int, mark: str, operation: str, words: str) -> None:
        moment = datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S")
        self._out.write(f"{moment}  {mark}  {operation:<6} {words}\n")
        self._out.flush()


def told(turn: Turn, names: dict[str, str]) -> Iterator[tuple[int, str, str, str]]:
    """Time, mark, operation and words of all in a turn; a step's outcome after the step."""
    steps = {intent.operation for intent in turn.commands if isinstance(intent, c.RunStep)}
    outcomes: list[e.StepSucceeded | e.StepErrored] = []
    for event in turn.events:
        if isinstance(event, e.StepSucceeded | e.StepErrored) and event.operation in steps:
            outcomes.append(event)
        else:
            yield event.at, *event_words(event, names)
    for command in turn.commands:
        yield turn.at, *command_words(command, names)
        for outcome in outcomes:
            if isinstance(command, c.RunStep) and command.operation == outcome.operation:
                yield outcome.at, *event_words(outcome, names)


def event_words(event: e.Event, names: dict[str, str]) -> tuple[str, str, str]:
    """A mark, the operation and what happened, in words."""
    match event:
        case e.Started():
            return "•", "", f"started {event.workflow}({shown(event.request)})"
        case e.CallSucceeded() | e.StepSucceeded():
            name = names.get(event.operation, "")
            return "✓", event.operation, f"{name} = {shown(event.payload)}"
        case e.CallErrored() | e.StepErrored():
            name = names.get(event.operation, "")
            words = f"{name} attempt {event.attempt}: {failure_words(event.failure)}"
            return "✗", event.operation, words
        case e.TimerFired():
            return "✓", event.operation, names.get(event.operation, "timer")
        case e.Heartbeat():
            return "♥", event.operation, names.get(event.operation, "heartbeat")
        case e.Signalled():
            return "✉", "", f"signal {event.name}({shown(event.payload)})"
        case e.UpdateRequested():
            return "✉", "", f"update {event.name}({shown(event.payload)})"
        case e.CancelRequested() | e.Terminated() | e.Paused():
            asked = {"CancelRequested": "cancel", "Terminated": "terminate", "Paused": "pause"}
            return "!", "", f"asked to {asked[type(event).__name__]}: {event.reason}".rstrip(": ")
        case e.Resumed():
            return "!", "", "asked to resume"


def command_words(command: c.Command, names: dict[str, str]) -> tuple[str, str, str]:
    """A mark, the operation and what was asked for, in words."""
    match command:
        case c.ScheduleCall():
            name = command.service + (f" ({command.name})" if command.name else "")
            names[command.operation] = name
            return "→", command.operation, f"{name}({shown(command.payload)})"
        case c.RetryCall():
            name = names.get(command.operation, "")
            return "→", command.operation, f"{name} attempt {command.attempt}"
        case c.StartTimer():
            until = datetime.fromtimestamp(command.due / 1000, UTC)
            names[command.operation] = timer = f"timer {command.name}".rstrip()
            return "→", command.operation, f"{timer} until {until:%Y-%m-%d %H:%M:%S} UTC"
        case c.RunStep():
            names[command.operation] = command.name
            return "→", command.operation, f"step {command.name}"
        case c.CancelCall() | c.CancelTimer():
            return "·", command.operation, f"{names.get(command.operation, '')} cancelled"
        case c.Complete():
            return "•", "", "completed"
        case c.Fail():
            return "•", "", f"failed: {failure_words(command.failure)}"
        case _:
            return rarer_words(command, names)


def rarer_words(command: c.Rarer, names: dict[str, str]) -> tuple[str, str, str]:
    """The same for what few workflows ask for."""
    match command:
        case c.OpenCallback():
            names[command.operation] = words = f"callback {command.name}".rstrip()
            return "→", command.operation, words
        case c.StartChild():
            names[command.operation] = command.name or command.workflow
            words = f"{command.workflow}({shown(command.payload)}) as {command.child}"
            return "→", command.operation, words
        case c.Send():
            return "→", command.operation, f"send {command.service}({shown(command.payload)})"
        case c.OpenScope():
            return "▸", command.operation, command.name
        case c.SetAside():
            return "✉", "", f"signal {command.name} set aside: {command.reason}"
        case c.Declare():
            words = "declares the type of" if command.contract else "declares no type for"
            return "·", "", f"{words} {command.kind} {command.name}"
        case c.Patch():
            return "·", "", f"patch {command.name}"
        case c.SetStatus():
            return "·", "", f"status {shown(command.payload)}"
        case c.Answer():
            failure = command.failure
            words = f"rejected: {failure_words(failure)}" if failure else shown(command.payload)
            return "✉", "", f"answer {words}"
        case c.End():
            return "•", "", f"{command.status.value.lower()}: {command.reason}".rstrip(": ")
        case c.ContinueAsNew():
            return "•", "", f"continues as new with {shown(command.payload)}"
        case _:
            assert_never(command)


def shown(payload: Any) -> str:
    """A payload in a line: its type and size; its text where values are shown."""
    return payload_words(payload, CHARACTERS_SHOWN)


def history_rows(history: History) -> list[tuple[str, str, str, str]]:
    """Turn, time, operation and words of everything in a history."""
    names: dict[str, str] = {}
    rows: list[tuple[str, str, str, str]] = []
    for turn in history.turns:
        for at, mark, operation, words in told(turn, names):
            moment = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
            rows.append((str(turn.number), moment, operation, f"{mark} {words}"))
        if turn.status.stalled:
            moment = datetime.fromtimestamp(turn.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
            words = f"! {turn.status}{': ' if turn.reason else ''}{one_line(turn.reason)}"
            rows.append((str(turn.number), moment, "", words))
    return rows


def one_line(text: str) -> str:
    """A text of several lines in one."""
    return " ".join(text.split())
