"""The App of the crash tests: every effect of its services leaves a line outside the engine."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from datetime import timedelta
from pathlib import Path

from lambda_workflow import App, Context, Later, Service, Task, serve, workflow
from lambda_workflow.local.engine import Engine

CALLS = 40
LEASE_SECONDS = 3600.0  # no test waits so long: it is seen that a process has ended

ADD = Service("add", int, int)
FLAKY = Service("flaky", int, int)
GATE = Service("gate", int, int)


@workflow
async def tally(ctx: Context, number: int) -> int:
    """Calls in a row and side by side, a retry, a timer and, for every other one, the gate.

    Half of those wait at the gate, the others come back to it later.
    """
    total = number
    for _ in range(CALLS):
        total = await ctx.call(ADD, total)
    left, right = await asyncio.gather(ctx.call(ADD, total), ctx.call(FLAKY, total))
    await ctx.sleep(timedelta(milliseconds=50))
    total = left + right
    if number % 2:
        total = await ctx.call(GATE, total + number // 2 % 2) - number // 2 % 2
    return total


def expected(number: int) -> int:
    """What `tally` returns."""
    return 2 * (number + CALLS + 1)


def calls_of(number: int) -> int:
    """How many calls `tally` makes."""
    return CALLS + 2 + number % 2


class World:
    """What stands outside the engine: a file with a line for each effect, and the gate."""

    def __init__(self, folder: Path) -> None:
        self._effects = folder / "effects"
        self._gate = folder / "gate"

    def effect(self, task: Task) -> None:
        """Leave a line that survives the process."""
        line = f"{task.task_id} {task.attempt}\n".encode()
        handle = os.open(self._effects, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)

    def effects(self) -> list[tuple[str, int]]:
        """The lines: task id and attempt."""
        lines = self._effects.read_text().splitlines() if self._effects.exists() else []
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    def open_gate(self) -> None:
        self._gate.touch()

    def is_open(self) -> bool:
        return self._gate.exists()

    async def wait_gate(self) -> None:
        while not self.is_open():  # noqa: ASYNC110  # another process opens it
            await asyncio.sleep(0.02)


def make_app(folder: Path, pace_seconds: float) -> App:
    """The App; its services take up to twice `pace_seconds` a call."""
    world = World(folder)
    dice = random.Random(os.getpid())

    @serve(ADD)
    async def add(number: int, task: Task) -> int:
        await asyncio.sleep(dice.random() * pace_seconds)
        world.effect(task)
        await asyncio.sleep(dice.random() * pace_seconds)  # a good moment to be killed at
        return number + 1

    @serve(FLAKY)
    async def flaky(number: int, task: Task) -> int:
        world.effect(task)
        if task.attempt == 1:
            raise RuntimeError("the first attempt never works")
        return number + 1

    @serve(GATE)
    async def gate(number: int, task: Task) -> int:
        if number % 2:
            await world.wait_gate()
        elif not world.is_open():
            raise Later(timedelta(seconds=1), (task.state or 0) + 1)
        world.effect(task)
        return number

    return App("crash", workflows=[tally], adapters=[add, flaky, gate])


def run_engine(folder: str, pace_seconds: float) -> None:
    """Serve the folder's file until killed; the body of a child process."""

    async def main() -> None:
        app, file = make_app(Path(folder), pace_seconds), Path(folder) / "crash.db"
        async with Engine(app, file, lease_seconds=LEASE_SECONDS):
            await asyncio.Event().wait()

    asyncio.run(main())


def breed() -> None:
    """For each line "folder pace" on stdin, fork a process that serves it, and print its id.

    Forked from here, with everything imported, an engine lives 10 ms after it was asked for.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead need no burial
    for line in sys.stdin:
        folder, pace = line.split()
        child = os.fork()
        if child == 0:
            run_engine(folder, float(pace))
            os._exit(0)
        print(child, flush=True)


if __name__ == "__main__":
    breed()
