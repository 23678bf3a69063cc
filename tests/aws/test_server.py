"""The moto server's own rules, without which the other tests here would prove little.

What it still cannot show stands in tests/aws/server/__init__.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.dynamodb import table_definition
from tests.aws.deployed import ARN, ROLE, create_queue
from tests.aws.server.process import Server


@pytest.fixture
async def aws(server: Server) -> AsyncIterator[Aws]:
    opened = Aws()
    yield opened
    await opened.close()


async def send(aws: Aws, url: str, body: str, *, group: str = "g", dedup: str = "") -> None:
    fields = {"MessageGroupId": group, "MessageDeduplicationId": dedup or body}
    await aws.call("sqs", "SendMessage", QueueUrl=url, MessageBody=body, **fields)


async def receive(aws: Aws, url: str, wait: int = 0, maximum: int = 10) -> list[dict[str, Any]]:
    answer = await aws.call(
        "sqs",
        "ReceiveMessage",
        QueueUrl=url,
        WaitTimeSeconds=wait,
        MaxNumberOfMessages=maximum,
        AttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


async def delete(aws: Aws, url: str, message: dict[str, Any]) -> None:
    handle = message["ReceiptHandle"]
    await aws.call("sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=handle)


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Body"] for message in messages]


async def test_a_deduplication_id_is_remembered_five_minutes(server: Server, aws: Aws) -> None:
    url = await create_queue(aws, "q.fifo")
    await send(aws, url, "one", dedup="same")
    (first,) = await receive(aws, url)
    await delete(aws, url, first)
    server.advance(299)
    await send(aws, url, "two", dedup="same")
    assert await receive(aws, url) == []
    server.advance(2)
    await send(aws, url, "three", dedup="same")
    assert bodies(await receive(aws, url)) == ["three"]


async def test_the_scope_of_deduplication_may_be_the_group(aws: Aws) -> None:
    url = await create_queue(aws, "q.fifo", DeduplicationScope="messageGroup")
    for group in ("a", "b", "a"):
        await send(aws, url, group, group=group, dedup="same")
    assert sorted(bodies(await receive(aws, url))) == ["a", "b"]


async def test_a_fifo_receipt_expires_with_the_visibility(server: Server, aws: Aws) -> None:
    url = await create_queue(aws, "q.fifo", VisibilityTimeout="30")
    await send(aws, url, "one")
    (stale,) = await receive(aws, url)
    assert await receive(aws, url) == []
    server.advance(31)
    with pytest.raises(AwsError, match="expired"):
        await delete(aws, url, stale)
    (current,) = await receive(aws, url)
    answer = await aws.call(
        "sqs",
        "DeleteMessageBatch",
        QueueUrl=url,
        Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in
                 enumerate((stale, current))],
    )  # fmt: skip
    assert [entry["Id"] for entry in answer["Failed"]] == ["0"]
    assert [entry["Id"] for entry in answer["Successful"]] == ["1"]


async def test_a_group_comes_again_in_its_order(server: Server, aws: Aws) -> None:
    url = await create_queue(aws, "q.fifo", VisibilityTimeout="30")
    for n in range(4):
        await send(aws, url, str(n))
    assert bodies(await receive(aws, url, maximum=2)) == ["0", "1"]
    server.advance(31)
    assert bodies(await receive(aws, url)) == ["0", "1", "2", "3"]


async def test_a_stale_receipt_deletes_nothing(server: Server, aws: Aws) -> None:
    url = await create_queue(aws, "q", VisibilityTimeout="30")
    await aws.call("sqs", "SendMessage", QueueUrl=url, MessageBody="one")
    (stale,) = await receive(aws, url)
    server.advance(31)
    (current,) = await receive(aws, url)
    await delete(aws, url, stale)
    server.advance(31)
    assert bodies(await receive(aws, url)) == [current["Body"]]


@pytest.mark.parametrize("bad", ["x" * 129, "a b", "ü"])
async def test_ids_that_sqs_refuses_are_refused(aws: Aws, bad: str) -> None:
    url = await create_queue(aws, "q.fifo")
    with pytest.raises(AwsError, match="MessageGroupId"):
        await send(aws, url, "one", group=bad)
    with pytest.raises(AwsError, match="MessageDeduplicationId"):
        await send(aws, url, "one", dedup=bad)


async def test_rivals_receive_each_message_once_and_one_wins_a_put(aws: Aws) -> None:
    url = await create_queue(aws, "q.fifo")
    for n in range(20):
        await send(aws, url, str(n), group=str(n % 4))
    batches = await asyncio.gather(*(receive(aws, url, maximum=3) for _ in range(12)))
    seen = [body for batch in batches for body in bodies(batch)]
    assert len(seen) == len(set(seen))
    holders = [{message["Attributes"]["MessageGroupId"] for message in batch} for batch in batches]
    assert sum(map(len, holders)) == len(set().union(*holders))
    await aws.call("dynamodb", "CreateTable", **table_definition("t"))
    puts = [
        aws.call(
            "dynamodb",
            "PutItem",
            TableName="t",
            Item={"id": {"S": "e"}, "n": {"N": "1"}, "d": {"S": str(n)}},
            ConditionExpression="attribute_not_exists(id)",
        )
        for n in range(12)
    ]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_a_long_poll_gets_what_is_sent_and_ends_with_its_client(
    server: Server, aws: Aws
) -> None:
    url = await create_queue(aws, "q.fifo")
    polling = asyncio.create_task(receive(aws, url, wait=20))
    await asyncio.sleep(0.05)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    polling = asyncio.create_task(receive(aws, url, wait=20))
    began = time.monotonic()
    await send(aws, url, "one")
    assert bodies(await polling) == ["one"]
    assert time.monotonic() - began < 15, "it waited to its end"


async def test_delays_pass_when_the_clock_is_moved(server: Server, aws: Aws) -> None:
    url = await create_queue(aws, "q")
    await aws.call("sqs", "SendMessage", QueueUrl=url, MessageBody="late", DelaySeconds=900)
    server.advance(898)
    assert await receive(aws, url) == []
    server.advance(3)
    assert bodies(await receive(aws, url)) == ["late"]


async def test_schedules_fire_when_their_time_comes_and_are_gone(server: Server, aws: Aws) -> None:
    url = await create_queue(aws, "q.fifo")
    at = datetime.now(UTC) + timedelta(hours=1)
    await aws.call(
        "scheduler",
        "CreateSchedule",
        Name="s",
        ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": f"{ARN}q.fifo",
            "RoleArn": ROLE,
            "Input": "ping",
            "SqsParameters": {"MessageGroupId": "g"},
        },
    )
    server.advance(3590)
    assert await receive(aws, url) == []
    server.advance(15)
    assert bodies(await receive(aws, url)) == ["ping"]
    assert (await aws.call("scheduler", "ListSchedules"))["Schedules"] == []


async def test_the_log_has_units_of_table_and_index(server: Server, aws: Aws) -> None:
    await aws.call("dynamodb", "CreateTable", **table_definition("t"))
    plain = {"id": {"S": "e"}, "n": {"N": "1"}, "d": {"S": "x" * 1500}}
    listed = {**plain, "n": {"N": "2"}, "lk": {"S": "k"}, "ls": {"S": "s"}}
    for item in (plain, listed):
        await aws.call("dynamodb", "PutItem", TableName="t", Item=item)
    values = {":id": {"S": "e"}}
    await aws.call(
        "dynamodb", "Query", TableName="t", KeyConditionExpression="id = :id",
        ExpressionAttributeValues=values, ConsistentRead=True,
    )  # fmt: skip
    first, second = server.requests("dynamodb", "PutItem", "t")
    assert (first.bytes, first.write_units, first.index_units) == (1507, 2, 0)
    assert (second.write_units, second.index_units) == (2, 1)
    (query,) = server.requests("dynamodb", "Query")
    assert (query.entries, query.read_units) == (2, 1)


async def test_faults_hit_the_calls_that_they_are_ordered_for(server: Server, aws: Aws) -> None:
    url = await create_queue(aws, "q.fifo")
    server.fault("sqs", "SendMessage", "throttle")
    server.fault("sqs", "SendMessage", "error")
    server.fault("sqs", "SendMessage", "drop", after=True)
    await send(aws, url, "one")  # the fourth try is told that it is a repetition
    assert bodies(await receive(aws, url)) == ["one"]
    failed = [request.failed for request in server.requests("sqs", "SendMessage")]
    assert failed == ["RequestThrottled", "InternalFailure", "dropped", ""]
    server.fault("sqs", "SendMessageBatch", "entries", positions=[1])
    entries = [
        {"Id": n, "MessageBody": n, "MessageGroupId": n, "MessageDeduplicationId": n} for n in "ab"
    ]
    answer = await aws.call("sqs", "SendMessageBatch", QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Failed"]] == ["b"]
    assert bodies(await receive(aws, url)) == ["a"]


async def test_too_much_at_once_is_refused(aws: Aws) -> None:
    await aws.call("dynamodb", "CreateTable", **table_definition("t"))
    items = [{"id": {"S": "e"}, "n": {"N": str(n)}} for n in range(26)]
    writes = {"t": [{"PutRequest": {"Item": item}} for item in items]}
    with pytest.raises(AwsError, match="Too many items"):
        await aws.call("dynamodb", "BatchWriteItem", RequestItems=writes)
    large = {"id": {"S": "e"}, "n": {"N": "1"}, "d": {"S": "x" * 409_600}}
    with pytest.raises(AwsError, match="maximum allowed size"):
        await aws.call("dynamodb", "PutItem", TableName="t", Item=large)
