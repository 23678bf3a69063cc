"""`lambda-workflow cancel|terminate|pause|resume|redrive`, beside a `run` in another terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import call

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "lambda_workflow.cli"]
FLOW = """
import asyncio
from lambda_workflow import App, Context, workflow

@workflow
async def flow(ctx: Context, n: int) -> int:
    await asyncio.sleep(3600)
    return n

app = App("test", workflows=[flow])
"""
WRONG = FLOW.replace("App, Context", "App, Context, Service").replace(
    "asyncio.sleep(3600)", "ctx.call(Service('missing', int, int), n)"
)
RUN = [*COMMAND, "run", "flow:app", "flow", "--input", "1", "--id", "e"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def begin(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(RUN, cwd=folder, env=_environment(), text=True, stdout=-1, stderr=-1)


@pytest.fixture
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A `run` that has begun."""
    with begin(folder) as process:
        read_until(process, "timer")
        yield process
        process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"it ended without {words!r}")


def test_a_run_says_that_it_is_paused_and_how_to_go_on(
    running: subprocess.Popen[str], folder: Path
) -> None:
    assert call(folder, "pause", "e", "--reason", "lunch").returncode == 0
    assert "asked to pause: lunch" in read_until(running, "lunch")
    told = read_until(running, "paused; to go on: ")
    words = shlex.split(told.partition(": ")[2])
    assert words[1:] == ["resume", "e", "--db", "lambda-workflow.db"]
    assert call(folder, *words[1:]).returncode == 0
    assert "asked to resume" in read_until(running, "resume")
    assert call(folder, "cancel", "e", "--reason", "enough", "--grace", "1").returncode == 0
    read_until(running, "failed: ExecutionCancelled: enough")
    assert "e: CANCELLED" in read_until(running, "CANCELLED in")
    assert running.wait() == 1


def test_a_paused_execution_that_is_run_again_says_so(
    running: subprocess.Popen[str], folder: Path
) -> None:
    call(folder, "pause", "e")
    read_until(running, "paused")
    running.terminate()
    running.wait()
    with begin(folder) as again:
        read_until(again, "paused; to go on: ")
        assert call(folder, "terminate", "e", "--reason", "fire").returncode == 0
        read_until(again, "failed: ExecutionTerminated: fire")
        assert again.wait() == 1
    ended = call(folder, "resume", "e")
    assert ended.returncode == 2
    assert "has ended (TERMINATED)" in ended.stderr


def test_a_blocked_execution_is_redriven_once_the_code_is_mended(folder: Path) -> None:
    (folder / "flow.py").write_text(WRONG)
    blocked = subprocess.run(RUN, cwd=folder, env=_environment(), capture_output=True, check=False)
    assert b"BLOCKED" in blocked.stderr
    (folder / "flow.py").write_text(FLOW.replace("3600", "3600 if n > 1 else 0"))
    other = [*COMMAND, "run", "flow:app", "flow", "--input", "2", "--id", "other"]
    with subprocess.Popen(
        other, cwd=folder, env=_environment(), text=True, stdout=-1, stderr=-1
    ) as engine:
        read_until(engine, "timer")
        redriven = call(folder, "redrive", "e")
        assert (redriven.returncode, redriven.stderr.strip()) == (
            0,
            "e: redrive is sent; its engine or worker obeys it",
        )
        while "status\tCOMPLETED" not in call(folder, "describe", "e").stdout:
            assert engine.poll() is None
        engine.kill()
    assert call(folder, "redrive", "nobody").returncode == 2
    ended = call(folder, "redrive", "e")
    assert ended.returncode == 2
    assert "has ended (COMPLETED): there is nothing to redrive, and nothing is done" in ended.stderr
