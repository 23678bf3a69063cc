"""The ports in memory: a complete host for tests, which behaves as AWS does where it can be seen.

`memory_backend()` makes one. What the runtime sends is kept until a test takes it: `take_messages`,
`take_tasks` and `take_responses` of the queue, and `fire` of the timers.

Laws
 1. The store is not transactional, as DynamoDB is not: `commit` returns the effects to dispatch.
 2. A message to an execution that is repeated within five minutes under its deduplication id is
    dropped, as SQS FIFO does; tasks and outcomes are not, as on a standard queue.
 3. A timer is never fired early; a disarmed one is not fired at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lambda_workflow.errors import BackendError, ConfigurationError, Conflict
from lambda_workflow.model.messages import Message, Response, Task, Timer
from lambda_workflow.model.usage import read_units
from lambda_workflow.ports import (
    APP_ADDRESS,
    ArmTimer,
    Backend,
    BlobMissing,
    Clock,
    Commit,
    DisarmTimer,
    Effect,
    Header,
    Loaded,
    Observer,
    Page,
    Query,
    Quiet,
    SendMessage,
    SendResponse,
    SendTask,
)
from lambda_workflow.testing.clock import VirtualClock

DEDUPLICATION_MILLISECONDS: Final = 300_000  # SQS FIFO remembers an id for five minutes
INBOX_URL: Final = "memory://inbox"  # the one queue; a send to "" or to another App goes there


class MemoryStore:
    """The turn log and its listing, in two dicts."""

    transactional: Final = False

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._headers: dict[str, Header] = {}
        self._begins: dict[str, int] = {}  # where the present run does, of those with several

    async def load(self, execution_id: str, *, whole: bool = False) -> Loaded:
        """The records, and the units a consistent query for them would cost."""
        first = 0 if whole else self._begins.get(execution_id, 0)
        texts = tuple(self._texts.get(execution_id, ())[first:])
        return Loaded(texts, read_units(sum(len(text.encode()) for text in texts)))

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        """Append a record, the first one with its header; its effects are left to dispatch.

        Raises:
            Conflict: its number is taken by another record.
            BackendError: its number would leave a gap, which no sound runtime tries.
        """
        texts = self._texts.setdefault(commit.execution_id, [])
        number = commit.turn.number
        if number == len(texts) + 1:
            texts.append(commit.text)
            if commit.begins_run:
                self._begins[commit.execution_id] = number - 1
            if number == 1:
                await self.put_header(commit.header)
        elif number > len(texts):
            raise BackendError(
                f"turn {number} of execution {commit.execution_id} after turn {len(texts)}: "
                "a record would be missing; load the execution and start the turn over"
            )
        elif texts[number - 1] != commit.text:
            raise Conflict(f"turn {number} of execution {commit.execution_id} is taken")
        return commit.effects

    async def put_header(self, header: Header) -> None:
        """Keep a header unless a newer one is there."""
        present = self._headers.get(header.execution_id)
        if present is None or present.turn <= header.turn:
            self._headers[header.execution_id] = header

    async def header(self, execution_id: str) -> Header | None:
        """The header of an execution, if it has one."""
        return self._headers.get(execution_id)

    async def list(self, query: Query) -> Page:
        """A page of the headers that the query asks for, newest first.

        Raises:
            ConfigurationError: the cursor is not one of ours.
        """
        found = sorted(
            (_rank(h), h.execution_id) for h in self._headers.values() if _fits(h, query)
        )
        if query.cursor is not None:
            last = _parse_cursor(query.cursor)
            found = [key for key in found if key > last]
        shown = found[: query.limit]
        more = len(found) > len(shown) and bool(shown)
        cursor = f"{-shown[-1][0]}:{shown[-1][1]}" if more else None
        return Page([self._headers[execution_id] for _, execution_id in shown], cursor)


def _rank(header: Header) -> int:
    return -header.started_at  # so that an ascending sort lists the newest first


def _fits(header: Header, query: Query) -> bool:
    return (
        (query.workflow is None or header.workflow == query.workflow)
        and (query.status is None or header.status is query.status)
        and (query.started_after is None or header.started_at > query.started_after)
        and (query.started_before is None or header.started_at < query.started_before)
        and query.tags.items() <= header.tags.items()
    )


def _parse_cursor(cursor: str) -> tuple[int, str]:
    started_at, _, execution_id = cursor.partition(":")
    if not started_at.isdecimal() or not execution_id:
        raise ConfigurationError(f"listing cursor {cursor!r}: pass on the one that a page returned")
    return -int(started_at), execution_id


class MemoryQueue:
    """What was sent, until it is taken."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._messages: dict[str, list[Message]] = {}
        self._tasks: dict[str, list[Task]] = {}
        self._responses: list[Response] = []
        self._seen: dict[tuple[str, str], int] = {}  # (queue, deduplication id) -> when

    async def send_tasks(self, sends: Sequence[SendTask]) -> None:
        """Keep tasks for `take_tasks`."""
        for send in sends:
            self._tasks.setdefault(send.task.service, []).append(send.task)

    async def send_messages(self, sends: Sequence[SendMessage]) -> None:
        """Keep messages for `take_messages`."""
        for send in sends:
            url = send.queue_url or INBOX_URL
            if url.startswith(APP_ADDRESS):
                url = INBOX_URL
            if self._is_new(url, send.deduplication):
                self._messages.setdefault(url, []).append(send.message)

    async def send_responses(self, sends: Sequence[SendResponse]) -> None:
        """Keep outcomes for `take_responses`."""
        self._responses += [send.response for send in sends]

    def take_messages(self, queue_url: str = INBOX_URL) -> list[Message]:
        """Remove and return the messages sent to a queue, this App's own by default."""
        return self._messages.pop(queue_url, [])

    def take_tasks(self, service: str) -> list[Task]:
        """Remove and return the tasks sent to a service."""
        return self._tasks.pop(service, [])

    def take_responses(self) -> list[Response]:
        """Remove and return the outcomes sent."""
        taken, self._responses = self._responses, []
        return taken

    def _is_new(self, queue: str, deduplication: str) -> bool:
        now = self._clock.now()
        seen = self._seen.get((queue, deduplication))
        if seen is not None and now - seen < DEDUPLICATION_MILLISECONDS:
            return False
        self._seen[queue, deduplication] = now
        return True


