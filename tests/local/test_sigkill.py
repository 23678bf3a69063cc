"""The engine's process is killed at random moments: nothing is lost, nothing is recorded twice.

50 kills during 200 concurrent workflows, each at a moment drawn from SEED. Another seed, or another
number of kills, is set by the variables LAMBDA_WORKFLOW_CRASH_SEED and LAMBDA_WORKFLOW_CRASH_KILLS.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from lambda_workflow import Client
from lambda_workflow.local.sqlite import SqliteFile
from lambda_workflow.model.events import CallErrored, CallSucceeded, TimerFired
from lambda_workflow.model.turn import Turn, decode_turn
from tests.local.crash_app import World, calls_of, expected, make_app, tally
from tests.patience import patience

SEED: Final = int(os.environ.get("LAMBDA_WORKFLOW_CRASH_SEED", "1"))
KILLS: Final = int(os.environ.get("LAMBDA_WORKFLOW_CRASH_KILLS", "50"))
WORKFLOWS: Final = 200
LIFE_MAX_SECONDS: Final = 0.5  # of an engine, before it is killed; start and recovery included
PACE_SECONDS: Final = 0.15
WAVE: Final = 20


class Breeder:
    """Starts engines in processes of their own, and ends them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.local.crash_app"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self._alive: set[int] = set()

    def start(self, folder: Path, pace_seconds: float = PACE_SECONDS) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{folder} {pace_seconds}\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        self._alive.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        self._alive.remove(pid)
        os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        for pid in self._alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with self._process:
            self._process.kill()


@pytest.fixture
def breeder() -> Iterator[Breeder]:
    opened = Breeder()
    yield opened
    opened.close()


async def start_all(client: Client, numbers: Iterable[int]) -> None:
    starts = [client.start(tally, n, execution_id=f"tally-{n}") for n in numbers]
    await asyncio.gather(*starts)


async def check_all(client: Client, folder: Path, workflows: int) -> None:
    """Every result is right and recorded once, and every effect was done at least once."""
    async with asyncio.timeout(patience(60)):
        for n in range(workflows):
            result = await client.result(f"tally-{n}", timeout=None)
            assert result == expected(n)
    done = Counter(task for task, _ in World(folder).effects())
    calls = 0
    for n in range(workflows):
        turns = read_turns(folder / "crash.db", f"tally-{n}")
        recorded = check_recorded_once(turns)
        assert len(recorded) == calls_of(n)
        assert {f"tally-{n}/{operation}" for operation in recorded} <= set(done)
        calls += len(recorded)
    assert len(done) == calls


def read_turns(path: Path, execution_id: str) -> list[Turn]:
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT text FROM turns WHERE execution_id=? ORDER BY number", (execution_id,)
        )
        return [decode_turn(text) for (text,) in rows]
    finally:
        connection.close()


def check_recorded_once(turns: list[Turn]) -> set[str]:
    """Each fact stands in the history once; returns the calls that succeeded."""
    assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
    facts: Counter[tuple[str, str, int]] = Counter()
    for event in (event for turn in turns for event in turn.events):
        match event:
            case CallSucceeded() | TimerFired():
                facts[type(event).__name__, event.operation, 0] += 1
            case CallErrored():
                facts["CallErrored", event.operation, event.attempt] += 1
            case _:
                facts[type(event).__name__, "", 0] += 1
    assert set(facts.values()) == {1}
    return {operation for kind, operation, _ in facts if kind == "CallSucceeded"}


def rows_left(path: Path) -> dict[str, int]:
    connection = sqlite3.connect(path)
    try:
        tables = ("messages", "tasks", "timers", "dead_letters")
        counts = {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}
        return {table: count for table, count in counts.items() if count}
    finally:
        connection.close()


async def wait_no_rows_left(path: Path) -> None:
    """Late results and withdrawn timers are cleared away too."""
    async with asyncio.timeout(patience(60)):
        while rows_left(path):  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.05)


async def test_200_workflows_survive_50_kills(breeder: Breeder, tmp_path: Path) -> None:
    print(f"LAMBDA_WORKFLOW_CRASH_SEED={SEED}")
    dice = random.Random(SEED)
    file = SqliteFile(tmp_path / "crash.db")
    client = Client(make_app(tmp_path, 0), file.backend)
    try:
        await start_all(client, range(WORKFLOWS))
        for _ in range(KILLS):
            engine = breeder.start(tmp_path)
            await asyncio.sleep(dice.random() * LIFE_MAX_SECONDS)
            breeder.kill(engine)
        assert count_ended(tmp_path / "crash.db") < WORKFLOWS / 2  # half wait at the gate
        World(tmp_path).open_gate()
        breeder.start(tmp_path, 0.01)  # the last one need not be slow enough to be killed
        await check_all(client, tmp_path, WORKFLOWS)
        await wait_no_rows_left(tmp_path / "crash.db")
        repeated = sum(count > 1 for count in Counter(World(tmp_path).effects()).values())
        assert repeated > KILLS  # they hit work that was done and not yet recorded
    finally:
        await file.aclose()


def count_ended(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT count(*) FROM executions WHERE closed_at IS NOT NULL")
        return int(rows.fetchone()[0])
    finally:
        connection.close()


async def test_of_two_engines_on_one_file_the_other_takes_over(
    breeder: Breeder, tmp_path: Path
) -> None:
    file = SqliteFile(tmp_path / "crash.db")
    client = Client(make_app(tmp_path, 0), file.backend)
    try:
        first, _ = breeder.start(tmp_path, 0.05), breeder.start(tmp_path, 0.05)
        workflows = 0
        async with asyncio.timeout(patience(60)):
            while len(owners(tmp_path / "crash.db")) < 2:  # who looks first owns what was started
                await start_all(client, range(workflows, workflows + WAVE))
                workflows += WAVE
                await asyncio.sleep(0.03)
        breeder.kill(first)
        World(tmp_path).open_gate()
        await check_all(client, tmp_path, workflows)  # in less than the lease: nobody waits for it
    finally:
        await file.aclose()


def owners(path: Path) -> set[int]:
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT DISTINCT owner FROM executions WHERE owner IN (SELECT id FROM engines)"
        )
        return {owner for (owner,) in rows}
    finally:
        connection.close()
