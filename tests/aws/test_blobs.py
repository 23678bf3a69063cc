"""Payloads too large for a message: through the bucket, or through the table without one."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from lambda_workflow import App, Context, Service, serve, workflow
from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.handlers import workflow_handler
from lambda_workflow.errors import ConfigurationError
from tests.aws.deployed import SOON, deploy, event_of, lease, take, working
from tests.aws.server.process import Server

LARGE = 500_000
CHUNK_BYTES_MAX = 400 * 1024
MESSAGE_BYTES_MAX = 4 * 1024

ECHO: Service[str, str] = Service("echo", str, str)


@workflow
async def large(ctx: Context, text: str) -> str:
    return await ctx.call(ECHO, text)


@workflow
async def many(ctx: Context, count: int) -> int:
    """Each payload is just small enough to travel by itself; all together fit into no item."""
    texts = [str(n).rjust(30_000) for n in range(count)]
    return sum(map(len, await asyncio.gather(*(ctx.call(ECHO, text) for text in texts))))


@serve(ECHO)
async def echo(text: str) -> str:
    return text[::-1]


app = App("blobs", workflows=[large, many], adapters=[echo])


def text_of(length: int) -> str:
    """Text that does not repeat itself, with letters of more than one byte."""
    blocks = (hashlib.sha256(str(n).encode()).hexdigest() for n in range(length // 64 + 1))
    return ("é" + "".join(blocks))[:length]


@pytest.mark.parametrize("bucket", ["payloads", ""], ids=["bucket", "table"])
async def test_half_a_megabyte_goes_through_a_workflow_and_a_service(
    server: Server, bucket: str
) -> None:
    config = await deploy(app.adapters, bucket=bucket)
    request = text_of(LARGE)
    async with working(app, config) as client:
        handle = await client.start(large, request, execution_id="e")
        assert await handle.result(SOON) == request[::-1]
        history = await client.history("e")
        assert history.started is not None
        assert history.started.request == request
    sends = server.requests("sqs", "SendMessageBatch")
    assert max(send.bytes for send in sends) < MESSAGE_BYTES_MAX
    puts = server.requests("dynamodb", "PutItem")
    stored = server.requests("s3", "PUT")
    if bucket:
        assert max(put.bytes for put in puts) < MESSAGE_BYTES_MAX
        assert any(put.bytes > LARGE for put in stored)
    else:
        assert LARGE // 2 < max(put.bytes for put in puts) <= CHUNK_BYTES_MAX
        assert stored == []
    (response,) = await take(config.response_queue_url, wait=5)
    assert len(response["Body"]) < MESSAGE_BYTES_MAX


async def test_many_payloads_in_one_turn_do_not_burst_its_record(server: Server) -> None:
    config = await deploy(app.adapters)
    async with working(app, config) as client:
        handle = await client.start(many, 40, execution_id="e")
        assert await handle.result(SOON) == 40 * 30_000


async def test_no_execution_can_have_the_id_of_another_item(server: Server) -> None:
    config = await deploy(app.adapters)
    aws = Aws()
    try:
        async with working(app, config) as client:
            await (await client.start(large, text_of(40_000), execution_id="e")).result(SOON)
            scan = await aws.call("dynamodb", "Scan", TableName=config.table)
            others = {item["id"]["S"] for item in scan["Items"]} - {"e"}
            assert others
            for taken in others:
                with pytest.raises(ConfigurationError, match="as other items of the table do"):
                    await client.start(large, "x", execution_id=taken)
    finally:
        await aws.close()
    assert not [put for put in server.requests("dynamodb", "PutItem") if put.failed]


async def test_a_turn_too_large_for_an_item_is_stored_once(server: Server) -> None:
    config = await deploy(app.adapters)
    client = client_for(app, config)
    await client.start(many, 40, execution_id="e")
    for _ in range(2):  # the second time in another container, as if nothing was acknowledged
        handle = workflow_handler(app, config)
        async with lease(config.queue_url) as (messages, _delete):
            answer = await handle(event_of("in.fifo", messages))
            assert answer == {"batchItemFailures": []}
        server.advance(31)
    (turn,) = (await client.history("e")).turns
    assert len(turn.commands) == 40
    sends = server.requests("sqs", "SendMessageBatch", "service-echo")
    assert sum(send.entries for send in sends) == 2 * 40


async def test_the_bucket_keeps_payloads_under_one_prefix(server: Server) -> None:
    config = await deploy(app.adapters, bucket="payloads")
    async with working(app, config) as client:
        handle = await client.start(large, text_of(100_000), execution_id="e")
        await handle.result(SOON)
    aws = Aws()
    listed = await aws.call("s3", "ListObjectsV2", Bucket="payloads")
    await aws.close()
    keys = [entry["Key"] for entry in listed["Contents"]]
    assert len(keys) == 2  # the request and the result
    assert all(key.startswith("payloads/") for key in keys)