class MemoryTimers:
    """Timers that fire when the test says so: `await timers.fire()`."""

    def __init__(self, clock: Clock, queue: MemoryQueue) -> None:
        self._clock = clock
        self._queue = queue
        self._armed: dict[tuple[str, str], ArmTimer] = {}
        self._heap: list[tuple[int, str, str]] = []

    async def arm(self, timers: Sequence[ArmTimer]) -> None:
        """Set timers, each once however often it is armed."""
        for timer in timers:
            self._armed[timer.execution_id, timer.operation] = timer
            heapq.heappush(self._heap, (timer.due, timer.execution_id, timer.operation))

    async def disarm(self, timers: Sequence[DisarmTimer]) -> None:
        """Withdraw timers."""
        for timer in timers:
            self._armed.pop((timer.execution_id, timer.operation), None)

    @property
    def next_due(self) -> int | None:
        """When the next timer is due, in milliseconds since the epoch; None if none is set."""
        while self._heap:
            due, *key = self._heap[0]
            timer = self._armed.get((key[0], key[1]))
            if timer is not None and timer.due == due:
                return due
            heapq.heappop(self._heap)  # disarmed, or armed anew for another time
        return None

    async def fire(self) -> int:
        """Send the messages of all timers that are due by the clock; return how many."""
        fired = []
        now = self._clock.now()
        while (due := self.next_due) is not None and due <= now:
            _, execution_id, operation = heapq.heappop(self._heap)
            timer = self._armed.pop((execution_id, operation))
            message = Timer(execution_id, operation, due)
            fired.append(SendMessage(message, timer.deduplication or _name(timer)))
        await self._queue.send_messages(fired)
        return len(fired)


def _name(timer: ArmTimer) -> str:
    return f"timer:{timer.execution_id}:{timer.operation}:{timer.due}"


class MemoryBlobs:
    """Large payloads in a dict."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    async def put(self, key: str, content: bytes) -> None:
        """Keep the content of a key."""
        self._contents[key] = content

    async def get(self, key: str) -> bytes:
        """The content of a key.

        Raises:
            BlobMissing: there is none.
        """
        try:
            return self._contents[key]
        except KeyError:
            raise BlobMissing(f"no blob has the key {key!r}: was it ever put here?") from None


@dataclass(frozen=True, slots=True)
class Memory:
    """The parts of a backend in memory, each with its own way for a test to look inside."""

    clock: VirtualClock
    store: MemoryStore
    queue: MemoryQueue
    timers: MemoryTimers
    blobs: MemoryBlobs
    observer: Observer = field(default_factory=Quiet)

    @property
    def backend(self) -> Backend:
        """The ports as the runtime takes them."""
        ports = (self.store, self.queue, self.timers, self.blobs, self.clock, self.observer)
        return Backend(*ports, inbox_url=INBOX_URL)

    async def advance(self, seconds: float) -> None:
        """Let time pass, and fire each timer at its due time."""
        end = self.clock.now() + round(seconds * 1000)
        while (due := self.timers.next_due) is not None and due <= end:
            await self.clock.advance(max(0, due - self.clock.now()) / 1000)
            await self.timers.fire()
        await self.clock.advance((end - self.clock.now()) / 1000)


def memory_backend(clock: VirtualClock | None = None, observer: Observer | None = None) -> Memory:
    """A new, empty host in memory."""
    clock = clock or VirtualClock()
    queue = MemoryQueue(clock)
    timers = MemoryTimers(clock, queue)
    return Memory(clock, MemoryStore(), queue, timers, MemoryBlobs(), observer or Quiet())
