"""A worker: one container with its own memory, its own clock, and one gate to the world.

Law: when it dies its memory is gone, and what it had in flight is redelivered when its visibility
timeout ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_workflow.errors import BackendError
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import SendMessage
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.batch import Record, run_batch
from lambda_workflow.runtime.turn_limits import TurnLimits
from lambda_workflow.runtime.turns import Turns
from lambda_workflow.testing.simulation.deliveries import WatchedTurns
from lambda_workflow.testing.simulation.gate import CURRENT_GATE, Gate
from lambda_workflow.testing.simulation.queues import DeadLetter, Delivery
from lambda_workflow.testing.simulation.worker_ports import WorkerClock, effects_of, ports_of
from lambda_workflow.testing.simulation.world import World, message_of

UNWATCHED: Final = TurnLimits(None, None)
OUT_OF_TIME: Final = "did not end in its time"  # what `run_batch` says of such a turn
MAY_PASS: Final = ("another worker was first",)
RECEIVE_COST: Final = Usage(receives=1, deletes=1, invocations=1)


@dataclass(frozen=True, slots=True)
class Habits:
    """How a worker is set up.

    Attributes:
        pollers: batches that it works at side by side.
        visibility: seconds that a received message stays hidden.
        live_max: executions that it keeps in memory.
        check: replay from scratch at every turn and compare.
        transactional: the store commits effects and receipts with the record.
        hurry: failed messages are made visible again at once.
        guard: refuse clock, dice and I/O in workflow code.
        strict: a call that nobody awaited fails its execution.
        limits: how long workflow code may run without waiting; real time, so none is usual.
        interrupted: the error of a turn that a signal of the process has ended.
        seconds_max: how long a batch may take; a function of Lambda has such a limit.
    """

    pollers: int = 1
    visibility: float = 30.0
    live_max: int = 1000
    check: bool = True
    transactional: bool = False
    hurry: bool = True
    guard: bool = False
    strict: bool = False
    limits: TurnLimits = UNWATCHED
    interrupted: Callable[[str], BaseException] = KeyboardInterrupt
    seconds_max: float | None = None


@dataclass(slots=True)
class Worker:
    """Polls the inbox and the delay queue as Lambda's event source mapping does."""

    world: World
    name: str
    app: App
    habits: Habits
    gate: Gate = field(init=False)
    clock: WorkerClock = field(init=False)
    turns: Turns = field(init=False)
    on_death: Callable[[Worker], None] = lambda worker: None
    _running: list[asyncio.Task[Any]] = field(default_factory=list)

    def start(self) -> None:
        """Begin with an empty memory."""
        world, habits = self.world, self.habits
        self.gate = gate = Gate(world, self.name, habits.visibility)
        gate.on_kill = self._fall
        self.clock = clock = WorkerClock(gate)
        backend = ports_of(gate, clock, transactional=habits.transactional)
        self.turns = Turns(
            self.app,
            backend,
            live_max=habits.live_max,
            check=habits.check,
            guard=habits.guard,
            strict=habits.strict,
            limits=habits.limits,
            interrupted=habits.interrupted,
        )
        loop = world.loop
        self._running = [loop.create_task(self._poll()) for _ in range(habits.pollers)]
        self._running.append(loop.create_task(self._forward()))

    def stop(self) -> None:
        """Be gone, without an effect any more."""
        self.gate.alive = False
        for task in self._running:
            task.cancel()
        self.world.loop.call_soon(self.turns.close)  # once its own tasks have unwound

    def _fall(self) -> None:
        self.stop()
        self.on_death(self)

    async def put(self, record: Record, reason: str) -> None:
        """Keep a record that cannot be understood; the door that `run_batch` asks for."""
        letter = DeadLetter(record.body, record.group, reason, record.id)
        await self.gate.call("dead_letter", lambda: self.world.poison.append(letter))

    async def _poll(self) -> None:
        inbox, habits = self.world.inbox, self.habits
        CURRENT_GATE.set(self.gate)
        while True:
            await inbox.wait_message()
            try:
                (batch,) = await self.gate.call(
                    "receive", lambda: inbox.receive(inbox.batch_max, habits.visibility)
                )
                if batch:
                    await self._work(batch)
            except BackendError as error:
                self.world.note(self.name, error)

    async def _work(self, batch: Sequence[Delivery]) -> None:
        records = [Record(d.id, d.body, d.group, d.receives) for d in batch]
        faults = self.gate.faults
        turns = (
            self.turns if self.world.deliveries is None else WatchedTurns(self.turns, self.world)
        )
        for record in records:
            self.world.failures.pop(record.group, None)
        failed = await run_batch(
            turns,
            records,
            self,
            consumed=RECEIVE_COST,
            observer=self.world,
            seconds_max=self.habits.seconds_max,
        )
        if failed and faults == self.gate.faults:
            self._count_failures([d for d in batch if d.id in failed])
        done = [d for d in batch if d.id not in failed]
        await self.gate.call("delete", *(self._delete(d) for d in done))
        if failed and self.habits.hurry:
            again = [d for d in batch if d.id in failed]
            await self.gate.call("hide", *(self._hide(d) for d in again))

    def _count_failures(self, failed: Sequence[Delivery]) -> None:
        """Nothing went wrong outside of the runtime, and these come again all the same."""
        for delivery in failed:
            reason = self.world.failures.get(delivery.group, "")
            if OUT_OF_TIME in reason:
                self.world.seen["time ran out in a batch"] += 1
            elif self.world.deliveries is not None and not any(w in reason for w in MAY_PASS):
                self.world.deliveries.failed(delivery.id, reason)

    def _delete(self, delivery: Delivery) -> Callable[[], None]:
        def effect() -> None:
            try:
                self.world.inbox.delete(delivery.receipt)
            except BackendError as stale:  # one entry of the batch failed: it is redelivered
                self.world.note(self.name, stale)

        return effect

    def _hide(self, delivery: Delivery) -> Callable[[], None]:
        def effect() -> None:
            try:
                self.world.inbox.hide(delivery.receipt, min(2.0**delivery.receives, 60.0))
            except BackendError as stale:
                self.world.note(self.name, stale)

        return effect

    async def _forward(self) -> None:
        """Carry timers from the delay queue to the inbox, as the workflow function does."""
        delays = self.world.delays
        while True:
            await delays.wait_message()
            try:
                (batch,) = await self.gate.call("receive_delayed", lambda: delays.receive(10, 30.0))
                sends = [SendMessage(message_of(d.body), f"delayed:{d.id}") for d in batch]
                await self.gate.call("forward", *effects_of(self.gate, self.clock, sends))
                await self.gate.call("delete_delayed", *(self._drop(d) for d in batch))
            except BackendError as error:
                self.world.note(self.name, error)

    def _drop(self, delivery: Delivery) -> Callable[[], None]:
        return lambda: self.world.delays.delete(delivery.receipt)
