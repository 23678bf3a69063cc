"""A worker: one container with its own memory, its own clock, and one door to the world.

Laws
 1. A worker touches the world through its gate only, and each passage is a point of the plan.
 2. A dead worker touches nothing any more: its gate is shut before anything of it unwinds, and its
    memory is gone. What it had in flight comes again when its visibility timeout ends.
 3. A batch may have happened in part: any part of it, when the answer was lost or the worker died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from lambda_workflow.errors import BackendError
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import (
    ArmTimer,
    Backend,
    Commit,
    DisarmTimer,
    Effect,
    Header,
    Loaded,
    Page,
    PutHeader,
    Query,
    SendMessage,
    SendResponse,
    SendTask,
)
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.batch import Record, run_batch
from lambda_workflow.runtime.turns import Turns
from lambda_workflow.testing.simulation.faults import Fate
from lambda_workflow.testing.simulation.queues import DeadLetter, Delivery
from lambda_workflow.testing.simulation.world import INBOX_URL, World, finish, message_of

T = TypeVar("T")

RECEIVE_COST: Final = Usage(receives=1, deletes=1, invocations=1)


class Gate:
    """The one door between a worker and the world."""

    def __init__(self, world: World, name: str, stall_seconds: float) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.on_kill: Callable[[], None] = lambda: None
        self._stall_seconds = stall_seconds

    async def call(self, what: str, *effects: Callable[[], T]) -> list[T]:
        """Pass a point: let the effects happen, or what the plan decides instead."""
        self._check()
        world, rng = self.world, self.world.rng
        world.count_point(self.name, what)
        fate = world.plan.fate(what)
        if world.trace is not None:
            world.note(self.name, what if fate is Fate.GO else f"{what}: {fate.value}")
        early = rng.random() < 0.5
        await self._pause(fate, early)
        match fate:
            case Fate.REFUSE:
                raise BackendError(f"{what}: throttled (simulated)")
            case Fate.KILL_BEFORE:
                self.kill()
            case _:
                pass
        if fate in (Fate.LOSE, Fate.KILL_AFTER) and len(effects) > 1:
            effects = tuple(effect for effect in effects if rng.random() < 0.7)
        results = [effect() for effect in effects]
        if fate is Fate.KILL_AFTER:
            self.kill()
        await self._pause(fate, not early)
        if fate is Fate.LOSE:
            raise BackendError(f"{what}: the answer was lost (simulated)")
        return results

    def kill(self) -> None:
        """Die here and now; what awaits in this worker unwinds, and reaches nobody."""
        self.alive = False
        self.on_kill()
        raise asyncio.CancelledError(f"{self.name} was killed (simulated)")

    async def _pause(self, fate: Fate, now: bool) -> None:
        rng = self.world.rng
        if now and fate is Fate.DELAY:
            await asyncio.sleep(rng.uniform(0.001, 5))
        elif now and fate is Fate.STALL:
            await asyncio.sleep(self._stall_seconds * rng.uniform(1, 3))
        elif now and rng.random() < 0.5:
            await asyncio.sleep(0)
        self._check()

    def _check(self) -> None:
        if not self.alive:
            raise asyncio.CancelledError(f"{self.name} is dead (simulated)")


@dataclass(slots=True)
class WorkerClock:
    """A clock that is wrong by some seconds, and jumps."""

    gate: Gate
    skew: int = 0  # milliseconds

    def now(self) -> int:
        """What this worker takes for the time."""
        return self.gate.world.now + self.skew

    async def sleep(self, seconds: float) -> None:
        """Wait in true time."""
        await self.gate.call("sleep")
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class WorkerStore:
    """The table behind the gate: conditional writes, consistent reads."""

    gate: Gate
    clock: WorkerClock
    transactional: bool

    async def load(self, execution_id: str) -> Loaded:
        """Read all records."""
        store = self.gate.world.store
        (loaded,) = await self.gate.call("load", lambda: finish(store.load(execution_id)))
        assert isinstance(loaded, Loaded)
        return loaded

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        """Write a record, and all that belongs to it if this store is transactional."""
        (left,) = await self.gate.call("commit", lambda: self._write(commit))
        return left

    def _write(self, commit: Commit) -> Sequence[Effect]:
        world = self.gate.world
        effects: Sequence[Effect] = finish(world.store.commit(commit))
        if not self.transactional:
            return effects
        for effect in (*effects, PutHeader(commit.header)):
            world.apply(effect, self.clock.now())
        for receipt in commit.receipts:
            world.inbox.discard(receipt)
        return ()

    async def put_header(self, header: Header) -> None:
        """Project a header."""
        world = self.gate.world
        await self.gate.call("put_header", lambda: world.project(PutHeader(header)))

    async def header(self, execution_id: str) -> Header | None:
        """Read a header."""
        store = self.gate.world.store
        (header,) = await self.gate.call("header", lambda: finish(store.header(execution_id)))
        assert header is None or isinstance(header, Header)
        return header

    async def list(self, query: Query) -> Page:
        """Read a page of headers."""
        store = self.gate.world.store
        (page,) = await self.gate.call("list", lambda: finish(store.list(query)))
        assert isinstance(page, Page)
        return page


@dataclass(frozen=True, slots=True)
class WorkerQueue:
    """Sends in batches of ten, any part of which may have happened."""

    gate: Gate
    clock: WorkerClock

    async def send_tasks(self, sends: Sequence[SendTask]) -> None:
        """Send tasks."""
        await self._send("send_tasks", sends)

    async def send_messages(self, sends: Sequence[SendMessage]) -> None:
        """Send messages."""
        await self._send("send_messages", sends)

    async def send_responses(self, sends: Sequence[SendResponse]) -> None:
        """Send outcomes."""
        await self._send("send_responses", sends)

    async def _send(self, what: str, sends: Sequence[Effect]) -> None:
        for first in range(0, len(sends), 10):
            await self.gate.call(
                what, *effects_of(self.gate, self.clock, sends[first : first + 10])
            )


@dataclass(frozen=True, slots=True)
class WorkerTimers:
    """The two routes of timers; see `World.apply`."""

    gate: Gate
    clock: WorkerClock

    async def arm(self, timers: Sequence[ArmTimer]) -> None:
        """Set timers."""
        await self.gate.call("arm", *effects_of(self.gate, self.clock, timers))

    async def disarm(self, timers: Sequence[DisarmTimer]) -> None:
        """Withdraw timers."""
        await self.gate.call("disarm", *effects_of(self.gate, self.clock, timers))


def effects_of(
    gate: Gate, clock: WorkerClock, effects: Sequence[Effect]
) -> list[Callable[[], None]]:
    """The effects, each ready to happen."""

    def ready(effect: Effect) -> Callable[[], None]:
        return lambda: gate.world.apply(effect, clock.now())

    return [ready(effect) for effect in effects]


@dataclass(frozen=True, slots=True)
class WorkerBlobs:
    """The blob store behind the gate."""

    gate: Gate

    async def put(self, key: str, content: bytes) -> None:
        """Store content."""
        await self.gate.call("put_blob", lambda: finish(self.gate.world.blobs.put(key, content)))

    async def get(self, key: str) -> bytes:
        """Fetch content."""
        blobs = self.gate.world.blobs
        (content,) = await self.gate.call("get_blob", lambda: finish(blobs.get(key)))
        assert isinstance(content, bytes)
        return content


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
    """

    pollers: int = 1
    visibility: float = 30.0
    live_max: int = 1000
    check: bool = True
    transactional: bool = False
    hurry: bool = True


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
        store = WorkerStore(gate, clock, habits.transactional)
        queue, timers, blobs = (
            WorkerQueue(gate, clock),
            WorkerTimers(gate, clock),
            WorkerBlobs(gate),
        )
        backend = Backend(store, queue, timers, blobs, clock, world, inbox_url=INBOX_URL)
        self.turns = Turns(self.app, backend, live_max=habits.live_max, check=habits.check)
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
        letter = DeadLetter(record.body, record.group, reason)
        await self.gate.call("dead_letter", lambda: self.world.poison.append(letter))

    async def _poll(self) -> None:
        inbox, habits = self.world.inbox, self.habits
        while True:
            await inbox.wait_message()
            try:
                (batch,) = await self.gate.call(
                    "receive", lambda: inbox.receive(10, habits.visibility)
                )
                if batch:
                    await self._work(batch)
            except BackendError as error:
                self.world.note(self.name, error)

    async def _work(self, batch: Sequence[Delivery]) -> None:
        records = [Record(d.id, d.body, d.group, d.receives) for d in batch]
        failed = await run_batch(
            self.turns, records, self, consumed=RECEIVE_COST, observer=self.world
        )
        done = [d for d in batch if d.id not in failed]
        await self.gate.call("delete", *(self._delete(d) for d in done))
        if failed and self.habits.hurry:
            again = [d for d in batch if d.id in failed]
            await self.gate.call("hide", *(self._hide(d) for d in again))

    def _delete(self, delivery: Delivery) -> Callable[[], None]:
        def effect() -> None:
            try:
                self.world.inbox.delete(delivery.receipt)
            except BackendError as stale:  # one entry of the batch failed: it comes again
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
