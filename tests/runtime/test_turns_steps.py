"""Inline work: on the host's loop or in threads, once, retried by policy, its errors rebuilt."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from lambda_workflow import App, Context, RetryPolicy, StepFailed, workflow
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.messages import Request
from lambda_workflow.ports import Commit
from lambda_workflow.runtime.intake import Arrival
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE

SECOND = timedelta(seconds=1)


class Ran:
    """What the steps did, outside of what the history says."""

    log: ClassVar[list[str]] = []


@pytest.fixture(autouse=True)
def empty() -> None:
    Ran.log = []


def in_thread(n: int) -> str:
    Ran.log.append("thread")
    return f"{n} {threading.current_thread() is threading.main_thread()}"


async def on_loop(n: int) -> int:
    Ran.log.append("loop")
    await asyncio.sleep(0)
    return n + 1


class Odd(Exception):
    """Can be made again from its message."""


class Strange(Exception):
    """Cannot: its constructor wants more."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(f"{code}: {why}")


def refuse(kind: str) -> int:
    Ran.log.append(kind)
    if kind == "odd":
        raise Odd("is odd")
    if kind == "strange":
        raise Strange(7, "very")
    raise ValueError("bad value")


@workflow
async def both(ctx: Context, n: int) -> list[Any]:
    return [await ctx.step(in_thread, n), await ctx.step(on_loop, n)]


@workflow
async def errors(ctx: Context, kind: str) -> list[Any]:
    try:
        await ctx.step(refuse, kind)
    except (Odd, ValueError) as error:
        return [type(error).__name__, str(error)]
    except StepFailed as error:
        return ["StepFailed", error.type.rpartition(".")[2], error.message, error.attempts]
    return []


@workflow
async def retried(ctx: Context, n: int) -> list[Any]:
    policy = RetryPolicy(attempts=3, initial=SECOND, jitter=0, non_retryable=(Odd,))
    try:
        await ctx.step(refuse, "odd" if n else "value", retry=policy, name="stubborn")
    except Exception as error:  # noqa: BLE001  # the test is about which one it is
        return [type(error).__name__, str(error)]
    return []


@workflow
async def mixed(ctx: Context, n: int) -> list[int]:
    return list(await asyncio.gather(ctx.call(DOUBLE, n), ctx.step(on_loop, n)))


APP = App("tests", workflows=[both, errors, mixed, retried], services=[DOUBLE])
CHECKED = pytest.mark.parametrize("options", [{"check": True}, {"live_max": 0}])


@CHECKED
async def test_a_function_runs_in_a_thread_and_a_coroutine_on_the_loop(
    make_host: MakeHost, options: dict[str, Any]
) -> None:
    host = make_host(APP, **options)
    await host.start(both, 4)
    assert host.outcome() == ["4 False", 5]
    (turn,) = host.history().turns  # done within the turn: one record
    assert [type(x) for x in turn.events] == [e.Started, e.StepSucceeded, e.StepSucceeded]
    steps = [(x.operation, x.name) for x in turn.commands if isinstance(x, c.RunStep)]
    assert steps == [("1", "in_thread"), ("2", "on_loop")]


async def test_steps_started_together_run_together(make_host: MakeHost) -> None:
    meet = asyncio.Barrier(3)

    async def arrive() -> str:
        await meet.wait()
        return "met"

    @workflow
    async def meeting(ctx: Context, n: int) -> list[str]:
        return await asyncio.gather(*(ctx.step(arrive) for _ in range(n)))

    host = make_host(App("tests", workflows=[meeting]))
    async with asyncio.timeout(5):
        await host.start(meeting, 3)
    assert host.outcome() == ["met"] * 3


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("odd", ["Odd", "is odd"]),
        ("value", ["ValueError", "bad value"]),
        ("strange", ["StepFailed", "Strange", "7: very", 1]),
    ],
)
async def test_an_error_comes_back_as_its_own_class_where_that_can_be_made(
    make_host: MakeHost, kind: str, outcome: list[Any]
) -> None:
    host = make_host(APP, check=True)
    await host.start(errors, kind)
    assert host.outcome() == outcome


