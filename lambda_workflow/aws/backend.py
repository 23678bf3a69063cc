"""The AWS ports, bundled; made once per container."""

from __future__ import annotations

import asyncio
import time

from lambda_workflow.aws.blobs import DynamoBlobs, NoBlobs, S3Blobs
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig, read_config
from lambda_workflow.aws.dynamodb import DynamoStore
from lambda_workflow.aws.sqs import SqsQueue
from lambda_workflow.aws.timers import AwsTimers
from lambda_workflow.ports import Backend, Blobs, Clock, Observer, Quiet
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client import Client


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait for real."""
        await asyncio.sleep(seconds)


def blobs_for(aws: Aws, config: AwsConfig, clock: Clock | None = None) -> Blobs:
    """The bucket where one is configured, else the table."""
    if config.bucket:
        return S3Blobs(aws, config.bucket, clock or SystemClock())
    if not config.table:
        return NoBlobs()
    return DynamoBlobs(aws, config.table, clock or SystemClock())


def aws_backend(
    app: App,
    config: AwsConfig,
    aws: Aws,
    *,
    observer: Observer | None = None,
    clock: Clock | None = None,
) -> Backend:
    """The ports of an App on AWS; the clock is the machine's if not given."""
    clock = clock or SystemClock()
    store = DynamoStore(
        aws,
        config.table,
        clock,
        workflows=tuple(app.workflows),
        retention_days=config.retention_days,
    )
    return Backend(
        store,
        SqsQueue(aws, config),
        AwsTimers(aws, config, clock),
        blobs_for(aws, config, clock),
        clock,
        observer or Quiet(),
        config.queue_url,
    )


def client_for(app: App, config: AwsConfig | None = None) -> Client:
    """A Client of an App on AWS, configured by environment variables if not given.

    Keep one for the life of the process; `close` it where that matters.

    Raises:
        ConfigurationError: variables are missing; names all of them.
    """
    chosen, aws = config or read_config(), Aws()
    return Client(app, aws_backend(app, chosen, aws), close=aws.close)
