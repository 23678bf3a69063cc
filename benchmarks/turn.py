"""The CPU time of one turn of the Lambda handler, AWS's answers costing nothing.

    python benchmarks/turn.py

One event with one result arrives, the workflow goes on to its next call: one put, one send. The
handler is the one that Lambda calls (`lambda_handler`), the event the dictionary it is given.
One JSON line is printed, milliseconds of CPU by length of the history in calls:

cpu_ms_per_turn        warm: the execution is in memory; AWS is answered at `Aws.call`
ratio                  of the longer history to the shorter
cpu_ms_per_turn_client the same with the client's own work: JSON, signature, parsing
cpu_ms_cold            the execution is loaded from the store and replayed; answered at `Aws.call`
cpu_ms_cold_client     the same with the client's own work

Each figure is the median over ROUNDS of the mean over the turns of a round, the garbage collector
running as it does in Lambda.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from statistics import fmean, median
from typing import Any

from benchmarks.shared.instant import InstantAws, Table, config_for, through_client
from lambda_workflow import App, Context, Service, workflow
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.entry import Handler
from lambda_workflow.aws.handlers import lambda_handler
from lambda_workflow.model.messages import Message, Request, Update
from lambda_workflow.model.wire import render

SHORT, LONG = 10, 10_000
TURNS = 100  # measured in each round
ROUNDS = 9
COLD_ROUNDS = 5

ADD = Service("add", int, int)


@workflow
async def sequential(ctx: Context, calls: int) -> int:
    """Call one service many times, each call with the result of the one before."""
    total = 0
    for _ in range(calls):
        total = await ctx.call(ADD, total)
    return total


app = App("turn", workflows=[sequential], services=[ADD])


def event(message: Message) -> dict[str, Any]:
    """What Lambda hands over: a batch of one."""
    return {
        "Records": [
            {
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": render(message),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1767225600000",
                    "SequenceNumber": "18849496460467696128",
                    "MessageGroupId": message.execution_id,
                    "SenderId": "AIDAIO23YVJENQZJOL4VO",
                    "MessageDeduplicationId": message.execution_id,
                    "ApproximateFirstReceiveTimestamp": "1767225600001",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:in.fifo",
                "awsRegion": "us-east-1",
            }
        ]
    }


def deliver(handler: Handler, message: Message) -> float:
    """CPU milliseconds of one turn."""
    given = event(message)
    before = time.process_time()
    answer = handler(given, None)
    spent = time.process_time() - before
    assert answer == {"batchItemFailures": []}
    return spent * 1000


def begin(handler: Handler, execution_id: str, calls: int) -> None:
    """Bring an execution to a history of so many calls."""
    deliver(handler, Request(execution_id, "sequential", 2 * LONG))
    for number in range(1, calls + 1):
        deliver(handler, Update(execution_id, str(number), number, None, 1))


def warm(make: Callable[[Table], Aws]) -> dict[str, float]:
    """CPU milliseconds per turn at both lengths, measured in turn."""
    table = Table()
    handler = lambda_handler(app, config=config_for(app), aws=make(table))
    begin(handler, "long", LONG)
    places: Iterator[int] = iter(range(LONG + 1, 2 * LONG))
    spent: dict[int, list[float]] = {SHORT: [], LONG: []}
    for number in range(ROUNDS):
        short: list[float] = []
        for part in range(TURNS // SHORT):  # from 10 to 20 calls, so that the length stays short
            execution_id = f"short-{number}-{part}"
            begin(handler, execution_id, SHORT)
            short += [
                deliver(handler, Update(execution_id, str(place), place, None, 1))
                for place in range(SHORT + 1, 2 * SHORT + 1)
            ]
        spent[SHORT].append(fmean(short))
        spent[LONG].append(
            fmean(
                deliver(handler, Update("long", str(next(places)), 7, None, 1))
                for _ in range(TURNS)
            )
        )
    assert len(table.items["long"]) == LONG + 1 + ROUNDS * TURNS
    return {str(length): median(times) for length, times in spent.items()}


def cold(make: Callable[[Table], Aws]) -> dict[str, float]:
    """CPU milliseconds of a turn whose execution has to be loaded and replayed."""
    spent: dict[str, float] = {}
    for length in (SHORT, LONG):
        table = Table()
        begin(lambda_handler(app, config=config_for(app), aws=InstantAws(table)), "x", length)
        times = []
        for number in range(1 + COLD_ROUNDS * (20 if length == SHORT else 1)):
            handler = lambda_handler(app, config=config_for(app), aws=make(table))
            deliver(handler, Request("other", "sequential", 1))  # the container is up
            milliseconds = deliver(handler, Update("x", str(length + 1), 7, None, 1))
            assert len(table.items["x"]) == length + 2, "the result was not taken in"
            if number:  # the first one fills the stand-in's cache
                times.append(milliseconds)
            del table.items["x"][length + 1 :], table.items["other"]
        spent[str(length)] = median(times)
    return spent


def main() -> None:
    """Measure everything, and print the line."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    figures = {
        "cpu_ms_per_turn": warm(InstantAws),
        "cpu_ms_per_turn_client": warm(through_client),
        "cpu_ms_cold": cold(InstantAws),
        "cpu_ms_cold_client": cold(through_client),
    }
    seam = figures["cpu_ms_per_turn"]
    rounded = {
        name: {length: round(value, 3) for length, value in values.items()}
        for name, values in figures.items()
    }
    line = {**rounded, "ratio": round(seam[str(LONG)] / seam[str(SHORT)], 2)}
    print(json.dumps({**line, "cores": os.cpu_count(), "python": sys.version.split()[0]}))


if __name__ == "__main__":
    main()
