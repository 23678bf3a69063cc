"""None as a type, as the docs write it, in every contract; never run, only checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from lambda_workflow import Client, Context, RemoteWorkflow, Service, Signal, Update, serve


@dataclass
class Mail:
    """A request."""

    link: str


MAIL = Service("mail", Mail, None)
CLOCK = Service("clock", None, float, timeout=timedelta(seconds=3))
PING = Service("ping", None, None, retry=None)
UNION: Service[Mail | None, int | None] = Service("union", Mail | None, int | None)

assert_type(MAIL, Service[Mail, None])
assert_type(CLOCK, Service[None, float])
assert_type(PING, Service[None, None])
Service("mail", Mail, None, patience=3)  # type: ignore[call-overload]  # no such option

STOP = Signal("stop", None)
WORD = Signal("word", str)
EITHER: Signal[int | None] = Signal("either", int | None)

assert_type(STOP, Signal[None])
assert_type(WORD, Signal[str])

NOTE = Update("note", str, None)
COUNT = Update("count", None, int)
TOUCH = Update("touch", None, None)

assert_type(NOTE, Update[str, None])
assert_type(COUNT, Update[None, int])
assert_type(TOUCH, Update[None, None])

REMOTE = RemoteWorkflow("report", Mail, None, app="reports")
NIGHTLY = RemoteWorkflow("nightly", None, int, app="reports")
SWEEP = RemoteWorkflow("sweep", None, None, app="reports")

assert_type(REMOTE, RemoteWorkflow[Mail, None])
assert_type(NIGHTLY, RemoteWorkflow[None, int])
assert_type(SWEEP, RemoteWorkflow[None, None])


@serve(MAIL)
async def send(mail: Mail) -> None:
    """An adapter that answers with nothing."""


@serve(CLOCK)
def tell(_: None) -> float:
    """An adapter that is given nothing."""
    return 1.0


async def workflow_code(ctx: Context, client: Client) -> None:
    """What comes back."""
    await ctx.call(MAIL, Mail("a"))
    assert_type(await ctx.call(CLOCK, None), float)
    ctx.call(CLOCK, 1)  # type: ignore[misc]  # the service is given nothing
    answer = ctx.callback(None, timeout=timedelta(hours=1))
    await answer
    union = ctx.callback(int | None)
    assert_type(await union, Any)
    assert_type(await ctx.call(NIGHTLY, None), int)
    await ctx.wait_signal(STOP)
    assert_type(await ctx.wait_signal(WORD), str)
    await client.signal("id", STOP, None)
    await client.signal("id", STOP, 3)  # type: ignore[misc]  # it has no payload
    assert_type(await client.update("id", COUNT, None), int)
