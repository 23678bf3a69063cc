"""What a type checker would refuse is refused at the call, in words that say what to write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import (
    Context,
    RemoteWorkflow,
    Service,
    Signal,
    Update,
    WorkflowError,
    serve,
    workflow,
)
from lambda_workflow.model.arguments import named
from tests.replay.driving import DOUBLE, drive, flow, result

ADD = Signal("add", int)
CHANGE = Update("change", int, int)


@serve(DOUBLE)
def double(n: int) -> int:
    return 2 * n


@workflow
async def child(ctx: Context, n: int) -> int:
    return n


async def no(*_: Any) -> bool:
    return True


async def updates(ctx: Any) -> None:
    async for _ in ctx.updates(ADD):
        return


ELSEWHERE = RemoteWorkflow("child", int, int, app="other")
SECOND = timedelta(seconds=1)
NAIVE = datetime(2027, 1, 1, tzinfo=UTC).replace(tzinfo=None)
WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "the name of a service": (lambda ctx: ctx.call("double", 1), "is 'double': give the Service"),
    "an adapter": (lambda ctx: ctx.call(double, 1), "give the Service itself (not its adapter"),
    "a number as a timeout": (
        lambda ctx: ctx.call(DOUBLE, 1, timeout=5),
        "timeout of call of 'double' is 5: give a timedelta, such as timedelta(seconds=5)",
    ),
    "the id of a service's call": (lambda ctx: ctx.call(DOUBLE, 1, id="x"), "has no id=: id= and"),
    "a child with another item's id": (
        lambda ctx: ctx.call(ELSEWHERE, 1, id="blob:1"),
        "execution id 'blob:1' begins with 'blob:'",
    ),
    "a number as a policy": (
        lambda ctx: ctx.call(DOUBLE, 1, retry=3),
        "retry of a call is 3: give a RetryPolicy, such as RetryPolicy(attempts=3)",
    ),
    "sending to a workflow": (lambda ctx: ctx.send(child, 1), "give a Service"),
    "starting a service": (lambda ctx: ctx.start(DOUBLE, 1), "is handed over by ctx.send"),
    "sleeping for a number": (lambda ctx: ctx.sleep(5), "such as timedelta(seconds=5)"),
    "a moment without a zone": (lambda ctx: ctx.sleep(NAIVE), "needs a time zone"),
    "a name as a type": (lambda ctx: ctx.callback("approval"), "'approval' is text"),
    "a callback's number": (lambda ctx: ctx.callback(timeout=3), "timeout of a callback is 3"),
    "what a step gives": (lambda ctx: ctx.step(3), "the work of ctx.step is 3: give the function"),
    "a step's policy": (lambda ctx: ctx.step(str, retry=3), "retry of a step is 3"),
    "a block's policy": (lambda ctx: ctx.retry(no, policy=3), "retry of a block is 3"),
    "an update to wait for": (lambda ctx: ctx.wait_signal(CHANGE), "updates are taken by"),
    "a signal to reply to": (updates, "signals are taken by ctx.wait_signal"),
    "an async condition": (lambda ctx: ctx.wait_until(no), "is the async function 'no': give"),
    "a value as a condition": (lambda ctx: ctx.wait_until(True), "is True: give a plain function"),
    "an async end of a poll": (
        lambda ctx: ctx.poll(DOUBLE, 1, until=no, every=SECOND),
        "until is the async function 'no'",
    ),
    "a poll's number": (
        lambda ctx: ctx.poll(DOUBLE, 1, until=bool, every=5),
        "its `every`, is 5: give a timedelta",
    ),
    "undoing by what is under way": (
        lambda ctx: ctx.saga().on_rollback(3),
        "on_rollback: 3 cannot undo",
    ),
    "a change's number": (lambda ctx: ctx.patched(3), "change name is 3: give text"),
}


@pytest.mark.parametrize(("ask", "told"), WRONG.values(), ids=WRONG.keys())
def test_an_argument_of_a_wrong_kind_is_refused(
    ask: Callable[[Any], Awaitable[Any]], told: str
) -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(WorkflowError) as caught:
            await ask(ctx)
        return str(caught.value)

    assert told in result(drive(flow(code)))


def test_what_is_told_of_a_value_is_the_same_in_each_process() -> None:
    coroutine = no()
    assert named(coroutine) == "the coroutine of 'no'"
    coroutine.close()
    assert named(object()) == "<object object>"
    assert named(len) == "the function 'len'"


def test_a_service_refuses_a_number_as_its_policy() -> None:
    wrong: Any = 3
    with pytest.raises(WorkflowError, match="retry of service 'x' is 3: give a RetryPolicy"):
        Service("x", int, int, retry=wrong)
