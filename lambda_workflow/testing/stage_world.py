"""The world of a stage: exact timers, a chronicle, and a loop that stops where a test looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.messages import Message, Request, Timer
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.wire import render
from lambda_workflow.ports import ArmTimer, Commit, Effect, Happening
from lambda_workflow.testing.looking import describe_turn
from lambda_workflow.testing.memory import MemoryStore
from lambda_workflow.testing.schedule import Schedule
from lambda_workflow.testing.simulation.gate import Gate
from lambda_workflow.testing.simulation.world import SimulationLoop, World

T = TypeVar("T")

TURNS_MAX: Final = 2_000  # of one simulated execution; every one is replayed from the start
POINTS_PER_TURN: Final = 50  # calls of ports; a sound turn makes about ten


class SimulationError(WorkflowError):
    """A simulation cannot go on, or has no end; the message says what the test has to mend."""


class Endless(SimulationError):
    """The execution does not come to an end: it waits for ever, or goes on for ever."""


class StageLoop(SimulationLoop):
    """Stops where the test wants to look: at a moment, or when nothing can happen any more."""

    def __init__(self) -> None:
        super().__init__()
        self.is_idle = False
        self._until = float("inf")

    def run_until_time(self, until: float) -> None:
        """Let everything happen that is due by then; the clock stops there, or when idle."""
        self._until, self.is_idle = until, False
        outer = asyncio._get_running_loop()  # the test may be `async`: it stands still meanwhile
        asyncio._set_running_loop(None)
        try:
            self.run_forever()
        finally:
            asyncio._set_running_loop(outer)

    def select(self, timeout: float | None) -> list[Any]:
        """Pass the time as far as the test lets it."""
        if timeout == 0:
            return []
        due, now = self.clock.next_due, self.clock.elapsed
        own = None if timeout is None else now + timeout
        moments = [moment for moment in (due, own) if moment is not None]
        if moments and min(moments) <= self._until:
            self.clock.jump(min(moments))
            return []
        self.is_idle = not moments
        if moments:
            self.clock.jump(self._until)
        self.stop()
        return []


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened; `at` in seconds since the simulation began."""

    at: float
    text: str
    is_fault: bool = False

    def __str__(self) -> str:
        return f"{self.at:12.3f} s  {'✗' if self.is_fault else ' '} {self.text}"


@dataclass(slots=True)
class StageWorld(World):
    """A world whose timers are exact but for the schedule, and which remembers what it hears."""

    main: str = ""  # the execution on stage; others are what it started
    turns_max: int = TURNS_MAX
    heard: list[Happening] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    dues: dict[str, int] = field(default_factory=dict)  # of the timers that were ever started
    turns: int = 0
    played: set[str] = field(default_factory=set)  # children that are no executions here
    on_turn: Callable[[str, Turn], None] = lambda execution_id, turn: None
    on_start: Callable[[Request, str], bool] = lambda message, queue_url: False

    def say(self, text: str, *, is_fault: bool = False) -> None:
        """Write a line of the chronicle."""
        self.lines.append(Line(self.loop.time(), text, is_fault))

    def notify(self, happening: Happening) -> None:
        """Remember what the runtime says."""
        World.notify(self, happening)
        self.heard.append(happening)
        if happening.kind in ("late", "duplicate"):
            kind = str(happening.fields.get("message"))
            self.say(f"{'an' if kind == 'Update' else 'a'} {kind} comes {happening.kind}")
        elif happening.kind in ("blocked", "failed", "dead_letter"):
            self.say(f"{happening.kind}: {dict(happening.fields)}")

    def label(self, execution_id: str, operation: str = "") -> str:
        """What an operation is called here: its own id, where it is of the execution on stage."""
        if execution_id == self.main:
            return operation
        return f"{execution_id}/{operation}" if operation else execution_id

    def send(self, message: Message, deduplication: str, queue_url: str = "") -> None:
        """Send a message; the start of another workflow may be a player's to take."""
        if isinstance(message, Request) and self.on_start(message, queue_url):
            self.played.add(message.execution_id)
            return
        if message.execution_id in self.played:
            return  # it is told to end, which players do not hear
        World.send(self, message, deduplication, queue_url)

    def take_turn(self, execution_id: str, turn: Turn) -> None:
        """A turn is committed."""
        self.turns += 1
        for command in turn.commands:
            if (due := getattr(command, "due", None)) is not None:
                operation = str(getattr(command, "operation", ""))
                self.dues[self.label(execution_id, operation)] = due
        whose = self.label(execution_id)
        self.say(f"{whose}: {describe_turn(turn)}" if whose else describe_turn(turn))
        self.on_turn(execution_id, turn)

    def count_point(self, who: str, what: str) -> None:
        """One more call of a worker.

        Raises:
            Endless: it goes on for ever.
        """
        self.points += 1
        if self.points > self.turns_max * POINTS_PER_TURN:
            raise Endless(
                f"{self.points} calls of ports and no end; {self.losses[-3:]}: is there a loop "
                "without an end? Raise turns_max, or look at it in the middle with Simulation"
            )

    def _arm(self, timer: ArmTimer, clock_now: int) -> None:
        key = (timer.execution_id, timer.operation)
        if key in self._schedules:
            return
        schedule = self.plan
        late = schedule.timer(self.label(*key)) if isinstance(schedule, Schedule) else 0.0
        body = render(Timer(timer.execution_id, timer.operation, timer.due))
        seconds = max(0.0, (timer.due - clock_now) / 1000)
        self._schedules[key] = self.loop.call_later(seconds + late, self._fire, key, body)


class ToldStore(MemoryStore):
    """Tells of each turn as it is committed, whatever becomes of the worker then."""

    def __init__(self) -> None:
        super().__init__()
        self.on_turn: Callable[[str, Turn], None] = lambda execution_id, turn: None

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        """As MemoryStore's."""
        before = len((await self.load(commit.execution_id, whole=True)).texts)
        effects = await super().commit(commit)
        if commit.turn.number > before:
            self.on_turn(commit.execution_id, commit.turn)
        return effects


class OpenGate(Gate):
    """The test's own door to the world, at which nothing goes wrong."""

    async def call(self, what: str, *effects: Callable[[], T]) -> list[T]:
        """Let the effects happen."""
        return [effect() for effect in effects]
