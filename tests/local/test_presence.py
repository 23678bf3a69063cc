"""Engines that watch each other: one that gives no sign of life for a lease is struck out."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from lambda_workflow.errors import BackendError
from lambda_workflow.local import change as c
from lambda_workflow.local import registry
from lambda_workflow.local.presence import Presence
from lambda_workflow.local.sqlite import SqliteFile

LEASE = 0.15  # seconds; an engine's own is half a minute
SOON = 30  # on a machine with much else to do


class Watch:
    """An engine's row on a file, and what its presence tells it."""

    def __init__(self, path: Path) -> None:
        self.file = SqliteFile(path)
        self.freed = asyncio.Event()
        self.lost = asyncio.Event()
        self.presence = Presence(
            self.file,
            self.freed.set,
            self._lose,
            workflows=["w"],
            services=[],
            lease_seconds=LEASE,
        )

    async def _lose(self) -> None:
        self.lost.set()


async def test_an_engine_that_hangs_is_struck_out_after_its_lease(tmp_path: Path) -> None:
    """Its process is alive: this one. Only that its beat stands still says that it hangs."""
    path = tmp_path / "shared.db"
    hanging, watching = Watch(path), Watch(path)
    await hanging.presence.enter()
    await watching.presence.enter()
    watching.freed.clear()
    running = asyncio.create_task(watching.presence.run())
    async with asyncio.timeout(SOON):
        await watching.freed.wait()
    peers, _ = await watching.file.writer.call(registry.present)
    assert [peer.id for peer in peers] == [watching.presence.claimant.id]
    with pytest.raises(BackendError, match="taken for dead"):
        await hanging.file.writer.write(c.Change({}, hanging.presence.claimant.id))
    running.cancel()
    again = asyncio.create_task(hanging.presence.run())  # it wakes, and finds itself struck out
    async with asyncio.timeout(SOON):
        await hanging.lost.wait()
    again.cancel()
    for watch in (hanging, watching):
        await watch.file.aclose()


async def test_an_engine_that_beats_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    one, other = Watch(path), Watch(path)
    await one.presence.enter()
    await other.presence.enter()
    one.freed.clear()
    running = asyncio.create_task(one.presence.run())
    loop = asyncio.get_running_loop()
    end = loop.time() + 3 * LEASE
    while loop.time() < end:
        await other.file.writer.call(partial(registry.beat, other.presence.claimant.id))
    peers, _ = await one.file.writer.call(registry.present)
    assert {peer.id for peer in peers} == {one.presence.claimant.id, other.presence.claimant.id}
    running.cancel()
    for watch in (one, other):
        await watch.file.aclose()
