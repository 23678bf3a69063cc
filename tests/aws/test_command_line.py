"""The command line against AWS: a history is exported from the table, and replays."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lambda_workflow import App, Context, workflow
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.testing import assert_replays
from tests.aws.deployed import SOON, deploy, environment, working
from tests.aws.server.process import Server
from tests.cli.command import ROOT, call


@workflow
async def large(ctx: Context, size: int) -> str:
    return await ctx.step(lambda: "x" * size, name="fill")


APP = App("tests", workflows=[large])


async def test_an_execution_with_a_payload_stored_apart_is_exported_whole(
    server: Server, tmp_path: Path
) -> None:
    config = await deploy([])
    async with working(APP, config) as client:
        handle = await client.start(large, 300_000, execution_id="e")
        assert len(await handle.result(SOON)) == 300_000
    exported = await command(server, config, "history", "export", "e", "--aws")
    (tmp_path / "e.json").write_text(exported)
    assert "x" * 300_000 in exported
    assert len(assert_replays(APP, tmp_path)) == 1


async def test_an_execution_is_started_from_the_command_line(server: Server) -> None:
    config = await deploy([])
    words = ["tests.aws.test_command_line:APP", "large", "--input", "3", "--aws"]
    assert await command(server, config, "start", *words, "--id", "e", "--tag", "of=me") == "e\n"
    async with working(APP, config) as client:
        assert await client.result("e", timeout=SOON) == "xxx"
        assert (await client.describe("e")).tags == {"of": "me"}


async def command(server: Server, config: AwsConfig, *words: str) -> str:
    """What a command that succeeds writes."""
    given = {**server.environment, **environment(config)}
    done = await asyncio.to_thread(call, ROOT, *words, variables=given)
    assert done.returncode == 0, done.stderr
    return done.stdout
