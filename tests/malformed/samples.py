"""An App with every kind of operation, valid messages of every type, and histories it has made."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambda_workflow import (
    App,
    Context,
    RetryPolicy,
    Service,
    ServiceError,
    Signal,
    Update,
    serve,
    workflow,
)
from lambda_workflow.model import messages as m
from lambda_workflow.model.bus_events import BusEvent
from lambda_workflow.model.events import BlobRef, Callback, Failure, StartOptions
from lambda_workflow.model.messages import Message, Task
from lambda_workflow.model.wire import render, render_task
from tests.runtime.harness import Host

DOUBLE: Final = Service("double", int, int)
BEATEN: Final = Service(
    "beaten", int, int, timeout=timedelta(hours=2), heartbeat_timeout=timedelta(hours=1),
    retry=RetryPolicy(attempts=3),
)  # fmt: skip
NUDGE: Final = Signal("nudge", int)
ASK: Final = Update("ask", int, int)


@workflow
async def child(ctx: Context, n: int) -> int:
    nudged = await ctx.wait_signal(NUDGE)
    return n or nudged


@workflow
async def busy(ctx: Context, n: int) -> int:
    """Waits for everything that a message can bring, for ten days."""
    total = await ctx.step(abs, n)
    ctx.set_status({"total": total})
    waits = [
        ctx.call(BEATEN, n),
        ctx.callback(int, name="approval"),
        ctx.call(child, 0),
        ctx.wait_signal(NUDGE),
        ctx.sleep(timedelta(days=10)),
    ]
    told = asyncio.ensure_future(_told(ctx))
    ctx.send(DOUBLE, 1)
    for wait in asyncio.as_completed(waits):
        try:
            total += int(await wait or 0)
        except Exception as error:  # noqa: BLE001  # what it is does not matter here
            total += len(type(error).__name__)
    told.cancel()
    return total


async def _told(ctx: Context) -> None:
    async for asked in ctx.updates(ASK):
        asked.respond(asked.payload)


@workflow
async def healthy(ctx: Context, n: int) -> int:
    return await ctx.call(DOUBLE, n) + await ctx.wait_signal(NUDGE)


@serve(DOUBLE)
async def double(n: int) -> int:
    return 2 * n


@serve(BEATEN)
async def beaten(n: int, task: Task) -> int:
    if n < 0:
        raise ServiceError("negative", details={"n": n})
    return n * task.attempt


APP: Final = App("malformed", workflows=[busy, child, healthy], adapters=[double, beaten])
OPERATIONS: Final = ("2", "3", "4", "6.1", "1", "2:timeout", "2:beat1.1", "~timeout")
REF: Final = BlobRef("workflow/" + "0" * 32 + "/" + "1" * 64, "0" * 16, 70_000)
FAILURE: Final = Failure("Broken", "no", True, {"code": 1}, "stack", 1.5)
OPTIONS: Final = StartOptions("s", "secret", 2_000_000_000, 0, 1, {"team": "blue"}, {"note": [1]})
OWED: Final = Callback("memory://other", "parent", "parent/1")


def messages(execution_id: str) -> list[Message]:
    """Valid messages of every type to an execution of `busy`."""
    of = execution_id
    found: list[Message] = [
        m.Request(of, "busy", 1),
        m.Request(of, "busy", 2, OWED, 2, OPTIONS),
        m.Request(of, "child", 2, None, 1, OPTIONS, replace=True),
        m.Request(of, "busy", REF),
        m.Signal(of, "nudge", 5, "n1"),
        m.Signal(of, "nudge", REF, "n2", "s", checked=True),
        m.UpdateRequest(of, "ask", 5, "a1"),
        m.Cancel(of, "enough", 5_000, "", "c1"),
        m.Terminate(of, "gone", "", "t1"),
        m.Pause(of, "lunch", "p1"),
        m.Resume(of, "r1"),
        m.Redrive(of, "d1"),
    ]
    for operation in OPERATIONS:
        found += [
            m.Update(of, operation, 5, None, 1),
            m.Update(of, operation, None, FAILURE, 1, "token"),
            m.Timer(of, operation, 1_000),
            m.Heartbeat(of, operation, {"done": 1}, 1),
        ]
    found.append(m.Update(of, "2", REF, None, 1))
    return found


def bodies(execution_id: str) -> list[Any]:
    """The same as JSON documents."""
    return [json.loads(render(message)) for message in messages(execution_id)]


FIELDS: Final = tuple(sorted({name for body in bodies("e") for name in body}))
"""What any message has."""

TASKS: Final = [
    Task("e", "e/2", "beaten", 3, 1, "memory://inbox"),
    Task("e", "e/2", "beaten", REF, 2, "memory://inbox", 60_000, {"done": 1}, True, False, 9**14),
    Task("e", "e/2", "beaten", 3, 1, "memory://inbox", 60_000, None, True, True),
    Task("e", "e/5", "double", 3, 1, reply=False, state={"job": 1}, not_before=9, beat_at=8),
]
TASK_BODIES: Final = [json.loads(render_task(task)) for task in TASKS]
TASK_FIELDS: Final = tuple(sorted({name for body in TASK_BODIES for name in body}))
BUS_EVENTS: Final[list[Any]] = [
    BusEvent(
        "1", "aws.s3", "Object Created", {"object": {"key": "k"}},
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), ("arn:aws:s3:::b",), "1", "eu-west-1",
    ).to_json(),
]  # fmt: skip


async def start(host: Host, execution_id: str = "e") -> None:
    """An execution of `busy` with one of everything under way."""
    await host.send(m.Request(execution_id, "busy", 1, None, 1, OPTIONS))
