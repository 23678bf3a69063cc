"""A worker: polls queues and feeds the handlers as Lambda's event source mapping does.

    python -m lambda_workflow.aws.worker examples.bank_transaction.app:app

Runs an App's workflows, and the services it has adapters for, in one process: in a container, on a
laptop against AWS or an emulator, in tests. Configured by the same variables as the functions.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.config import AwsConfig, read_config
from lambda_workflow.aws.handlers import AsyncHandler, task_handler, workflow_handler
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.failures import words_of
from lambda_workflow.ports import Clock
from lambda_workflow.runtime.app import App

BATCH_MAX: Final = 10  # of a FIFO queue's event source mapping
WAIT_SECONDS: Final = 20  # SQS's longest poll
CONCURRENCY: Final = 10  # batches at a time, for each queue
ERROR_PAUSE_SECONDS: Final = 1.0
DELETES_MAX: Final = 3  # tries for entries that SQS failed within an accepted request

_log = logging.getLogger("lambda_workflow")


@dataclass(slots=True)
class Poller:
    """One event source mapping: a queue and the handler of its messages."""

    aws: Aws
    url: str
    handle: AsyncHandler
    wait_seconds: int = WAIT_SECONDS
    concurrency: int = CONCURRENCY
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Poll until cancelled; batches under way are finished first."""
        gate = asyncio.Semaphore(self.concurrency)
        try:
            while True:
                async with gate:
                    messages = await self._receive()
                if messages:
                    await gate.acquire()
                    task = asyncio.create_task(self._batch(messages))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                    task.add_done_callback(lambda _: gate.release())
        finally:
            if self._running:
                await asyncio.wait(set(self._running))

    async def _receive(self) -> list[dict[str, Any]]:
        try:
            answer = await self.aws.call(
                "sqs",
                "ReceiveMessage",
                QueueUrl=self.url,
                MaxNumberOfMessages=BATCH_MAX,
                WaitTimeSeconds=self.wait_seconds,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except AwsError as error:
            _log.warning("nothing can be received from %s: %s", self.url, error)
            await asyncio.sleep(ERROR_PAUSE_SECONDS)
            return []
        return list(answer.get("Messages", []))

    async def _batch(self, messages: list[dict[str, Any]]) -> None:
        arn = _arn_of(self.url, self.aws.region)
        event = {"Records": [_as_lambda(message, arn) for message in messages]}
        try:
            answer = await self.handle(event)
        except Exception as error:  # noqa: BLE001  # as for Lambda: the whole batch is redelivered
            _log.warning("a batch of %s failed: %s", self.url, words_of(error))
            return
        failed = {item["itemIdentifier"] for item in answer.get("batchItemFailures", [])}
        done = [message for message in messages if message["MessageId"] not in failed]
        if done:
            entries = [
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(done)
            ]
            await self._delete(entries)

    async def _delete(self, entries: list[dict[str, str]]) -> None:
        """Acknowledge; what cannot be is redelivered, and is then seen to be a repetition."""
        for _ in range(DELETES_MAX):
            try:
                answer = await self.aws.call(
                    "sqs", "DeleteMessageBatch", QueueUrl=self.url, Entries=entries
                )
            except AwsError as error:
                _log.warning("%d messages of %s come again: %s", len(entries), self.url, error)
                return
            failed = {e["Id"]: e for e in answer.get("Failed", [])}
            entries = [
                e for e in entries if e["Id"] in failed and not failed[e["Id"]]["SenderFault"]
            ]
            if not entries:
                return


async def run_worker(
    app: App,
    config: AwsConfig | None = None,
    *,
    wait_seconds: int = WAIT_SECONDS,
    clock: Clock | None = None,
) -> None:
    """Run an App until cancelled.

    Args:
        wait_seconds: of a poll.
        clock: whose time counts, the machine's if not given: an emulator may have another.

    Raises:
        ConfigurationError: variables are missing; names them.
    """
    chosen = config or read_config()
    aws = Aws()
    handle = workflow_handler(app, chosen, clock=clock)
    sources = {chosen.queue_url: handle}
    if chosen.delay_queue_url:
        sources[chosen.delay_queue_url] = handle
    for name, adapter in app.adapters.items():
        url = chosen.service_queue_url(name)
        own = replace(chosen, own_queue_url=url)
        sources[url] = task_handler(adapter, config=own, clock=clock, show_values=app.show_values)
    try:
        async with asyncio.TaskGroup() as tasks:
            for url, handler in sources.items():
                tasks.create_task(Poller(aws, url, handler, wait_seconds).run())
    finally:
        await aws.close()


def load_app(address: str) -> App:
    """The App of `MODULE:NAME`.

    Raises:
        ConfigurationError: there is none.
    """
    module, _, name = address.partition(":")
    try:
        app = getattr(importlib.import_module(module), name or "app")
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{address}: {error}; give MODULE:APP") from error
    if not isinstance(app, App):
        raise ConfigurationError(f"{address} is a {type(app).__name__}, not an App")
    return app


def _arn_of(url: str, region: str) -> str:
    """A queue's ARN, as an event names it; the URL's path ends in account and name."""
    *_, account, name = url.split("/")
    return f"arn:aws:sqs:{region}:{account}:{name}"


def _as_lambda(message: Mapping[str, Any], arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
    }


async def _serve(app: App) -> None:
    task = asyncio.create_task(run_worker(app))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        _log.info("stopped")


def main(arguments: Sequence[str]) -> int:
    """The command; 0 when it was told to stop, 2 when it cannot start."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m lambda_workflow.aws.worker MODULE:APP\n")
        return 2
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    _log.setLevel(logging.INFO)
    sys.path.insert(0, "")
    try:
        app = load_app(arguments[0])
        read_config()
        asyncio.run(_serve(app))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
