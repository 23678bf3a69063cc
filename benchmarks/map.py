"""A map over many items: time, memory and history, each result a turn of its own.

    python benchmarks/map.py

The host is the one in memory, one worker that keeps the execution live, so that what is measured
is the map and the runtime. One JSON line is printed, by number of items and limit (0 is none):

seconds          from the start to the result
ratio            of the seconds for 10,000 items to those for 1,000: 10 is linear
mib              the peak of the process above what it has after its imports
history_bytes    of the turn log, per item
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time

from lambda_workflow import App, Context, Service, workflow
from lambda_workflow.model.ids import operation_of
from lambda_workflow.model.messages import Request, Update
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.turns import Turns
from lambda_workflow.testing.memory import memory_backend

FEW, MANY = 1_000, 10_000
LIMITS = (0, 100)

ECHO = Service("echo", int, int)


@workflow
async def each(ctx: Context, of: tuple[int, int]) -> int:
    """The sum of what came back."""
    items, limit = of
    batch = await ctx.map(ECHO, range(items), limit=limit or None)
    batch.raise_if_failed()
    return sum(batch.results())


app = App("map", workflows=[each], services=[ECHO])


async def run(items: int, limit: int) -> dict[str, float]:
    """One map from start to result."""
    memory = memory_backend()
    turns = Turns(app, memory.backend)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    await turns.run("map", [Arrival(Request("map", "each", [items, limit]))])
    answered = most = 0
    while tasks := memory.queue.take_tasks("echo"):
        most = max(most, len(tasks))
        for task in tasks:
            operation = operation_of(task.task_id)
            update = Update("map", operation, task.payload, None, 1)
            await turns.run("map", [Arrival(update)])
        answered += len(tasks)
    seconds = time.perf_counter() - start
    assert answered == items
    assert most <= (limit or items)
    (outcome,) = memory.queue.take_responses()
    assert outcome.result == sum(range(items))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    header = await memory.store.header("map")
    assert header is not None
    return {
        "seconds": round(seconds, 3),
        "mib": round((peak - before) / 1024, 1),
        "history_bytes": round(header.usage.bytes / items),
    }


def main() -> None:
    """Measure each size in a process of its own, and print the line."""
    figures: dict[str, dict[str, float]] = {}
    for limit in LIMITS:
        for items in (FEW, MANY):
            done = subprocess.run(
                [sys.executable, __file__, str(items), str(limit)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            figures[f"items={items} limit={limit}"] = json.loads(done.stdout)
    for limit in LIMITS:
        few, many = (figures[f"items={items} limit={limit}"] for items in (FEW, MANY))
        many["ratio"] = round(many["seconds"] / few["seconds"], 1)
    print(json.dumps({**figures, "cores": os.cpu_count(), "python": sys.version.split()[0]}))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(asyncio.run(run(int(sys.argv[1]), int(sys.argv[2])))))
    else:
        main()
