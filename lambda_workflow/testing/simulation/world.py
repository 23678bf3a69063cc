"""The world outside the workers: queues, table, schedules, the services' tasks, and the trace.

Laws
 1. Whatever happens here happens at once, in one step of the loop; that it takes time, fails or is
    not heard of is the gate's doing (see worker.py).
 2. Everything is decided by the seed: one loop, one clock, one generator of chance.
 3. The world is idle when nothing can happen any more without a push from outside.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.messages import Message, Timer
from lambda_workflow.model.wire import parse, render, render_response, render_task
from lambda_workflow.ports import (
    ArmTimer,
    DisarmTimer,
    Effect,
    Happening,
    PutHeader,
    SendMessage,
    SendResponse,
    SendTask,
)
from lambda_workflow.testing.clock import VirtualClock, VirtualLoop
from lambda_workflow.testing.memory import MemoryBlobs, MemoryStore
from lambda_workflow.testing.simulation.faults import Plan
from lambda_workflow.testing.simulation.queues import (
    DELAY_SECONDS_MAX,
    DeadLetter,
    FifoQueue,
    StandardQueue,
)

if TYPE_CHECKING:
    from lambda_workflow.testing.simulation.deliveries import Deliveries

INBOX_URL: Final = "sim://inbox.fifo"
SCHEDULE_LATE_SECONDS: Final = 60.0  # EventBridge Scheduler fires within the minute
POINTS_MAX: Final = 5_000  # calls of ports in one run; a sound run makes some hundreds


class Stuck(WorkflowError):
    """The run does not come to an end: something is tried again and again."""


class SimulationLoop(VirtualLoop):
    """Tells whoever awaits `wait_idle` that nothing can happen any more."""

    def __init__(self) -> None:
        super().__init__(VirtualClock())
        self._idle: asyncio.Future[None] | None = None

    async def wait_idle(self) -> None:
        """Wait until every task waits and no timer is set."""
        self._idle = self.create_future()
        await self._idle
        self._idle = None

    def give_up(self, error: Stuck) -> None:
        """End the wait of the one who waits for idleness, which will not come."""
        if self._idle is not None and not self._idle.done():
            self._idle.set_exception(error)

    def idle(self) -> None:
        """Wake the one who waits for this."""
        if self._idle is None or self._idle.done():
            super().idle()
        else:
            self._idle.set_result(None)


@dataclass(slots=True)
class World:
    """Everything that outlives a worker.

    Attributes:
        elsewhere: messages sent to other queues than the inbox, by their URL.
        own_address: what else the inbox is called, besides its URL.
        points: how many calls the workers have made so far.
        losses: what the last failures of turns said, for the report of a stuck run.
        failures: what the last failure of each execution's turns said.
        effects: how often each step that counts itself was carried out.
        needless: schedules that fired for executions that had ended.
        seen: how often what the run is for has come about, by what it is.
        deliveries: what became of each delivery, if a law asks.
        timers_lost: how often a schedule never fires.
        lost: executions of which a schedule was lost.
    """

    loop: SimulationLoop
    rng: Random
    plan: Plan
    inbox: FifoQueue
    delays: StandardQueue
    tasks: StandardQueue
    poison: list[DeadLetter] = field(default_factory=list)
    store: MemoryStore = field(default_factory=MemoryStore)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    responses: list[str] = field(default_factory=list)
    elsewhere: dict[str, list[Message]] = field(default_factory=dict)
    own_address: str = ""
    points: int = 0
    losses: list[str] = field(default_factory=list)
    trace: list[str] | None = None
    effects: Counter[str] = field(default_factory=Counter)
    needless: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    deliveries: Deliveries | None = None
    timers_lost: float = 0.0
    lost: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    _schedules: dict[tuple[str, str], asyncio.TimerHandle] = field(default_factory=dict)
    _scheduled: int = 0
    _sent_back: int = 0

    @classmethod
    def create(cls, loop: SimulationLoop, rng: Random, plan: Plan, *, max_receives: int) -> World:
        """An empty world."""
        inbox = FifoQueue("inbox", loop, rng, max_receives=max_receives)
        delays = StandardQueue("delays", loop, rng)
        return cls(loop, rng, plan, inbox, delays, StandardQueue("tasks", loop, rng))

    @property
    def now(self) -> int:
        """The true time, in milliseconds since the epoch."""
        return self.loop.clock.now()

    def note(self, who: str, what: object) -> None:
        """Write a line of the trace, if one is wanted."""
        if self.trace is not None:
            self.trace.append(f"{self.loop.time():14.3f}  {who:<10} {what}")

    def count_point(self, who: str, what: str) -> None:
        """One more call of a worker.

        Raises:
            Stuck: there were too many.
        """
        self.points += 1
        if self.points > POINTS_MAX:
            stuck = Stuck(f"{self.points} calls and no end; {who} is at {what}; {self.losses[-3:]}")
            self.loop.give_up(stuck)  # it may be nobody's: a task of the services has no caller
            raise stuck

    def apply(self, effect: Effect, clock_now: int) -> None:
        """Let an effect happen, as AWS does behind a port; `clock_now` is the sender's."""
        if self.deliveries is not None:
            self.deliveries.sent(effect)
        match effect:
            case SendTask():
                self.tasks.send(render_task(effect.task))
            case SendMessage():
                self.send(effect.message, effect.deduplication, effect.queue_url)
            case SendResponse():
                self.responses.append(render_response(effect.response))
            case ArmTimer():
                self._arm(effect, clock_now)
            case DisarmTimer():
                handle = self._schedules.pop((effect.execution_id, effect.operation), None)
                if handle is not None:
                    handle.cancel()
            case PutHeader():
                self.project(effect)

    def project(self, effect: PutHeader) -> None:
        """Bring the listing up to date."""
        if self.deliveries is not None:
            self.deliveries.sent(effect)
        finish(self.store.put_header(effect.header))

    def send(self, message: Message, deduplication: str, queue_url: str = "") -> None:
        """Send a message to an execution, or to somebody else's queue."""
        if queue_url in ("", INBOX_URL, self.own_address):
            self.inbox.send(render(message), message.execution_id, deduplication)
        else:
            self.elsewhere.setdefault(queue_url, []).append(message)

    def _arm(self, timer: ArmTimer, clock_now: int) -> None:
        body = render(Timer(timer.execution_id, timer.operation, timer.due))
        seconds = max(0.0, (timer.due - clock_now) / 1000)
        if seconds <= DELAY_SECONDS_MAX:
            self.delays.send(body, float(-(-seconds // 1)))  # SQS delays by whole seconds
            return
        key = (timer.execution_id, timer.operation)
        if key not in self._schedules:  # a name that exists is refused, which the port ignores
            late = self.rng.uniform(0, SCHEDULE_LATE_SECONDS)
            self._schedules[key] = self.loop.call_later(seconds + late, self._fire, key, body)

    def _fire(self, key: tuple[str, str], body: str) -> None:
        del self._schedules[key]
        if self.timers_lost and self.rng.random() < self.timers_lost:
            self.note("scheduler", f"loses {body}")
            self.seen["a timer is lost"] += 1
            self.lost.add(key[0])
            return
        self.note("scheduler", f"fires {body}")
        self._scheduled += 1
        header = finish(self.store.header(key[0]))
        if header is not None and header.status.closed:
            self.needless.append(f"{key[0]}/{key[1]}")
        self.inbox.send(body, key[0], f"schedule:{':'.join(key)}")
        if self.rng.random() < 0.05:  # at least once
            self.loop.call_later(
                self.rng.uniform(1, 600), self.inbox.send, body, key[0], f"again:{self._scheduled}"
            )

    def records(self, execution_id: str) -> Sequence[str]:
        """All records of an execution."""
        loaded = finish(self.store.load(execution_id, whole=True))
        texts: Sequence[str] = loaded.texts
        return texts

    def redrive_dead(self) -> None:
        """What an operator does with a dead-letter queue: send everything back to its source."""
        dead, self.inbox.dead = self.inbox.dead, []
        for letter in dead:
            self.send_back(letter)

    def send_back(self, letter: DeadLetter) -> None:
        """Move a dead letter back to the inbox."""
        self._sent_back += 1
        self.inbox.send(letter.body, letter.group, f"redriven:{self._sent_back}")
        if self.deliveries is not None:
            first = self.deliveries.first_id(letter.id)
            self.deliveries.redriven[self.inbox.messages[-1].id] = first

    def notify(self, happening: Happening) -> None:
        """Observe what the runtime says, for the trace and for the report of a stuck run."""
        if happening.kind == "failed":
            error = str(happening.fields.get("error"))
            self.losses.append(f"{happening.execution_id}: {error}")
            self.failures[happening.execution_id] = error
        self.note("observer", _describe(happening))


def finish(coroutine: Any) -> Any:
    """The result of a coroutine that awaits nothing: the memory ports are such."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise WorkflowError("a memory port waited, so its effect did not happen at once")


def _describe(happening: Happening) -> str:
    what = f"{happening.kind} {happening.execution_id}"
    if happening.turn is not None:
        turn = happening.turn
        events, commands = _short(turn.events), _short(turn.commands)
        return f"{what} #{turn.number} {turn.status} events={events} commands={commands}"
    return f"{what} {dict(happening.fields)}"


def _short(facts: Sequence[Any]) -> str:
    return ", ".join(f"{type(f).__name__} {getattr(f, 'operation', '')}".strip() for f in facts)


def message_of(body: str) -> Message:
    """Parse what stands in the inbox."""
    return parse(body)
