"""Thousands of signals to one workflow: time, memory and history, each signal a turn of its own.

    python benchmarks/signals.py

The host is the one in memory, one worker that keeps the execution live. One JSON line is printed,
by number of signals and what the workflow does: `takes` each as it comes, or has them `kept` until
the last has come and then takes all.

seconds          from the start to the result
ratio            of the seconds for 5,000 signals to those for 1,000: 5 is linear
mib              the peak of the process above what it has after its imports
replay_seconds   of a worker that knows nothing yet: load and replay of the whole history
history_bytes    of the turn log, per signal
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time

from lambda_workflow import App, Client, Context, Signal, workflow
from lambda_workflow.model.messages import Request
from lambda_workflow.model.messages import Signal as Told
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.turns import Turns
from lambda_workflow.testing.memory import memory_backend

FEW, MANY = 1_000, 5_000
WAYS = ("takes", "kept")

NUMBER = Signal("number", int)
LAST = Signal("last", int)


@workflow
async def listens(ctx: Context, of: tuple[int, str]) -> int:
    """The sum of what it was told."""
    count, way = of
    if way == "kept":
        await ctx.wait_signal(LAST)
    ctx.state = 0
    for _ in range(count):
        ctx.state += await ctx.wait_signal(NUMBER)
    last = await ctx.wait_signal(LAST)
    return int(ctx.state) + last


@listens.query
def total(ctx: Context) -> int | None:
    """What it has by now."""
    return ctx.state  # type: ignore[no-any-return]  # the state is whatever it keeps


app = App("signals", workflows=[listens])


async def run(count: int, way: str) -> dict[str, float]:
    """One execution from start to result."""
    memory = memory_backend()
    turns = Turns(app, memory.backend)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    await turns.run("e", [Arrival(Request("e", "listens", [count, way]))])
    for n in range(count):
        await turns.run("e", [Arrival(Told("e", "number", n, f"n{n}"))])
    seconds = time.perf_counter() - start
    looked = time.perf_counter()
    expected = None if way == "kept" else sum(range(count))
    assert await Client(app, memory.backend).query("e", total) == expected
    replay = time.perf_counter() - looked
    start = time.perf_counter()
    for n in range(2 if way == "kept" else 1):
        await turns.run("e", [Arrival(Told("e", "last", n, f"last{n}"))])
    seconds += time.perf_counter() - start
    (outcome,) = memory.queue.take_responses()
    assert outcome.result == sum(range(count)) + (way == "kept")
    header = await memory.store.header("e")
    assert header is not None
    return {
        "seconds": round(seconds, 3),
        "mib": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
        "replay_seconds": round(replay, 3),
        "history_bytes": round(header.usage.bytes / count),
    }


def main() -> None:
    """Measure each size in a process of its own, and print the line."""
    figures: dict[str, dict[str, float]] = {}
    for way in WAYS:
        for count in (FEW, MANY):
            done = subprocess.run(
                [sys.executable, __file__, str(count), way],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            figures[f"signals={count} {way}"] = json.loads(done.stdout)
        few, many = (figures[f"signals={count} {way}"] for count in (FEW, MANY))
        many["ratio"] = round(many["seconds"] / few["seconds"], 1)
    print(json.dumps({**figures, "cores": os.cpu_count(), "python": sys.version.split()[0]}))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(asyncio.run(run(int(sys.argv[1]), sys.argv[2]))))
    else:
        main()
