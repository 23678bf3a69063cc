"""The ports of a worker: each call goes through its gate to the world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lambda_workflow.errors import BackendError
from lambda_workflow.model.events import Heartbeat
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.turn import decode_turn
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
from lambda_workflow.testing.simulation.deliveries import CURRENT
from lambda_workflow.testing.simulation.gate import Gate
from lambda_workflow.testing.simulation.outages import DistantBlobs
from lambda_workflow.testing.simulation.world import INBOX_URL, World, finish


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

    async def load(self, execution_id: str, *, whole: bool = False) -> Loaded:
        """Read the records."""
        store = self.gate.world.store
        (loaded,) = await self.gate.call(
            "load", lambda: finish(store.load(execution_id, whole=whole))
        )
        assert isinstance(loaded, Loaded)
        if (delivery := CURRENT.get()) is not None and loaded.texts:
            delivery.seen = [len(self.gate.world.records(execution_id))]
        return loaded

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        """Write a record, and all that belongs to it if this store is transactional."""
        (left,) = await self.gate.call("commit", lambda: self._write(commit))
        return left

    def _write(self, commit: Commit) -> Sequence[Effect]:
        world = self.gate.world
        effects: Sequence[Effect] = finish(world.store.commit(commit))
        if world.deliveries is not None:
            world.deliveries.committed(commit, effects if not self.transactional else ())
            _count(world, commit)
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


def _count(world: World, commit: Commit) -> None:
    """Say whether this turn is one of those that seldom come about."""
    events = commit.turn.events
    if not any(isinstance(event, Heartbeat) for event in events) or commit.turn.status.stalled:
        return
    records = world.records(commit.execution_id)
    if len(records) > 1 and decode_turn(records[-2]).status is Status.BLOCKED:
        only = all(isinstance(event, Heartbeat) for event in events)
        world.seen[
            "a heartbeat alone wakes what was BLOCKED"
            if only
            else "a heartbeat with other news wakes what was BLOCKED"
        ] += 1


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
        self._reach(key)
        await self.gate.call("put_blob", lambda: finish(self.gate.world.blobs.put(key, content)))

    async def get(self, key: str) -> bytes:
        """Fetch content."""
        self._reach(key)
        blobs = self.gate.world.blobs
        (content,) = await self.gate.call("get_blob", lambda: finish(blobs.get(key)))
        assert isinstance(content, bytes)
        return content

    def _reach(self, key: str) -> None:
        blobs = self.gate.world.blobs
        if isinstance(blobs, DistantBlobs):
            try:
                blobs.check(key)
            except BackendError:
                self.gate.faults += 1
                raise


def ports_of(gate: Gate, clock: WorkerClock, *, transactional: bool) -> Backend:
    """All ports of one worker."""
    store = WorkerStore(gate, clock, transactional)
    queue, timers, blobs = WorkerQueue(gate, clock), WorkerTimers(gate, clock), WorkerBlobs(gate)
    ports = store, queue, timers, blobs, clock, gate.world
    return Backend(*ports, inbox_url=INBOX_URL, worker=gate.name, draw_secret=lambda: "drawn")
