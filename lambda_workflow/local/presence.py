"""An engine's row in `engines`: entered, kept alive, and struck out; and those of the dead.

Laws
 1. An engine whose process is known to have ended is struck out at the next pulse.
 2. Any other is struck out when it has given no sign of life for a whole lease, timed by the
    engine that watches: no two clocks are ever compared.
 3. An engine that finds itself struck out lets go of everything, and enters anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Final

from lambda_workflow.local import registry
from lambda_workflow.local.process import is_gone
from lambda_workflow.local.registry import Claimant, Peer
from lambda_workflow.local.sqlite import SqliteFile
from lambda_workflow.model.failures import words_of
from lambda_workflow.ports import Happening

PULSE_SECONDS: Final = 0.5  # how late the end of another's process may be noticed; costs 0.1 ms
BEATS_PER_LEASE: Final = 3  # so that one late beat is no death


class Presence:
    """The presence of one engine among those on its file.

    Args:
        freed: called when an engine has gone, and what it owned is free.
        lost: called when this engine was struck out, before it enters anew.
    """

    def __init__(
        self,
        file: SqliteFile,
        freed: Callable[[], None],
        lost: Callable[[], Awaitable[None]],
        *,
        workflows: Collection[str],
        services: Collection[str],
        lease_seconds: float,
    ) -> None:
        self._file = file
        self._freed = freed
        self._lost = lost
        self._lease = lease_seconds
        self._peers: dict[int, tuple[Peer, float]] = {}  # and when its beat was first seen
        self._last = 0  # the highest id of an engine that was ever seen
        self.claimant = Claimant(0, frozenset(workflows), frozenset(services))

    async def enter(self) -> None:
        """Get a row, and strike out those who are known to be gone."""
        workflows, services = self.claimant.workflows, self.claimant.services
        engine = await self._file.writer.call(partial(registry.register, workflows, services))
        self.claimant = Claimant(engine, workflows, services)
        self._peers.clear()
        self._last = engine
        await self._look()

    async def leave(self) -> None:
        """Give everything back to whoever comes next."""
        await self._remove([self.claimant.id])

    async def run(self) -> None:
        """Beat, and watch the others, until cancelled."""
        now = asyncio.get_running_loop().time
        between_beats = self._lease / BEATS_PER_LEASE
        next_beat = now() + between_beats
        while True:
            await asyncio.sleep(min(PULSE_SECONDS, between_beats))
            try:
                if now() >= next_beat:
                    next_beat = now() + between_beats
                    await self._file.writer.call(partial(registry.beat, self.claimant.id))
                await self._look()
            except Exception as error:  # noqa: BLE001  # the next pulse is the next try
                facts = {"error": words_of(error)}
                self._file.backend.observer.notify(Happening("failed", "", fields=facts))

    async def _look(self) -> None:
        """See who is there, and strike out the dead."""
        now = asyncio.get_running_loop().time()
        engine, before = self.claimant.id, self._peers
        peers, last = await self._file.writer.call(registry.present)
        if all(peer.id != engine for peer in peers):
            await self._lost()
            await self.enter()
            self._freed()
            return
        self._peers = {}
        for peer in peers:
            known = before.get(peer.id)
            self._peers[peer.id] = known if known and known[0] == peer else (peer, now)
        # Whoever was seen, or came since, and is not there now, has left work behind.
        gone = {*before, *range(self._last + 1, last + 1)} - self._peers.keys()
        self._last = last
        del self._peers[engine]
        dead = [
            peer.id
            for peer, since in self._peers.values()
            if now - since > self._lease or is_gone(peer.process)
        ]
        if dead:
            await self._remove(dead)
        if dead or gone:
            self._freed()

    async def _remove(self, engines: Sequence[int]) -> None:
        await self._file.writer.call(partial(registry.remove, engines))
