"""A turn whose record is larger than a DynamoDB item may be."""

from __future__ import annotations

import asyncio

import pytest

from lambda_workflow import App, Context, Service, serve, workflow
from tests.aws.deployed import deploy, working
from tests.aws.server.process import Server
from tests.patience import patient

TEXT_CHARACTERS = 20_000
ECHO: Service[str, str] = Service("echo", str, str)


@workflow
async def fan(ctx: Context, width: int) -> int:
    texts = [f"{n}" * (TEXT_CHARACTERS // len(str(n))) for n in range(width)]
    answers = await asyncio.gather(*(ctx.call(ECHO, text) for text in texts))
    return sum(a == b for a, b in zip(answers, texts, strict=True))


@serve(ECHO)
async def echo(text: str) -> str:
    return text


APP = App("large", workflows=[fan], adapters=[echo])


@pytest.mark.parametrize("bucket", ["", "payloads"])
async def test_a_fan_out_over_the_item_limit_is_recorded_and_ends(
    server: Server, bucket: str
) -> None:
    config = await deploy(APP.adapters, bucket=bucket)
    async with working(APP, config) as client:
        handle = await client.start(fan, 40, execution_id="fan")  # some 800 KB in the first turn
        assert await handle.result(patient(60)) == 40
        first = (await client.history("fan")).turns[0]
    assert len(first.commands) == 40
    assert not [r for r in server.requests("dynamodb") if r.failed]
    puts = server.requests("dynamodb", "PutItem")
    assert max(put.bytes for put in puts) < 400 * 1024
