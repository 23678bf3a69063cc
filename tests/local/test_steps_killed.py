"""A process is killed within a step: what becomes of the step is what its author asked for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from lambda_workflow.local.engine import Engine
from tests.local.step_app import make_app

ROOT = Path(__file__).parents[2]
PATIENCE = timedelta(seconds=60)


async def is_begun(folder: Path) -> None:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while not (folder / "begun").exists():  # noqa: ASYNC110  # another process writes it
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("attempts", "result", "begun"),
    [
        pytest.param(0, "charged", "1\n1\n", id="at least once"),
        pytest.param(1, "lambda_workflow.errors.StepInterrupted", "1\n", id="at most once"),
        pytest.param(3, "charged", "1\n2\n", id="at most once an attempt"),
    ],
)
async def test_the_process_is_killed_within_a_step(
    tmp_path: Path, attempts: int, result: str, begun: str
) -> None:
    command = [sys.executable, "-m", "tests.local.step_app", str(tmp_path), str(attempts)]
    with subprocess.Popen(command, cwd=ROOT) as process:  # noqa: ASYNC220  # returns at once
        try:
            await is_begun(tmp_path)
        finally:
            process.kill()
    async with Engine(make_app(tmp_path), tmp_path / "step.db") as engine:
        assert await engine.client.result("e", timeout=PATIENCE) == result
    assert (tmp_path / "begun").read_text() == begun
