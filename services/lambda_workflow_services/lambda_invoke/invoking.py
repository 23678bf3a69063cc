"""One request to Lambda, sent once.

Laws
 1. A function is invoked by one request: botocore's own retries are off, and it waits as long as a
    function may run, where it would else give up after 60 seconds and invoke it again.
 2. A wait of minutes has a thread of its own: it takes no place in a pool that others wait for, and
    a process that ends does not wait for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import botocore.session
from botocore.config import Config

CONNECT_SECONDS_MAX: Final = 5
READ_SECONDS_MAX: Final = 960  # no function runs longer than 900, and whoever waits gives up before
CONNECTIONS_KEPT_MAX: Final = 64  # a batch is 10 wide, a worker's may be more

T = TypeVar("T")

_session = cache(botocore.session.get_session)  # it reads Lambda's model, which is large, once
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Reply:
    """Lambda's answer to Invoke.

    Attributes:
        function_error: empty, or that the function failed: "Unhandled", or "Handled".
        log: the base64 text of the log's tail.
    """

    status: int
    body: bytes
    request_id: str
    function_error: str = ""
    executed_version: str = ""
    log: str = ""


async def invoke(region: str, wait_seconds: float, request: Mapping[str, Any]) -> Reply:
    """Send the request once.

    Raises:
        TimeoutError: Lambda has not answered in time; the request is left where it is.
        ClientError: Lambda refused.
        BotoCoreError: Lambda could not be reached, or did not answer.
    """
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = await _in_thread(lambda: _client(region))
    client = _clients[loop]

    def send() -> Reply:
        answer = client.invoke(**request)
        return Reply(
            answer["StatusCode"],
            answer["Payload"].read(),
            answer["ResponseMetadata"].get("RequestId", ""),
            answer.get("FunctionError", ""),
            answer.get("ExecutedVersion", ""),
            answer.get("LogResult", ""),
        )

    async with asyncio.timeout(wait_seconds):
        return await _in_thread(send)


def _client(region: str) -> Any:
    return _session().create_client(
        "lambda",
        region_name=region,
        config=Config(
            connect_timeout=CONNECT_SECONDS_MAX,
            read_timeout=READ_SECONDS_MAX,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=CONNECTIONS_KEPT_MAX,
            tcp_keepalive=True,
        ),
    )


async def _in_thread(work: Callable[[], T]) -> T:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def report(tell: Callable[[Any], None], what: object) -> None:
        def unless_given_up() -> None:
            if not ended.done():
                tell(what)

        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            loop.call_soon_threadsafe(unless_given_up)

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  # it is raised where the thread is awaited
            report(ended.set_exception, error)
        else:
            report(ended.set_result, result)

    threading.Thread(target=run, name="lambda_invoke", daemon=True).start()
    return await ended
