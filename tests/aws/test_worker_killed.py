"""A worker in a process of its own, killed in the middle of its work again and again.

The server's clock jumps instead of waiting for visibility timeouts. A message that was on its way
to a worker when that died is in flight until then, as on AWS.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.model.events import CallSucceeded
from tests.aws.apps import CALLS, EFFECTS, app, ten
from tests.aws.deployed import deploy, environment, take, until
from tests.aws.server.process import ROOT, Server

EXECUTIONS = 10
KILLS = 8
VISIBILITY_SECONDS = 20


async def start_worker(config: AwsConfig) -> asyncio.subprocess.Process:
    command = ["-W", "ignore", "-m", "lambda_workflow.aws.worker", "tests.aws.apps:app"]
    return await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, env={**os.environ, **environment(config)}
    )


async def kill(worker: asyncio.subprocess.Process) -> None:
    worker.send_signal(signal.SIGKILL)
    await worker.wait()


async def work_and_die(server: Server, config: AwsConfig, goal: int, dice: random.Random) -> None:
    """Run a worker until so many records are stored, and a random moment longer."""
    worker = await start_worker(config)
    try:
        await until(lambda: puts(server) >= goal)
        await asyncio.sleep(dice.uniform(0, 0.02))
    finally:
        await kill(worker)
    server.advance(VISIBILITY_SECONDS + 1)


def puts(server: Server) -> int:
    return len([r for r in server.requests("dynamodb", "PutItem") if not r.failed])


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.thorough)])
async def test_nothing_is_lost_or_recorded_twice(
    server: Server, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = tmp_path / "effects"
    monkeypatch.setenv(EFFECTS, str(effects))
    config = await deploy(app.adapters, visibility=VISIBILITY_SECONDS, receives=50)
    client = client_for(app, config)
    for n in range(EXECUTIONS):
        await client.start(ten, n, execution_id=f"e{n}")
    dice = random.Random(seed)
    total = EXECUTIONS * (CALLS + 1)
    kills = 0
    while kills < KILLS and puts(server) < total - 2 * EXECUTIONS:
        await work_and_die(server, config, puts(server) + dice.randint(1, EXECUTIONS), dice)
        kills += 1
    assert kills >= KILLS // 2
    worker = await start_worker(config)
    try:
        for n in range(EXECUTIONS):
            assert await client.result(f"e{n}") == n + CALLS
    finally:
        await kill(worker)
    assert puts(server) == total
    done = Counter(effects.read_text().split())
    for n in range(EXECUTIONS):
        history = await client.history(f"e{n}")
        facts = [event for turn in history.turns for event in turn.events]
        results = [event.operation for event in facts if isinstance(event, CallSucceeded)]
        assert len(results) == len(set(results)) == CALLS
        assert {f"e{n}/{operation}" for operation in results} <= set(done)
    assert sum(done.values()) >= EXECUTIONS * CALLS
    assert await take(config.dlq_url) == []