async def test_a_step_is_retried_by_its_policy_with_durable_timers(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    await host.start(retried, 0)
    assert (Ran.log, host.outcome()) == (["value"], None)
    await host.wait(1)
    assert (Ran.log, host.outcome()) == (["value"] * 2, None)
    await host.wait(2)
    assert Ran.log == ["value"] * 3
    assert host.outcome() == ["ValueError", "bad value"]
    attempts = [x.attempt for x in host.history().events() if isinstance(x, e.StepErrored)]
    assert attempts == [1, 2, 3]


async def test_a_step_s_error_that_is_not_retryable_is_final(make_host: MakeHost) -> None:
    host = make_host(APP, check=True)
    await host.start(retried, 1)
    assert (Ran.log, host.outcome()) == (["odd"], ["Odd", "is odd"])


async def test_a_recorded_step_does_not_run_again(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    await host.start(mixed, 4)
    assert Ran.log == ["loop"]
    await host.answer("1", 8)
    assert (host.outcome(), Ran.log) == ([8, 5], ["loop"])


async def test_calls_beside_a_step_are_sent_before_it_is_done(make_host: MakeHost) -> None:
    began, end = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        began.set()
        await end.wait()
        return "done"

    @workflow
    async def beside(ctx: Context, n: int) -> list[Any]:
        return list(await asyncio.gather(ctx.call(DOUBLE, n), ctx.step(slow)))

    host = make_host(App("tests", workflows=[beside], services=[DOUBLE]))
    turn = asyncio.create_task(host.start(beside))
    async with asyncio.timeout(5):
        await began.wait()
        assert host.sent() == [("1", 1)]
        end.set()
        assert (await turn).commits == 2
    await host.answer("1", 2)
    assert host.outcome() == [2, "done"]


async def test_a_step_whose_worker_died_runs_again_with_the_repeated_message(
    make_host: MakeHost,
) -> None:
    host = make_host(APP, live_max=0)
    died = RuntimeError("killed")

    def die(commit: Commit) -> None:
        if commit.turn.number == 2:
            raise died

    host.store.before_commit = die
    with pytest.raises(RuntimeError, match="killed"):
        await host.start(mixed, 4)
    assert len(host.history().turns) == 1
    host.store.before_commit = lambda commit: None
    await host.send(Request("e", "mixed", 4))
    assert Ran.log == ["loop", "loop"]  # at least once
    await host.answer("1", 8)
    assert host.outcome() == [8, 5]


async def test_a_step_given_up_is_cancelled_and_its_result_is_not_recorded(
    make_host: MakeHost,
) -> None:
    cancelled = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    @workflow
    async def race(ctx: Context, n: int) -> int:
        step = ctx.step(endless)
        value = await ctx.step(on_loop, n)
        step.cancel()
        return await ctx.step(on_loop, value)

    host = make_host(App("tests", workflows=[race]), check=True)
    async with asyncio.timeout(5):
        await host.start(race, 1)
    assert (host.outcome(), cancelled.is_set()) == (3, True)


async def test_a_result_that_cannot_be_encoded_says_where(make_host: MakeHost) -> None:
    def odd() -> Any:
        return {"a": object()}

    @workflow
    async def encodes(ctx: Context, n: int) -> Any:
        return await ctx.step(odd)

    host = make_host(App("tests", workflows=[encodes]))
    await host.start(encodes)
    failure = host.outcome()
    assert failure.type.endswith("EncodeError")
    assert "result of step odd" in failure.message


async def test_two_workers_with_the_very_same_turn_begin_a_step_that_runs_once_but_once(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def begin(n: int) -> int:
        begun.append(n)
        return n

    @workflow
    async def once(ctx: Context, n: int) -> int:
        return await ctx.step(begin, n, at_most_once=True)

    host = make_host(App("tests", workflows=[once]))
    load, together = host.store.load, asyncio.Barrier(2)

    async def load_together(execution_id: str) -> Any:
        loaded = await load(execution_id)
        if not loaded.texts:
            await together.wait()
        return loaded

    monkeypatch.setattr(host.store, "load", load_together)
    arrival = Arrival(Request("e", "once", 1))
    await asyncio.gather(
        host.worker().run("e", [arrival]), host.worker().run("e", [arrival]), return_exceptions=True
    )
    assert begun == [1]
