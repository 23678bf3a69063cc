"""One way to reach DynamoDB and SQS, in a process of its own: `python clients.py NAME [CALLS]`.

Without CALLS the two clients are made and nothing more. With it, so many calls go to the endpoint
of the environment, half of them puts and half batches of one message, and the CPU milliseconds of
one are printed as JSON: one after another, and ten at a time. Imports of the package stand within
functions, since each alternative runs where the others are not installed.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

Call = Callable[..., Awaitable[Any]]
Maker = Callable[[AsyncExitStack], Awaitable[tuple[Call, Call]]]

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/in.fifo"
TEXT = json.dumps({"v": 1, "n": 7, "e": [["ok", "6", {"amount": "12.50"}]], "c": ["call"] * 20})
ITEM = {"id": {"S": "order-4711"}, "n": {"N": "7"}, "d": {"S": TEXT}, "x": {"N": "1836345600"}}
PUT = {"TableName": "state", "Item": ITEM, "ConditionExpression": "attribute_not_exists(id)"}
SEND = {
    "QueueUrl": URL,
    "Entries": [
        {
            "Id": "0",
            "MessageBody": TEXT,
            "MessageGroupId": "order-4711",
            "MessageDeduplicationId": "order-4711-7-1",
        }
    ],
}


async def ours(stack: AsyncExitStack) -> tuple[Call, Call]:
    """The package's client: asyncio streams, with botocore's credentials and signature."""
    from lambda_workflow.aws.client import Aws

    aws = Aws()
    stack.push_async_callback(aws.close)

    async def put(**params: Any) -> Any:
        return await aws.call("dynamodb", "PutItem", **params)

    async def send(**params: Any) -> Any:
        return await aws.call("sqs", "SendMessageBatch", **params)

    return put, send


async def with_aioboto3(stack: AsyncExitStack) -> tuple[Call, Call]:
    """aioboto3."""
    import aioboto3

    session = aioboto3.Session()
    dynamodb = await stack.enter_async_context(session.client("dynamodb"))
    sqs = await stack.enter_async_context(session.client("sqs"))
    return dynamodb.put_item, sqs.send_message_batch


async def with_aiobotocore(stack: AsyncExitStack) -> tuple[Call, Call]:
    """aiobotocore without boto3."""
    from aiobotocore.session import get_session

    session = get_session()
    dynamodb = await stack.enter_async_context(session.create_client("dynamodb"))
    sqs = await stack.enter_async_context(session.create_client("sqs"))
    return dynamodb.put_item, sqs.send_message_batch


async def with_boto3(stack: AsyncExitStack) -> tuple[Call, Call]:
    """boto3, each call in a thread."""
    import boto3

    return _threaded(boto3.client("dynamodb").put_item, boto3.client("sqs").send_message_batch)


async def with_botocore(stack: AsyncExitStack) -> tuple[Call, Call]:
    """botocore, each call in a thread."""
    import botocore.session

    session: Any = botocore.session.get_session()
    dynamodb, sqs = session.create_client("dynamodb"), session.create_client("sqs")
    return _threaded(dynamodb.put_item, sqs.send_message_batch)


def _threaded(put: Any, send: Any) -> tuple[Call, Call]:
    async def do_put(**params: Any) -> Any:
        return await asyncio.to_thread(put, **params)

    async def do_send(**params: Any) -> Any:
        return await asyncio.to_thread(send, **params)

    return do_put, do_send


MAKERS: dict[str, tuple[Maker, str]] = {
    "ours": (ours, "botocore"),
    "aioboto3": (with_aioboto3, "aioboto3"),
    "aiobotocore": (with_aiobotocore, "aiobotocore"),
    "boto3_in_threads": (with_boto3, "boto3"),
    "botocore_in_threads": (with_botocore, "botocore"),
}


async def many(put: Call, send: Call, calls: int, at_once: int) -> float:
    """CPU milliseconds of a call."""
    numbers = iter(range(calls // 2))

    async def some() -> None:
        for _ in numbers:
            await put(**PUT)
            await send(**SEND)

    before = time.process_time()
    await asyncio.gather(*[some() for _ in range(at_once)])
    return (time.process_time() - before) * 1000 / calls


async def main(name: str, calls: int) -> None:
    """Make the clients, and call."""
    make, distribution = MAKERS[name]
    async with AsyncExitStack() as stack:
        put, send = await make(stack)
        if not calls:
            return
        await many(put, send, 40, 10)  # connections, caches
        figures = {
            "cpu_ms_per_call": round(await many(put, send, calls, 1), 3),
            "cpu_ms_per_call_ten_at_once": round(await many(put, send, calls, 10), 3),
        }
    print(json.dumps({**figures, "version": importlib.metadata.version(distribution)}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
