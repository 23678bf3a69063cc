"""What a million ten-call workflows cost, by the requests that reached the server.

    python benchmarks/cost.py

Workflows of ten sequential calls run one at a time through a worker over the moto server, which
logs every request with the units that DynamoDB would bill (tests/aws/server). One at a time is the
dearest way: under load, receives bring up to ten messages, and results that arrive together share
a turn. One JSON line is printed:

units_per_workflow      requests and units by kind, and what the runtime itself counted (`usage`)
dollars_per_million     by kind, and `total`
step_functions_standard, durable_functions_callbacks, durable_functions_steps
                        dollars per million for the same ten calls

What the services themselves do (their Lambda time, their own tables) is the same everywhere and is
left out. So are logs, data transfer, and the event source mappings' empty polls: five long polls of
20 seconds, around the clock, make 0.3 dollars a month for each idle queue.

The prices are AWS's list prices of us-east-1 on demand, x86, gathered in November 2026 from the
services' pricing pages; no free tier is taken off.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from typing import Any, Final

from lambda_workflow.model.usage import Usage
from tests.aws.apps import CALLS, app, ten
from tests.aws.deployed import deploy, take, working
from tests.aws.server.process import Server, shared_server
from tests.aws.server.records import Request

WORKFLOWS: Final = 10
MILLION: Final = 1_000_000

# dollars for one
SQS_FIFO_REQUEST: Final = 0.50 / MILLION  # up to 64 KB
SQS_REQUEST: Final = 0.40 / MILLION
LAMBDA_REQUEST: Final = 0.20 / MILLION
LAMBDA_GB_SECOND: Final = 0.0000166667
DYNAMODB_WRITE_UNIT: Final = 0.625 / MILLION
DYNAMODB_READ_UNIT: Final = 0.125 / MILLION
DYNAMODB_GB_MONTH: Final = 0.25
STEP_FUNCTIONS_TRANSITION: Final = 25 / MILLION
DURABLE_OPERATION: Final = 8 / MILLION
DURABLE_GB_WRITTEN: Final = 0.25

# assumed
LAMBDA_GB: Final = 0.25
TURN_SECONDS: Final = 0.030  # 0.4 ms of CPU (turn.py) on a seventh of one, and two requests' wait
RETENTION_MONTHS: Final = 1
TRANSITIONS: Final = CALLS + 1  # a task state for each call, and the start
CALLBACK_OPERATIONS: Final = 3  # of Durable Functions, for a call that is answered from outside
STEP_OPERATIONS: Final = 1  # … and for one that its own process waits for, and pays for waiting
DURABLE_TAIL_SECONDS: Final = 0.100  # at the end of each of its invocations (peers/on_durable.py)


async def run(server: Server) -> tuple[list[Request], Usage]:
    """The requests of all workflows, and what the runtime says of one."""
    config = await deploy(app.adapters)
    before = len(server.requests())
    async with working(app, config) as client:
        for number in range(WORKFLOWS):
            await client.start(ten, 0, execution_id=f"cost-{number}")
            while not await take(config.response_queue_url, wait=20):
                pass
        log = server.requests()[before:]
        usage = (await client.describe("cost-0")).usage
    return [request for request in log if not request.failed], usage


def count(log: list[Request]) -> dict[str, float]:
    """Units of one workflow by kind."""

    def per_workflow(units: Iterable[float]) -> float:
        return round(sum(units) / WORKFLOWS, 2)

    def requests(fifo: bool) -> float:
        # the receiver of the outcomes is not ours; an empty poll is the mapping's own
        ours = [r for r in log if r.service == "sqs" and r.name.endswith(".fifo") is fifo]
        return per_workflow(
            1
            for r in ours
            if r.operation in {"SendMessage", "SendMessageBatch"}
            or (r.name != "out" and (r.operation != "ReceiveMessage" or r.entries))
        )

    turns = [r for r in log if r.operation == "ReceiveMessage" and r.name == "in.fifo"]
    return {
        "sqs_fifo_requests": requests(True),
        "sqs_standard_requests": requests(False),
        "write_units": per_workflow(r.write_units for r in log),
        "index_write_units": per_workflow(r.index_units for r in log),
        "read_units": per_workflow(r.read_units for r in log),
        "bytes_stored": per_workflow(r.bytes for r in log if r.operation == "PutItem"),
        "turns": per_workflow(1 for r in turns if r.entries),
    }


def prices(units: dict[str, float]) -> dict[str, float]:
    """Dollars of one workflow by kind."""
    written = units["write_units"] + units["index_write_units"]
    gigabytes = units["bytes_stored"] / 1e9
    return {
        "sqs_fifo": units["sqs_fifo_requests"] * SQS_FIFO_REQUEST,
        "sqs_standard": units["sqs_standard_requests"] * SQS_REQUEST,
        "dynamodb_writes": written * DYNAMODB_WRITE_UNIT,
        "dynamodb_reads": units["read_units"] * DYNAMODB_READ_UNIT,
        "dynamodb_storage": gigabytes * DYNAMODB_GB_MONTH * RETENTION_MONTHS,
        "lambda": invocations(units["turns"], TURN_SECONDS),
    }


def invocations(number: float, seconds: float) -> float:
    """Dollars of invocations of the workflow function."""
    return number * (LAMBDA_REQUEST + seconds * LAMBDA_GB * LAMBDA_GB_SECOND)


def others(units: dict[str, float]) -> dict[str, float]:
    """Dollars of the same ten calls elsewhere."""
    written = units["bytes_stored"] / 1e9 * DURABLE_GB_WRITTEN
    # each callback suspends it, so that it is invoked as often as we have turns
    wakes = invocations(units["turns"], TURN_SECONDS + DURABLE_TAIL_SECONDS)
    once = invocations(1, CALLS * TURN_SECONDS + DURABLE_TAIL_SECONDS)
    return {
        "step_functions_standard": TRANSITIONS * STEP_FUNCTIONS_TRANSITION,
        "durable_functions_callbacks": CALLS * CALLBACK_OPERATIONS * DURABLE_OPERATION
        + written
        + wakes,
        "durable_functions_steps": CALLS * STEP_OPERATIONS * DURABLE_OPERATION + written + once,
    }


def main() -> None:
    """Run them, count, and print the line."""
    with shared_server() as server:
        os.environ |= server.environment
        log, usage = asyncio.run(run(server))
    units = count(log)
    ours = prices(units)
    line: dict[str, Any] = {
        "units_per_workflow": {**units, "usage": usage._asdict()},
        "dollars_per_million": {
            kind: round(dollars * MILLION, 2)
            for kind, dollars in {**ours, "total": sum(ours.values())}.items()
        },
        **{name: round(dollars * MILLION, 2) for name, dollars in others(units).items()},
    }
    print(json.dumps({**line, "python": sys.version.split()[0]}))


if __name__ == "__main__":
    main()
