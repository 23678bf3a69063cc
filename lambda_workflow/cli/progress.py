"""Live progress of an execution: a line for each thing that happens."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import IO, Final

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.ports import Happening

CHARACTERS_SHOWN: Final = 60


class Progress:
    """An observer that writes lines, in colour on a terminal."""

    def __init__(self, execution_id: str, out: IO[str] | None = None) -> None:
        self._execution_id = execution_id
        self._out = out or sys.stderr
        self._names: dict[str, str] = {}
        self._colour = self._out.isatty()
        self.turns = 0

    def notify(self, happening: Happening) -> None:
        """Write what a turn took in and caused."""
        if happening.execution_id != self._execution_id:
            return
        if (turn := happening.turn) is not None:
            self.turns += 1
            for event in turn.events:
                self._line(event.at, *event_words(event, self._names))
            for command in turn.commands:
                self._line(turn.at, *command_words(command, self._names))
        elif happening.kind in ("blocked", "failed", "unawaited", "stubborn"):
            words = ", ".join(str(value) for value in happening.fields.values())
            self._out.write(f"{happening.kind}: {words}\n")

    def _line(self, at: int, mark: str, operation: str, words: str) -> None:
        time = datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S")
        if self._colour:
            shade = {"✓": "32", "✗": "31", "→": "36"}.get(mark, "2")
            mark = f"\x1b[{shade}m{mark}\x1b[0m"
        self._out.write(f"{time}  {mark}  {operation:<6} {words}\n")
        self._out.flush()


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
            failure = event.failure
            words = f"{name} attempt {event.attempt}: {failure.type}: {failure.message}"
            return "✗", event.operation, words
        case e.TimerFired():
            return "✓", event.operation, names.get(event.operation, "timer")


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
            names[command.operation] = "timer"
            return "→", command.operation, f"timer until {until:%Y-%m-%d %H:%M:%S} UTC"
        case c.RunStep():
            names[command.operation] = command.name
            return "→", command.operation, f"step {command.name}"
        case c.CancelCall() | c.CancelTimer():
            return "·", command.operation, f"{names.get(command.operation, '')} cancelled"
        case c.Complete():
            return "•", "", "completed"
        case c.Fail():
            return "•", "", f"failed: {command.failure.type}: {command.failure.message}"


def shown(payload: object) -> str:
    """A payload in a line."""
    text = repr(payload)
    return text if len(text) <= CHARACTERS_SHOWN else f"{text[: CHARACTERS_SHOWN - 1]}…"


def history_rows(history: History) -> list[tuple[str, str, str, str]]:
    """Turn, time, operation and words of everything in a history."""
    names: dict[str, str] = {}
    rows: list[tuple[str, str, str, str]] = []
    for turn in history.turns:
        told = [event_words(event, names) for event in turn.events]
        told += [command_words(command, names) for command in turn.commands]
        time = datetime.fromtimestamp(turn.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        rows += [(str(turn.number), time, op, f"{mark} {words}") for mark, op, words in told]
    return rows
