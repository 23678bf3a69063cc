"""However a function of the author's ends, its turn and its neighbours go on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from lambda_workflow import (
    App,
    Context,
    Service,
    ServiceError,
    StepFailed,
    Task,
    serve,
    workflow,
)
from lambda_workflow.errors import WorkflowError
from lambda_workflow.ports import Happening
from lambda_workflow.runtime.functions import run_function, run_handler
from lambda_workflow.runtime.serve import perform
from lambda_workflow.runtime.workshop import Workshop
from lambda_workflow.testing.memory import MemoryBlobs
from tests.patience import patience
from tests.runtime.conftest import MakeHost

WORK: Service[str, str] = Service("work", str, str)
TASK = Task("e", "e/1", "work", "a", 1, "memory://inbox")


def empty() -> str:
    return next(iter([]))


def leave() -> NoReturn:
    sys.exit(3)


def close() -> NoReturn:
    raise GeneratorExit("closed")


def stop_async() -> NoReturn:
    raise StopAsyncIteration("no more")


def half() -> NoReturn:
    raise ValueError("\udcff")


def carried() -> NoReturn:
    raise ServiceError("named so", type="StopIteration")


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


def deep() -> NoReturn:
    error: Exception = ValueError("innermost")
    for _ in range(2_000):  # more than Python's own methods of groups can go down
        error = ExceptionGroup("one", [error])
    raise error


ENDS: dict[str, Callable[[], Any]] = {
    "StopIteration": empty,
    "SystemExit": leave,
    "GeneratorExit": close,
    "StopAsyncIteration": stop_async,
    "ValueError": half,
}


def as_async(function: Callable[[], Any]) -> Callable[[], Any]:
    async def inner() -> str:
        await asyncio.sleep(0)
        return str(function())

    return inner


@workflow
async def steps(ctx: Context, name: str) -> str:
    kind, _, how = name.partition("/")
    function = carried if kind == "carried" else ENDS[kind]
    try:
        return await ctx.step(as_async(function) if how == "async" else function)
    except StepFailed as error:
        return error.type
    except Exception as error:  # noqa: BLE001  # the test asks which
        return type(error).__name__


@pytest.mark.parametrize("how", ["thread", "async"])
@pytest.mark.parametrize("kind", [*ENDS, "carried"])
async def test_a_step_that_ends_oddly_has_failed(make_host: MakeHost, kind: str, how: str) -> None:
    host = make_host(App("ends", workflows=[steps]), check=True)
    async with asyncio.timeout(patience(10)):
        await host.start(steps, f"{kind}/{how}")
        outcome = await host.finish()
    # an `async def` function cannot raise StopIteration: Python makes a RuntimeError of it
    expected = {kind, "StopIteration"} if kind == "carried" else {kind}
    if how == "async" and kind == "StopIteration":
        expected = {"RuntimeError"}
    assert outcome in expected


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("how", ["thread", "async"])
async def test_an_adapter_that_ends_oddly_has_failed(kind: str, how: str) -> None:
    function = as_async(ENDS[kind]) if how == "async" else ENDS[kind]
    if how == "async":

        @serve(WORK)
        async def work(what: str) -> str:
            return str(await function())
    else:

        @serve(WORK)
        def work(what: str) -> str:
            return str(function())

    async with asyncio.timeout(patience(10)):
        update = await perform(work, TASK, MemoryBlobs())
    assert update.failure is not None
    is_stop = kind == "StopIteration" and how == "async"
    assert update.failure.type == ("RuntimeError" if is_stop else kind)
    assert update.failure.stack is not None


@pytest.mark.parametrize("kind", ENDS)
async def test_a_handler_of_withdrawals_that_ends_oddly_has_failed(kind: str) -> None:
    @serve(WORK)
    async def work(what: str) -> str:
        return what

    @work.on_cancel
    def undo(task: Task) -> None:
        ENDS[kind]()

    async def post(*_: object) -> None: ...

    shop = Workshop(MemoryBlobs, post, lambda: 1_000)
    withdrawal = replace(TASK, payload=None, reply=False, cancelled=True)
    async with asyncio.timeout(patience(10)):
        with pytest.raises((WorkflowError, ValueError)):
            await shop.do(work, withdrawal)


async def test_a_step_in_a_thread_that_raises_what_ctrl_c_does_has_failed(
    make_host: MakeHost,
) -> None:
    """Ctrl-C itself comes to the main thread: what a step's thread raises must not end the host."""
    ended = await run_function(interrupt)
    assert isinstance(ended.error, KeyboardInterrupt)
    ENDS["KeyboardInterrupt"] = interrupt
    try:
        host = make_host(App("ends", workflows=[steps]), check=True)
        await host.start(steps, "KeyboardInterrupt/thread")
        assert await host.finish() == "KeyboardInterrupt"
    finally:
        del ENDS["KeyboardInterrupt"]


@pytest.mark.parametrize("where", ["step", "code"])
async def test_groups_in_groups_are_an_error_like_any_other(
    make_host: MakeHost, where: str
) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> None:
        await ctx.step(deep) if where == "step" else deep()

    host = make_host(App("ends", workflows=[flow]))
    await host.start(flow)
    assert "ValueError: innermost" in (await host.finish()).message


async def test_ctrl_c_stays_one() -> None:
    async def stop_here() -> NoReturn:
        raise KeyboardInterrupt

    coroutine = run_function(stop_here)
    with pytest.raises(KeyboardInterrupt):
        coroutine.send(None)


async def test_who_is_cancelled_is_cancelled() -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(run_handler(wait))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Raising:
    """An observer that is broken."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.heard: list[str] = []

    def notify(self, happening: Happening) -> None:
        self.heard.append(happening.kind)
        raise self.error


@workflow
async def simple(ctx: Context, n: int) -> int:
    return await ctx.step(lambda: n + 1)


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(1), StopIteration()])
async def test_an_observer_that_raises_hurts_nobody(
    make_host: MakeHost, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    observer = Raising(error)
    host = make_host(App("ends", workflows=[simple]), observer=observer)
    await host.start(simple, 1)
    assert await host.finish() == 2
    assert {"step", "turn", "closed"} <= set(observer.heard)
    assert f"observer Raising raised {type(error).__name__} at 'closed'" in caplog.text
