"""The embedded engine on SQLite with `synchronous=FULL`: throughput, latency, recovery.

    python benchmarks/embedded.py

prints one JSON line:

workflows_per_second       workflows of ten sequential calls, 64 at a time, started by a Client in
                           the same process, first start to last result; median of three
calls_per_second_single    one workflow of 1,000 sequential calls, start to result; median of three
recovery_seconds           that workflow's process is killed (SIGKILL) at 70 % of the calls; from
                           the start of a new process, imports included, to its next recorded turn

Every service is an `async def` in the engine's process that returns its argument.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from lambda_workflow import App, Context, Service, serve, workflow
from lambda_workflow.local.engine import Engine

WORKFLOWS = 1_000
CONCURRENT = 64
CALLS = 10
CALLS_SINGLE = 1_000
ROUNDS = 3

ECHO = Service("echo", int, int)


@workflow
async def chain(ctx: Context, calls: int) -> int:
    """Calls one after another."""
    total = 0
    for number in range(calls):
        total += await ctx.call(ECHO, number)
    return total


@serve(ECHO)
async def echo(number: int) -> int:
    """Nothing to do: what is measured is the engine."""
    return number


app = App("embedded", workflows=[chain], adapters=[echo])


async def measure_many(path: Path) -> float:
    """Workflows of ten calls per second."""
    numbers = iter(range(WORKFLOWS))
    async with Engine(app, path) as engine:

        async def run_some() -> None:
            for number in numbers:
                await engine.client.start(chain, CALLS, execution_id=f"many-{number}")
                result = await engine.client.result(f"many-{number}")
                assert result == sum(range(CALLS))

        start = time.perf_counter()
        await asyncio.gather(*[run_some() for _ in range(CONCURRENT)])
        return WORKFLOWS / (time.perf_counter() - start)


async def measure_single(path: Path) -> float:
    """Calls of one workflow per second."""
    async with Engine(app, path) as engine:
        start = time.perf_counter()
        await engine.client.start(chain, CALLS_SINGLE, execution_id="single")
        assert await engine.client.result("single") == sum(range(CALLS_SINGLE))
        return CALLS_SINGLE / (time.perf_counter() - start)


async def serve_single(path: Path) -> None:
    """The process that is killed, and the one that recovers: runs until the result is there."""
    async with Engine(app, path) as engine:
        await engine.client.start(chain, CALLS_SINGLE, execution_id="single")
        await engine.client.result("single")


def measure_recovery(path: Path) -> float:
    """Seconds from the start of a process to its first turn after another's death."""
    command = [sys.executable, __file__, str(path)]
    with subprocess.Popen(command) as first:
        while turns(path) < CALLS_SINGLE * 0.7:
            time.sleep(0.001)
        first.send_signal(signal.SIGKILL)
    reached = turns(path)
    assert reached < CALLS_SINGLE
    start = time.perf_counter()
    with subprocess.Popen(command) as second:
        while turns(path) == reached:
            time.sleep(0.001)
        seconds = time.perf_counter() - start
        assert second.wait() == 0
    return seconds


def turns(path: Path) -> int:
    """How many turns are recorded."""
    if not path.exists():
        return 0
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM turns").fetchone()[0])
    except sqlite3.OperationalError:  # the tables are being made
        return 0
    finally:
        connection.close()


def main() -> None:
    """Measure everything, and print the line."""
    with tempfile.TemporaryDirectory() as folder:
        files = (Path(folder) / f"{number}.db" for number in range(3 * ROUNDS))
        figures = {
            "workflows_per_second": median(
                asyncio.run(measure_many(next(files))) for _ in range(ROUNDS)
            ),
            "calls_per_second_single": median(
                asyncio.run(measure_single(next(files))) for _ in range(ROUNDS)
            ),
            "recovery_seconds": median(measure_recovery(next(files)) for _ in range(ROUNDS)),
        }
    rounded = {name: round(value, 3 if value < 10 else 0) for name, value in figures.items()}
    print(json.dumps({**rounded, "cores": os.cpu_count(), "python": sys.version.split()[0]}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(serve_single(Path(sys.argv[1])))
    else:
        main()
