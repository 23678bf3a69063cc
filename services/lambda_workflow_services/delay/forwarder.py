"""The library's own delay queue, emptied by a function of its own instead of the workflow function.

It does what the workflow function does with the queue: timers that are due go to the FIFO queue,
others on another hop, what nobody can read to the dead-letter queue. It touches no table.
"""

from __future__ import annotations

from typing import Any

from lambda_workflow import App
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig, read_config
from lambda_workflow.aws.entry import Event, entry
from lambda_workflow.aws.handlers import AsyncHandler, records_of, workflow_handler
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.ports import Clock


def forward_handler(
    config: AwsConfig | None = None, aws: Aws | None = None, *, clock: Clock | None = None
) -> AsyncHandler:
    """The forwarder as a coroutine function.

    Raises:
        ConfigurationError: variables are missing; names all of them. From the handler: the event
            is of another queue than the delay queue.
    """
    chosen = config or read_config(required=("QUEUE_URL", "DELAY_QUEUE_URL"))
    handle = workflow_handler(App("forwarder"), chosen, aws, clock=clock)
    delayed = chosen.delay_queue_url.rpartition("/")[2]

    async def forward(event: Event, seconds_max: float | None = None) -> dict[str, Any]:
        records_of(event, "forwarder")
        for record in event["Records"]:
            queue = str(record.get("eventSourceARN")).rpartition(":")[2]
            if queue != delayed:
                raise ConfigurationError(
                    f"the forwarder got a message of queue {queue!r}, which belongs to the "
                    f"workflow function: its event source is the delay queue, {delayed!r}"
                )
        return await handle(event, seconds_max)

    return forward


handler = entry(forward_handler, lambda forward, event, seconds_max: forward(event, seconds_max))
