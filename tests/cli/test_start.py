"""`lambda-workflow start`, before an engine comes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from lambda_workflow import ExecutionTimedOut
from lambda_workflow.local import Engine, SkippingClock
from tests.cli.command import Done, call

FLOW = """
from datetime import timedelta
from lambda_workflow import App, Context, workflow

@workflow
async def naps(ctx: Context, hours: int) -> str:
    await ctx.sleep(timedelta(hours=hours))
    return f"{hours} h"

app = App("test", workflows=[naps])
"""
SOON = timedelta(days=30)  # of a clock that jumps


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def start(folder: Path, *words: str, hours: object = 3) -> Done:
    return call(folder, "start", "flow:app", "naps", "--input", str(hours), "--db", "db", *words)


async def test_what_is_started_runs_when_an_engine_comes(folder: Path) -> None:
    told = ["--tag", "of=me", "--tag", "as=a=b", "--memo", '{"why": "rest"}', "--delay", "3600"]
    begun = await asyncio.to_thread(start, folder, "--id", "e", *told)
    assert (begun.returncode, begun.stdout) == (0, "e\n"), begun.stderr
    assert begun.stderr == "e: its start is sent; an engine or worker of its App runs it\n"
    limited = await asyncio.to_thread(start, folder, "--execution-timeout", "60.5")
    assert limited.stdout.startswith("naps-")
    flow = ModuleType("flow")
    exec(FLOW, flow.__dict__)
    async with Engine(flow.app, folder / "db", clock=SkippingClock()) as engine:
        client = engine.client
        assert await client.result("e", timeout=SOON) == "3 h"
        header = await client.describe("e")
        assert (header.tags, header.memo) == ({"of": "me", "as": "a=b"}, {"why": "rest"})
        assert header.closed_at is not None
        assert header.closed_at - header.started_at > 3.9 * 3_600_000
        with pytest.raises(ExecutionTimedOut):
            await client.result(limited.stdout.strip(), timeout=SOON)
    same = await asyncio.to_thread(start, folder, "--id", "e")
    assert same.returncode == 0, "the same once more changes nothing"
    other = await asyncio.to_thread(start, folder, "--id", "e", hours=4)
    assert other.returncode == 2
    assert "execution id e belongs to another" in other.stderr
    words = ("--id", "e", "--on-conflict", "use_existing")
    assert (await asyncio.to_thread(start, folder, *words, hours=4)).returncode == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--delay", "soon"], "argument --delay: 'soon': give seconds, such as 90 or 0.5"),
        (["--delay", "1e300"], "argument --delay: '1e300': give seconds"),
        (["--delay", "-5"], "delay"),
        (["--tag", "of"], "argument --tag: 'of': write NAME=TEXT"),
        (["--memo", "{"], "--memo {: not JSON"),
        (["--input", '"long"'], "--input"),
        (["--id", "blob:1"], "execution id 'blob:1' begins with 'blob:'"),
    ],
)
def test_wrong_use_is_exit_code_2_and_says_what_to_do(
    folder: Path, words: list[str], told: str
) -> None:
    refused = start(folder, *words)
    assert refused.returncode == 2
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""
