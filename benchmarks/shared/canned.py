"""An HTTP server on loopback that answers PutItem and SendMessageBatch, in a thread."""

from __future__ import annotations

import asyncio
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_BATCH: Final = {"Successful": [{"Id": "0", "MessageId": "5f3c", "MD5OfMessageBody": "0" * 32}]}
_ANSWERS: Final = {b"AmazonSQS": json.dumps(_BATCH).encode(), b"DynamoDB": b"{}"}


def _answer(head: bytes) -> bytes:
    body = next(text for service, text in _ANSWERS.items() if service in head)
    lines = [
        "HTTP/1.1 200 OK",
        "Server: Server",
        "Content-Type: application/x-amz-json-1.0",
        f"Content-Length: {len(body)}",
        "Connection: keep-alive",
        "x-amzn-RequestId: 8V1N9LPAUU6Q1KTLCGTO2GN5NVVV4KQNSO5AEMVJF66Q9ASUAAJG",
        f"x-amz-crc32: {zlib.crc32(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            writer.write(_answer(head))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@contextmanager
def canned_server() -> Iterator[str]:
    """The URL of a server that runs until the end of the block."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(_serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
