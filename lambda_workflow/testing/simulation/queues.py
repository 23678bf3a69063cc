"""SQS in virtual time, as AWS specifies it, with all that it allows itself and others forget.

Laws of every queue
 1. A message is delivered until it is deleted: receiving hides it for the visibility timeout only.
 2. A receipt handle belongs to one receive; a later receive of the message makes it stale.
 3. A message that has been received `max_receives` times is moved to the dead-letter queue instead
    of being received once more.

Laws of a FIFO queue
 4. While a message of a group is in flight no other of that group is received, but one receive may
    return several of a group, in order; a batch may mix groups.
 5. A send under a deduplication id of the last five minutes is accepted and dropped, even when the
    first message has been deleted since.
 6. Deleting with a stale or expired receipt fails, and the message is redelivered.

Laws of a standard queue
 7. Any order, and now and then twice, even after it was deleted once.
 8. A message can be sent with a delay of up to 900 seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from lambda_workflow.errors import BackendError
from lambda_workflow.testing.clock import VirtualLoop

BATCH_MAX: Final = 10  # messages of one receive
DEDUPLICATION_SECONDS: Final = 300.0
DELAY_SECONDS_MAX: Final = 900.0
_TIMER_SLACK: Final = 1e-6  # seconds; a loop's timer may run this much before its time
_TWICE: Final = 0.05  # how often a standard queue delivers a message once more


@dataclass(slots=True)
class QueueMessage:
    """A message as the queue keeps it; times in the loop's seconds."""

    id: str
    body: str
    group: str
    visible_at: float
    receives: int = 0
    receipt: str = ""
    wake: asyncio.TimerHandle | None = None

    def is_hidden(self, now: float) -> bool:
        """Whether it is in flight or delayed."""
        return self.visible_at > now + _TIMER_SLACK


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as a receiver gets it."""

    id: str
    body: str
    group: str
    receipt: str
    receives: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a dead-letter queue holds; `reason` is empty where the receive count moved it."""

    body: str
    group: str
    reason: str
    id: str = ""


