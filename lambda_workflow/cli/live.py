"""Live progress on a terminal: a table in which operations appear, change and end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, assert_never

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from lambda_workflow.cli.progress import Progress, event_words, rarer_words, shown
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.payload_words import failure_words
from lambda_workflow.model.turn import Turn
from lambda_workflow.ports import Happening

ROWS_MAX: Final = 20  # operations on the screen: those under way, and the last that ended
_STYLES: Final = {"✓": "green", "✗": "red", "·": "dim", "": "cyan"}


@dataclass(frozen=True, slots=True)
class Row:
    """An operation on the screen. `mark` is empty while it is under way."""

    operation: str
    what: str
    state: str
    mark: str = ""


class LiveTable(Progress):
    """An observer that keeps a table of the execution's operations on the terminal."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(execution_id)
        self._rows: dict[str, Row] = {}
        self._spinner = Spinner("dots")
        self._notes: list[str] = []

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw while the block runs; the last state stays on the screen."""
        console = Console(stderr=True)
        with Live(console=console, get_renderable=self._table, refresh_per_second=10):
            yield

    def notify(self, happening: Happening) -> None:
        """Bring the rows up to date."""
        if happening.execution_id not in (self.execution_id, ""):
            return
        if (turn := happening.turn) is None:
            if happening.kind == "step":
                fields = happening.fields
                self._set(fields["operation"], "runs", what=f"step {fields['name']}")
            else:
                self.note(self.note_of(happening))
            return
        self.turns += 1
        self.recall([turn])
        self.note(self.note_of(happening))

    def note(self, words: str) -> None:
        """A line below the table."""
        if words:
            self._notes.append(words)

    def recall(self, turns: Iterable[Turn]) -> None:
        """Take what turns say into the rows."""
        for turn in turns:
            for event in turn.events:
                self._take(event)
            for command in turn.commands:
                self._ask(command)

    def _set(self, operation: str, state: str, mark: str = "", what: str = "") -> None:
        row = self._rows.get(operation, Row(operation, what, state))
        self._rows[operation] = replace(row, state=state, mark=mark)

    def _take(self, event: e.Event) -> None:
        match event:
            case e.Started():
                what = f"{event.workflow}({shown(event.request)})"
                self._rows[""] = Row("", what, "running")
            case e.CallSucceeded() | e.StepSucceeded():
                self._set(event.operation, shown(event.payload), "✓")
            case e.CallErrored() | e.StepErrored():
                words = f"attempt {event.attempt}: {failure_words(event.failure)}"
                self._set(event.operation, words, "✗")
            case e.TimerFired():
                if ":" not in event.operation:  # a call's own timers speak through the call
                    self._set(event.operation, "fired", "✓")
            case e.Heartbeat():
                self._set(event.operation, "alive")
            case _:
                mark, _, words = event_words(event, {})
                self._note_row(mark, words)

    def _note_row(self, mark: str, words: str) -> None:
        """What came from outside: a row of its own."""
        key = f"{mark}{len(self._rows)}"
        self._rows[key] = Row("", words, "", "✓")

    def _ask(self, command: c.Command) -> None:
        match command:
            case c.ScheduleCall():
                what = f"{command.name or command.service}({shown(command.payload)})"
                self._set(command.operation, "called", what=what)
            case c.RunStep():
                what = f"step {command.name}"
                row = self._rows.get(command.operation, Row(command.operation, what, "runs"))
                self._rows[command.operation] = replace(row, what=what)  # it may have ended by now
            case c.RetryCall():
                self._set(command.operation, f"called, attempt {command.attempt}")
            case c.StartTimer():
                self._ask_timer(command)
            case c.CancelCall() | c.CancelTimer():
                if command.operation in self._rows:
                    self._set(command.operation, "cancelled", "·")
            case c.Complete():
                self._set("", f"completed: {shown(command.payload)}", "✓")
            case c.Fail():
                self._set("", f"failed: {failure_words(command.failure)}", "✗")
            case c.OpenCallback() | c.StartChild():
                _, _, what = rarer_words(command, {})
                self._set(command.operation, "waits", what=what)
            case c.Declare():
                pass  # for other processes
            case c.Send() | c.OpenScope() | c.Patch() | c.SetAside() | c.SetStatus() | c.Answer():
                mark, _, words = rarer_words(command, {})
                self._note_row(mark, words)
            case c.End() | c.ContinueAsNew():
                _, _, words = rarer_words(command, {})
                self._set("", words, "✗" if isinstance(command, c.End) else "✓")
            case _:
                assert_never(command)

    def _ask_timer(self, timer: c.StartTimer) -> None:
        until = datetime.fromtimestamp(timer.due / 1000, UTC)
        call, _, kind = timer.operation.partition(":")
        if not kind:
            what = f"timer {timer.name}".rstrip()
            self._set(timer.operation, f"until {until:%Y-%m-%d %H:%M:%S} UTC", what=what)
        elif kind.startswith("retry") and (row := self._rows.get(call)):
            self._set(call, f"{row.state}; again at {until:%H:%M:%S} UTC")

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        ended = [row for row in self._rows.values() if row.mark and row.operation]
        open_rows = [row for row in self._rows.values() if not row.mark and row.operation]
        room = max(0, ROWS_MAX - len(open_rows))
        chosen = {row.operation for row in [*open_rows[:ROWS_MAX], *ended[len(ended) - room :]]}
        rows = [row for row in self._rows.values() if row.operation in chosen or not row.operation]
        for row in rows:
            style = _STYLES[row.mark]
            mark = Text(row.mark, style) if row.mark else self._spinner.render(time.monotonic())
            table.add_row(mark, Text(row.operation, "bold"), Text(row.what), Text(row.state, style))
        if hidden := len(self._rows) - len(rows):
            table.add_row("", "", Text(f"… and {hidden} more", "dim"))
        for note in self._notes:
            table.add_row("!", "", Text(note, "yellow"))
        return table


def progress_of(execution_id: str) -> Progress:
    """A table on a terminal, lines elsewhere."""
    return LiveTable(execution_id) if sys.stderr.isatty() else Progress(execution_id)
