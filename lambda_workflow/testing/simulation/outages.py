"""What AWS takes away or holds back: expired items, a listing that lags, payloads out of reach.

Laws
 1. A closed execution expires after its retention: nothing reads it any more. DynamoDB deletes it
    up to two days later; until then its items are in the table, and a start under its id replaces
    them.
 2. A listing shows each header some time after it was projected, in any order.
 3. While payloads are out of reach no put and no get succeeds.
 4. A payload that is lost, or replaced by another content, stays so until somebody restores it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from lambda_workflow.errors import BackendError
from lambda_workflow.ports import Commit, Effect, Header, Loaded, Page, Query
from lambda_workflow.testing.memory import MemoryBlobs, MemoryStore
from lambda_workflow.testing.simulation.world import SimulationLoop, finish

RETENTION_SECONDS: Final = 14 * 86_400.0  # as long as a dead letter lives
DELETION_LAG_SECONDS: Final = 2 * 86_400.0  # "typically within a few days"


@dataclass(frozen=True, slots=True)
class Outages:
    """How much of it there is in one run; all zero is a host that has everything at once.

    Attributes:
        retention: seconds until a closed execution expires; 0: it never does.
        listing_lag: seconds, at most, until a header can be listed.
        timers_lost: how often a schedule never fires.
        blob_lost: from when on a payload that is stored may be lost, in seconds; 0: never.
        blobs_gone: when payloads get out of reach, and for how long, in seconds.
        changed: how often a repeated message has another body.
    """

    retention: float = 0.0
    listing_lag: float = 0.0
    timers_lost: float = 0.0
    blobs_gone: tuple[float, float] = (0.0, 0.0)
    blob_lost: float = 0.0
    changed: float = 0.0

    @classmethod
    def draw(cls, rng: Random) -> Outages:
        """For one seed."""
        return cls(
            retention=rng.choice((0.0, 0.0, RETENTION_SECONDS)),
            listing_lag=rng.choice((0.0, 2.0, 600.0)),
            timers_lost=rng.choice((0.0, 0.0, 0.0, 0.2, 1.0)),
            blobs_gone=rng.choice(((0.0, 0.0), (rng.uniform(1, 300), rng.choice((20.0, 900.0))))),
            blob_lost=rng.choice((0.0, rng.uniform(1, 60))),
            changed=rng.choice((0.0, 0.3)),
        )


NO_OUTAGES: Final = Outages()


class RetainingStore(MemoryStore):
    """The table with its expiry and its lagging index.

    Attributes:
        expired: the records of executions that are deleted, or cannot be read any more.
        former: the records of executions that had expired when their id was taken again.
        shown: the last header of each execution, of one that has expired as well.
    """

    def __init__(self, loop: SimulationLoop, rng: Random, outages: Outages) -> None:
        super().__init__()
        self.expired: dict[str, list[str]] = {}
        self.former: dict[str, list[list[str]]] = {}
        self.shown: dict[str, Header] = {}
        self.on_expiry: Callable[[], None] = lambda: None
        self._loop = loop
        self._rng = rng
        self._outages = outages
        self._index = MemoryStore()
        self._deletions: dict[str, asyncio.TimerHandle] = {}

    def history(self, execution_id: str) -> Sequence[str]:
        """All records of an execution, of one that has expired as well."""
        return self._texts.get(execution_id) or self.expired.get(execution_id) or ()

    def ids(self) -> list[str]:
        """All executions that there were, whatever the listing shows."""
        return sorted(name for name in {*self._texts, *self.expired} if self.history(name))

    async def load(self, execution_id: str, *, whole: bool = False) -> Loaded:
        """The records, unless they have expired."""
        if execution_id in self.expired:
            return Loaded(())
        return await super().load(execution_id, whole=whole)

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        """As MemoryStore's; what is expired and not yet deleted stands in nobody's way."""
        name = commit.execution_id
        if name in self.expired and commit.turn.number == 1:
            self._delete(name)
            self.former.setdefault(name, []).append(self.expired.pop(name))
        effects = await super().commit(commit)
        if self._outages.retention and commit.turn.number == len(self._texts[name]):
            if (handle := self._deletions.pop(name, None)) is not None:
                handle.cancel()
            if commit.turn.status.closed:
                wait = self._outages.retention
                self._deletions[name] = self._loop.call_later(wait, self._expire, name)
        return effects

    async def put_header(self, header: Header) -> None:
        """Project a header: at once for who asks for it by id, later for the listing."""
        if header.execution_id in self.expired:
            return
        await super().put_header(header)
        self.shown[header.execution_id] = self._headers[header.execution_id]
        if self._outages.listing_lag:
            lag = self._rng.uniform(0, self._outages.listing_lag)
            self._loop.call_later(lag, self._list, header)

    async def header(self, execution_id: str) -> Header | None:
        """The header, unless the execution has expired."""
        return None if execution_id in self.expired else await super().header(execution_id)

    async def list(self, query: Query) -> Page:
        """A page of the listing as it was a while ago; it shows nothing that has expired."""
        page = await (self._index.list(query) if self._outages.listing_lag else super().list(query))
        kept = [header for header in page.headers if header.execution_id not in self.expired]
        return Page(kept, page.cursor)

    def _list(self, header: Header) -> None:
        finish(self._index.put_header(header))

    def _expire(self, name: str) -> None:
        self.expired[name] = self._texts[name]
        wait = self._rng.uniform(0, DELETION_LAG_SECONDS)
        self._deletions[name] = self._loop.call_later(wait, self._delete, name)
        self.on_expiry()

    def _delete(self, name: str) -> None:
        for kept in (self._texts, self._headers, self._begins, self._index._headers):
            kept.pop(name, None)


class DistantBlobs(MemoryBlobs):
    """Payloads that are out of reach for a while: no permission, no key, no network."""

    def __init__(self, loop: SimulationLoop, outages: Outages) -> None:
        super().__init__()
        self._loop = loop
        self._from, seconds = outages.blobs_gone
        self._until = self._from + seconds
        self.refused = 0
        self.lost: dict[str, bytes] = {}
        self.on_put: Callable[[str], None] = lambda key: None

    async def put(self, key: str, content: bytes) -> None:
        """Keep the content of a key."""
        await super().put(key, content)
        self.on_put(key)

    def lose(self, key: str, *, replaced: bool) -> None:
        """Lose one payload, or have another content in its place."""
        self.lost[key] = self._contents.pop(key)
        if replaced:
            self._contents[key] = b'"another content"'

    def restore(self) -> None:
        """Put back what was lost, from a backup."""
        self._contents.update(self.lost)

    def check(self, key: str) -> None:
        """Refuse if payloads are out of reach now.

        Raises:
            BackendError: they are.
        """
        if self._from <= self._loop.time() < self._until:
            self.refused += 1
            raise BackendError(f"payload {key}: access denied (simulated)")


@dataclass(frozen=True, slots=True)
class ReachedBlobs:
    """The payloads as an adapter reaches them, when it does."""

    blobs: MemoryBlobs

    async def put(self, key: str, content: bytes) -> None:
        """Store content."""
        self._check(key)
        await self.blobs.put(key, content)

    async def get(self, key: str) -> bytes:
        """Fetch content."""
        self._check(key)
        return await self.blobs.get(key)

    def _check(self, key: str) -> None:
        if isinstance(self.blobs, DistantBlobs):
            self.blobs.check(key)
