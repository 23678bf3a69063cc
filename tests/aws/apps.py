"""The App of the tests over the server; a worker in a process of its own can load it, too."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Final

from lambda_workflow import (
    App,
    CallFailed,
    Context,
    RetryPolicy,
    Service,
    ServiceError,
    Task,
    serve,
    workflow,
)

EFFECTS: Final = "TEST_EFFECTS"  # the variable with the file that the services write to
CALLS: Final = 10

ADD: Service[int, int] = Service("add", int, int)
FLAKY: Service[int, int] = Service(
    "flaky", int, int, retry=RetryPolicy(attempts=3, initial=timedelta(0), cap=timedelta(0))
)


@workflow
async def ten(ctx: Context, start: int) -> int:
    total = start
    for _ in range(CALLS):
        total = await ctx.call(ADD, total)
    return total


@workflow
async def stubborn(ctx: Context, number: int) -> str:
    try:
        return str(await ctx.call(FLAKY, number))
    except CallFailed as failed:
        return f"{failed.type} after {failed.attempts}"


@serve(ADD)
async def add(number: int, task: Task) -> int:
    if path := os.environ.get(EFFECTS):
        with Path(path).open("a") as file:  # noqa: ASYNC230  # a line of a few bytes
            file.write(f"{task.task_id}\n")
    return number + 1


@serve(FLAKY)
async def flake(number: int, task: Task) -> int:
    if task.attempt <= number:
        raise ServiceError("not yet", type="NotYet")
    return task.attempt


app = App("tests", workflows=[ten, stubborn], adapters=[add, flake])