@dataclass(slots=True)
class SimulatedQueue:
    """What FIFO and standard queues have in common: keeping, hiding, deleting, waking receivers."""

    name: str
    loop: VirtualLoop
    rng: Random
    max_receives: int = 1_000_000
    batch_max: int = BATCH_MAX
    dead: list[DeadLetter] = field(default_factory=list)
    on_dead: Callable[[], None] = lambda: None
    messages: list[QueueMessage] = field(default_factory=list)
    _sent: int = 0
    _received: int = 0
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def receive(self, limit: int, visibility: float) -> list[Delivery]:
        """Take up to `limit` messages (no more than `batch_max`), hidden for some seconds."""
        now = self.loop.time()
        taken = []
        for message in self.choose(min(limit, self.batch_max)):
            if message.receives >= self.max_receives:
                self.messages.remove(message)
                self.dead.append(DeadLetter(message.body, message.group, "", message.id))
                self.on_dead()
                continue
            self._received += 1
            message.receives += 1
            message.receipt = f"{message.id}#{self._received}"
            self._hide(message, now + visibility)
            receipt, count = message.receipt, message.receives
            taken.append(Delivery(message.id, message.body, message.group, receipt, count))
        return taken

    def choose(self, limit: int) -> Sequence[QueueMessage]:
        """Which of the visible messages a receive returns."""
        raise NotImplementedError

    def delete(self, receipt: str) -> None:
        """Remove a received message for good."""
        raise NotImplementedError

    def hide(self, receipt: str, seconds: float) -> None:
        """Change the visibility timeout of a received message."""
        message = self.holder(receipt)
        if message is None:
            raise BackendError(f"{self.name}: receipt {receipt} is stale or has expired")
        self._hide(message, self.loop.time() + seconds)

    def holder(self, receipt: str) -> QueueMessage | None:
        """The message in flight that was received under this handle."""
        now = self.loop.time()
        for message in self.messages:
            if message.receipt == receipt:
                return message if message.is_hidden(now) else None
        return None

    async def wait_message(self) -> None:
        """Wait until a receive would return something; what ends a long poll."""
        while not self.choose(1):
            future: asyncio.Future[None] = self.loop.create_future()
            self._waiting.append(future)
            await future

    def remove(self, message: QueueMessage) -> None:
        """Take a message out, and let receivers look whether that freed its group."""
        self.messages.remove(message)
        if message.wake is not None:
            message.wake.cancel()
        self.awake()

    def awake(self) -> None:
        """Let those who wait for a message look again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def put(self, body: str, group: str, delay: float) -> None:
        """Append a message."""
        self._sent += 1
        message = QueueMessage(f"{self.name}-{self._sent}", body, group, self.loop.time() + delay)
        self.messages.append(message)
        if delay > 0:
            message.wake = self.loop.call_later(delay, self.awake)
        else:
            self.awake()

    def _hide(self, message: QueueMessage, until: float) -> None:
        message.visible_at = until
        if message.wake is not None:
            message.wake.cancel()
        message.wake = self.loop.call_at(until, self.awake)


class FifoQueue(SimulatedQueue):
    """Strict order within a group, and a memory for deduplication ids."""

    def __init__(self, name: str, loop: VirtualLoop, rng: Random, *, max_receives: int) -> None:
        super().__init__(name, loop, rng, max_receives)
        self._seen: dict[str, float] = {}

    def send(self, body: str, group: str, deduplication: str) -> None:
        """Append to a group, unless the deduplication id is remembered."""
        now = self.loop.time()
        seen = self._seen.get(deduplication)
        if seen is None or now - seen >= DEDUPLICATION_SECONDS:
            self._seen[deduplication] = now
            self.put(body, group, 0)

    def choose(self, limit: int) -> Sequence[QueueMessage]:
        """The oldest of some free groups: how many of which group is up to SQS."""
        now = self.loop.time()
        busy = {message.group for message in self.messages if message.is_hidden(now)}
        free: dict[str, list[QueueMessage]] = {}
        for message in self.messages:
            if message.group not in busy:
                free.setdefault(message.group, []).append(message)
        chosen: list[QueueMessage] = []
        for group in free.values():
            if len(chosen) == limit or (chosen and self.rng.random() < 0.2):
                break
            count = limit - len(chosen)
            if self.rng.random() < 0.2:
                count = self.rng.randint(1, count)
            chosen += group[:count]
        return chosen

    def delete(self, receipt: str) -> None:
        """Remove a received message.

        Raises:
            BackendError: the receipt is stale or has expired; the message is redelivered.
        """
        message = self.holder(receipt)
        if message is None:
            raise BackendError(f"{self.name}: receipt {receipt} is stale or has expired")
        self.remove(message)

    def discard(self, message_id: str) -> None:
        """Remove a message by its id, as a store does that acknowledges within its transaction."""
        for message in self.messages:
            if message.id == message_id:
                self.remove(message)
                return


class StandardQueue(SimulatedQueue):
    """At least once, in any order, after a delay."""

    def send(self, body: str, delay: float = 0.0) -> None:
        """Append a message, and sometimes a second copy of it.

        Raises:
            BackendError: the delay is longer than SQS allows.
        """
        if delay > DELAY_SECONDS_MAX:
            raise BackendError(f"DelaySeconds of {delay}: SQS takes at most {DELAY_SECONDS_MAX}")
        self.put(body, "", delay)
        if self.rng.random() < _TWICE:
            self.put(body, "", delay + self.rng.uniform(0, 60))

    def choose(self, limit: int) -> Sequence[QueueMessage]:
        """Any of the visible messages."""
        now = self.loop.time()
        visible = [message for message in self.messages if not message.is_hidden(now)]
        if len(visible) <= 1:
            return visible
        return self.rng.sample(visible, min(limit, len(visible)))

    def delete(self, receipt: str) -> None:
        """Remove a received message; a stale receipt still works, a spent one does nothing."""
        for message in self.messages:
            if message.id == receipt.partition("#")[0]:
                self.remove(message)
                return
