"""App and Client refuse arguments of a wrong kind; a context serves its own workflow only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    ConfigurationError,
    Context,
    InvalidToken,
    ResultTimeout,
    Service,
    Signal,
    StepFailed,
    Update,
    UpdateRejected,
    serve,
    workflow,
)
from lambda_workflow.local import Engine, SkippingClock
from tests.patience import patient

NAIVE = datetime(2027, 1, 1, tzinfo=UTC).replace(tzinfo=None)
ADD = Signal("add", int)
CHANGE = Update("change", int, int)
DOUBLE = Service("double", int, int)


@serve(DOUBLE)
async def double(n: int) -> int:
    return 2 * n


@workflow
async def wait(ctx: Context, n: int) -> int:
    async for asked in ctx.updates(CHANGE):
        asked.reject("too late", type="Late", details={"by": asked.payload})
    return n


@workflow
async def leaky(ctx: Context, n: int) -> str:
    async def work() -> int:  # a step that uses the context of its workflow
        return await ctx.call(DOUBLE, n)

    def blocking() -> None:
        ctx.send(DOUBLE, n)

    told = []
    for step in (work, blocking):
        try:
            await ctx.step(step)
        except StepFailed as failed:
            told.append(failed.message)
    assert told[0] == told[1]
    return f"{told[0]} {await ctx.call(DOUBLE, n)}"


@workflow
async def parent(ctx: Context, n: int) -> list[str]:
    told = []
    for chosen in ("", 3):
        wrong: Any = chosen
        try:
            await ctx.call(wait, n, id=wrong)
        except ConfigurationError as error:
            told.append(str(error))
    return told


app = App("kinds", workflows=[wait, leaky, parent], adapters=[double])

WRONG: dict[str, tuple[Callable[[Any], Awaitable[Any]], str]] = {
    "a workflow's name": (
        lambda c: c.start("wait", 1),
        "is str of 4: give a workflow",
    ),
    "an empty id": (lambda c: c.start(wait, 1, execution_id=""), "execution id of 0 characters"),
    "a number as an id": (lambda c: c.start(wait, 1, execution_id=7), "give text, such as str(id)"),
    "a delay's number": (lambda c: c.start(wait, 1, delay=5), "delay is 5: give a timedelta"),
    "a timeout's number": (lambda c: c.start(wait, 1, execution_timeout=5), "timedelta(seconds=5)"),
    "tags in a list": (
        lambda c: c.start(wait, 1, tags=["a"]),
        "is list of 1: give texts by name",
    ),
    "a bare signal": (lambda c: c.start(wait, 1, signal=ADD), "signal=(SIGNAL, payload)"),
    "a signal's name": (lambda c: c.signal("w", "add", 1), "is str of 3: give a Signal"),
    "an update as a signal": (
        lambda c: c.signal("w", CHANGE, 1),
        "Update('change'): give a Signal",
    ),
    "a signal as an update": (lambda c: c.update("w", ADD, 1), "Signal('add'): give an Update"),
    "a plain function as a query": (lambda c: c.query("w", len), "that `@flow.query` has made one"),
    "a number to wait": (lambda c: c.result("w", timeout=1), "timeout is 1: give a timedelta"),
    "a grace's number": (lambda c: c.cancel("w", grace=3), "grace is 3: give a timedelta"),
    "a workflow to list": (lambda c: c.list(wait), "give its name, such as workflow.name"),
    "a status' name": (lambda c: c.list(status="RUNNING"), "give a Status, such as Status.RUNNING"),
    "a time without zone": (lambda c: c.list(started_after=NAIVE), "it needs a time zone"),
}


@pytest.mark.parametrize(("ask", "told"), WRONG.values(), ids=WRONG.keys())
async def test_a_client_refuses_an_argument_of_a_wrong_kind(
    ask: Callable[[Any], Awaitable[Any]], told: str
) -> None:
    async with Engine(app, ":memory:", clock=SkippingClock()) as engine:
        with pytest.raises(ConfigurationError) as caught:
            await ask(engine.client)
        assert told in str(caught.value)
        assert [header async for header in engine.client.list_all()] == []


async def test_what_is_no_text_is_no_token() -> None:
    async with Engine(app, ":memory:") as engine:
        for wrong in (None, 3, b"YTEvMQ.aaaa"):
            token: Any = wrong
            with pytest.raises(InvalidToken):
                await engine.client.complete_callback(token, 1)


async def test_an_app_refuses_parts_of_a_wrong_kind() -> None:
    async def plain(ctx: Context, n: int) -> int:
        return n

    wrong: Any
    for wrong, told in (
        ({"workflows": wait}, r"App\(workflows=…\) is Workflow\('wait'\): give a list of"),
        ({"workflows": [plain]}, "is the async function 'plain': give workflows, made by `@wor"),
        ({"workflows": [wait], "adapters": [plain]}, "give adapters, made by `@serve`"),
        ({"workflows": [wait], "services": [double]}, "give Services"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            App("x", **wrong)


async def test_a_step_that_uses_the_context_fails_and_leaves_no_operation() -> None:
    async with Engine(app, ":memory:", check=True, guard=True) as engine:
        handle = await engine.client.start(leaky, 4)
        told = await handle.result(patient(10))
    assert told.startswith(
        "the context was used outside of its workflow's code, such as inside of a step"
    )
    assert told.endswith(" 8")


async def test_a_child_id_that_is_empty_or_no_text_is_refused() -> None:
    async with Engine(app, ":memory:", check=True, guard=True) as engine:
        empty, number = await (await engine.client.start(parent, 1)).result()
    assert empty.startswith("execution id of 0 characters")
    assert number == "execution id is int: give text, such as str(id)"


async def test_a_rejected_update_says_why_in_the_workflows_own_words() -> None:
    async with Engine(app, ":memory:") as engine:
        handle = await engine.client.start(wait, 1)
        with pytest.raises(UpdateRejected) as caught:
            await handle.update(CHANGE, 3)
        assert (caught.value.type, caught.value.message) == ("Late", "too late")
        assert caught.value.details == {"by": 3}


async def test_a_result_of_an_id_that_nobody_has_says_so() -> None:
    async with Engine(app, ":memory:") as engine:
        with pytest.raises(ResultTimeout, match="there is no execution w-7 after"):
            await engine.client.result("w-7", timeout=timedelta(milliseconds=10))
