"""The gate: the one door between a worker and the world.

Laws
 1. A worker touches the world through its gate only, and each passage is a point of the plan.
 2. The gate of a dead worker is shut before anything of it unwinds: it touches nothing any more.
 3. A batch may have happened in part: any part of it, when the answer was lost or the worker died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, TypeVar

from lambda_workflow.errors import BackendError
from lambda_workflow.testing.simulation.faults import Fate
from lambda_workflow.testing.simulation.world import World

T = TypeVar("T")


class Gate:
    """The one door between a worker and the world."""

    def __init__(self, world: World, name: str, stall_seconds: float) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.faults = 0  # so far, of those that an error or the loss of time comes of
        self.on_kill: Callable[[], None] = lambda: None
        self._stall_seconds = stall_seconds

    async def call(self, what: str, *effects: Callable[[], T]) -> list[T]:
        """Pass a point: let the effects happen, or what the plan decides instead."""
        self._check()
        world, rng = self.world, self.world.rng
        world.count_point(self.name, what)
        fate = world.plan.fate(what)
        self.faults += fate is not Fate.GO and fate is not Fate.DELAY
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


CURRENT_GATE: Final[ContextVar[Gate | None]] = ContextVar("CURRENT_GATE", default=None)


async def step_point(what: str) -> None:
    """A point within a step's own work: time passes here, and the worker may die.

    Outside of the simulation it does nothing.
    """
    gate = CURRENT_GATE.get()
    if gate is not None:
        try:
            await gate.call(what)
        except BackendError:
            return  # a step calls no port: to it this is no more than a delay
