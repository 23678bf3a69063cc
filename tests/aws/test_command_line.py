"""The command line against AWS: a history is exported from the table, and replays."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from lambda_workflow import App, Context, workflow
from lambda_workflow.testing import assert_replays
from tests.aws.deployed import SOON, deploy, environment, working
from tests.aws.server.process import Server

ROOT = Path(__file__).parents[2]


@workflow
async def large(ctx: Context, size: int) -> str:
    return await ctx.step(lambda: "x" * size, name="fill")


async def test_an_execution_with_a_payload_stored_apart_is_exported_whole(
    server: Server, tmp_path: Path
) -> None:
    app = App("tests", workflows=[large])
    config = await deploy([])
    async with working(app, config) as client:
        handle = await client.start(large, 300_000, execution_id="e")
        assert len(await handle.result(SOON)) == 300_000
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "lambda_workflow.cli", "history", "export", "e", "--aws"],
        env={**os.environ, **server.environment, **environment(config), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "e.json").write_text(done.stdout)
    assert "x" * 300_000 in done.stdout
    assert len(assert_replays(app, tmp_path)) == 1
