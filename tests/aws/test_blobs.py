"""Payloads too large for a message: through the bucket, or through the table without one."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from lambda_workflow import App, Context, Service, serve, workflow
from lambda_workflow.aws.backend import aws_backend, blobs_for, client_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.dynamodb import HORIZON_DAYS
from lambda_workflow.aws.handlers import workflow_handler
from lambda_workflow.errors import BackendError, ConfigurationError
from lambda_workflow.model.commands import ScheduleCall
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.references import key_of
from lambda_workflow.ports import Blobs
from lambda_workflow.runtime.living import load_history
from tests.aws.deployed import SOON, ShiftedClock, deploy, event_of, lease, put, take, working
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


@dataclass(frozen=True)
class Stored:
    """Large payloads in a store, and how a test gets at what is there."""

    blobs: Blobs
    aws: Aws
    clock: ShiftedClock
    bucket: str

    @property
    def where(self) -> str:
        return "bucket payloads" if self.bucket else "table state"

    async def replace(self, key: str, content: bytes) -> None:
        """As something else with the right to write there."""
        if self.bucket:
            await self.aws.call("s3", "PutObject", Bucket=self.bucket, Key=f"payloads/{key}",
                                Body=content)  # fmt: skip
            return
        await self.aws.call(
            "dynamodb", "UpdateItem", TableName="state",
            Key={"id": {"S": f"blob:{key}"}, "n": {"N": "0"}},
            UpdateExpression="SET d = :d, s = :s",
            ExpressionAttributeValues={":d": {"B": content}, ":s": {"S": "another"}},
        )  # fmt: skip

    async def expiry(self, key: str) -> float:
        """When it was put, or when it ends: later if it is put again."""
        if self.bucket:
            head = await self.aws.call("s3", "HeadObject", Bucket=self.bucket,
                                       Key=f"payloads/{key}")  # fmt: skip
            return float(head["LastModified"].timestamp())
        item = await self.aws.call("dynamodb", "GetItem", TableName="state",
                                   Key={"id": {"S": f"blob:{key}"}, "n": {"N": "0"}})  # fmt: skip
        return float(item["Item"]["x"]["N"])


@pytest.fixture(params=["payloads", ""], ids=["bucket", "table"])
async def stored(
    server: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stored]:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")  # botocore waits a second before the second
    aws, clock = Aws(), ShiftedClock()
    config = await deploy([], bucket=request.param, client=aws)
    yield Stored(blobs_for(aws, config, clock), aws, clock, request.param)
    await aws.close()


KEY = key_of("client", "e", b"content")


async def test_content_is_not_replaced_by_other_content(stored: Stored) -> None:
    await stored.blobs.put(KEY, b"content")
    await stored.blobs.put(KEY, b"content")
    with pytest.raises(BackendError, match=f"{stored.where} has other content under this key"):
        await stored.blobs.put(KEY, b"another")
    assert await stored.blobs.get(KEY) == b"content"
    await stored.replace(KEY, b"another")
    with pytest.raises(BackendError, match="has other content under this key"):
        await stored.blobs.put(KEY, b"content")


async def test_content_that_is_put_again_lives_anew(server: Server, stored: Stored) -> None:
    await stored.blobs.put(KEY, b"content")
    before = await stored.expiry(KEY)
    stored.clock.shift = (HORIZON_DAYS // 2 + 1) * 86_400_000
    server.advance(2)  # S3 knows seconds
    await stored.blobs.put(KEY, b"content")
    assert await stored.expiry(KEY) > before


FAULTS = [("deny", 1), ("error", 9), ("drop", 9)]


@pytest.mark.parametrize(("kind", "count"), FAULTS)
async def test_a_put_that_fails_is_an_error_and_stores_nothing(
    server: Server, stored: Stored, kind: str, count: int
) -> None:
    service, operation = ("s3", "PUT") if stored.bucket else ("dynamodb", "PutItem")
    server.fault(service, operation, kind, count=count)
    with pytest.raises(BackendError) as failed:
        await stored.blobs.put(KEY, b"content")
    if kind == "deny" and stored.bucket:
        assert f"s3:PutObject of payloads/{KEY} in bucket payloads" in str(failed.value)
        assert "kms:GenerateDataKey" in str(failed.value)
        assert "s3:ListBucket" not in str(failed.value)
    server.end_faults()
    with pytest.raises(BackendError, match="is not in"):
        await stored.blobs.get(KEY)


@pytest.mark.parametrize(("kind", "count"), FAULTS)
async def test_a_get_that_fails_does_not_say_that_nothing_is_there(
    server: Server, stored: Stored, kind: str, count: int
) -> None:
    await stored.blobs.put(KEY, b"content")
    service, operation = ("s3", "GET") if stored.bucket else ("dynamodb", "GetItem")
    server.fault(service, operation, kind, count=count)
    with pytest.raises(BackendError) as failed:
        await stored.blobs.get(KEY)
    assert "is not in" not in str(failed.value)
    if stored.bucket:
        is_denied = "Either a right is missing (s3:GetObject on arn:aws:s3:::payloads/payloads/*"
        assert (is_denied in str(failed.value)) == (kind == "deny")
        assert ("or the object is: without s3:ListBucket" in str(failed.value)) == (kind == "deny")
    server.end_faults()
    assert await stored.blobs.get(KEY) == b"content"


async def test_a_bucket_that_is_gone_is_not_a_payload_that_is(server: Server) -> None:
    await deploy([])
    aws = Aws()
    with pytest.raises(BackendError, match="NoSuchBucket"):
        await blobs_for(aws, AwsConfig("state", "", bucket="nowhere")).get(KEY)
    await aws.close()


async def test_an_answer_with_another_executions_payload_is_a_dead_letter(server: Server) -> None:
    """An adapter may send to the queue; so it may not choose what the workflow reads."""
    config = await deploy(app.adapters)
    aws = Aws()
    client = client_for(app, config)
    secret = text_of(40_000)
    await client.start(large, secret, execution_id="victim")
    await client.start(large, "small", execution_id="e")
    handle = workflow_handler(app, config)

    async def deliver() -> dict[str, Any]:
        async with lease(config.queue_url) as (messages, delete):
            answer = await handle(event_of("in.fifo", messages))
            await delete(messages)
            return answer

    assert await deliver() == {"batchItemFailures": []}
    (turn,) = (await load_history(aws_backend(app, config, aws), "victim")).turns
    (call,) = (command for command in turn.commands if isinstance(command, ScheduleCall))
    stolen = call.payload
    assert isinstance(stolen, BlobRef)
    ref = {"key": stolen.key, "digest": stolen.digest, "bytes": stolen.bytes}
    forged = {"type": "Update", "execution_id": "e", "task_id": "e/1", "payload_ref": ref}
    await put(config.queue_url, json.dumps(forged), "e")
    await put(config.queue_url, json.dumps({**forged, "payload_ref": None, "payload": "ok"}), "e")
    assert await deliver() == {"batchItemFailures": []}
    (letter,) = await take(config.dlq_url)
    assert json.loads(letter["Body"]) == forged
    reason = letter["MessageAttributes"]["reason"]["StringValue"]
    assert "does not belong to that execution" in reason
    assert await client.result("e", timeout=SOON) == "ok"
    await aws.close()


async def test_the_bucket_keeps_payloads_under_one_prefix(server: Server) -> None:
    config = await deploy(app.adapters, bucket="payloads")
    async with working(app, config) as client:
        handle = await client.start(large, text_of(100_000), execution_id="e")
        await handle.result(SOON)
    aws = Aws()
    listed = await aws.call("s3", "ListObjectsV2", Bucket="payloads")
    await aws.close()
    keys = [entry["Key"] for entry in listed["Contents"]]
    assert len(keys) == 4  # request and result, and both as what the workflow handed on
    places = {key.removeprefix("payloads/").rsplit("/", 2)[0] for key in keys}
    assert places == {"client", "workflow", "service/echo"}
    assert all(key.startswith("payloads/") for key in keys)
