"""DBOS on SQLite: ten-step workflows per second, and the steps per second of a long one.

Prints one JSON line. `sync` is DBOS's own threads with `def` workflows, `async` its coroutines, 64
at a time; a step returns its argument. The medians of ROUNDS.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import sys
import tempfile
import time
from statistics import median

from dbos import DBOS

WORKFLOWS, CONCURRENT, STEPS, STEPS_SINGLE, ROUNDS = 100, 64, 10, 1_000, 3


@DBOS.step()
def echo(number: int) -> int:
    """Nothing to do."""
    return number


@DBOS.workflow()
def chain(steps: int) -> int:
    """Steps one after another."""
    return sum(echo(number) for number in range(steps))


@DBOS.step()
async def echo_async(number: int) -> int:
    """Nothing to do."""
    return number


@DBOS.workflow()
async def chain_async(steps: int) -> int:
    """Steps one after another."""
    total = 0
    for number in range(steps):
        total += await echo_async(number)
    return total


def many() -> float:
    """Ten-step workflows per second; DBOS has a pool of threads for them."""
    start = time.perf_counter()
    handles = [DBOS.start_workflow(chain, STEPS) for _ in range(WORKFLOWS)]
    assert all(handle.get_result() == sum(range(STEPS)) for handle in handles)
    return WORKFLOWS / (time.perf_counter() - start)


def single() -> float:
    """Steps per second of one workflow."""
    start = time.perf_counter()
    DBOS.start_workflow(chain, STEPS_SINGLE).get_result()
    return STEPS_SINGLE / (time.perf_counter() - start)


async def many_async() -> float:
    """Ten-step workflows per second."""
    numbers = iter(range(WORKFLOWS))

    async def some() -> None:
        for _ in numbers:
            handle = await DBOS.start_workflow_async(chain_async, STEPS)
            assert await handle.get_result() == sum(range(STEPS))

    start = time.perf_counter()
    await asyncio.gather(*[some() for _ in range(CONCURRENT)])
    return WORKFLOWS / (time.perf_counter() - start)


async def single_async() -> float:
    """Steps per second of one workflow."""
    start = time.perf_counter()
    handle = await DBOS.start_workflow_async(chain_async, STEPS_SINGLE)
    await handle.get_result()
    return STEPS_SINGLE / (time.perf_counter() - start)


def main() -> None:
    """Measure, and print the line."""
    with tempfile.TemporaryDirectory() as folder:
        DBOS(
            config={
                "name": "bench",
                "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
                "run_admin_server": False,
                "log_level": "ERROR",
            }
        )
        DBOS.launch()
        figures = {
            "workflows_per_second_sync": median(many() for _ in range(ROUNDS)),
            "workflows_per_second_async": median(asyncio.run(many_async()) for _ in range(ROUNDS)),
            "steps_per_second_single_sync": median(single() for _ in range(ROUNDS)),
            "steps_per_second_single_async": median(
                asyncio.run(single_async()) for _ in range(ROUNDS)
            ),
        }
        DBOS.destroy()
    rounded = {name: round(value, 1) for name, value in figures.items()}
    version = importlib.metadata.version("dbos")
    machine = {"cores": os.cpu_count(), "python": sys.version.split()[0]}
    print(json.dumps({"peer": "dbos", "version": version, **rounded, **machine}), flush=True)


if __name__ == "__main__":
    main()
