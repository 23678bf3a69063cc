"""The watchdog: code that does not wait is named, and cut off; nothing is cut off after its run."""

from __future__ import annotations

import asyncio
import re
import textwrap
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

from lambda_workflow import App, Context, Service, Status, TurnTimedOut, Workflow, workflow
from lambda_workflow.errors import BackendError, ConfigurationError, ExecutionNotFound
from lambda_workflow.local import Engine
from lambda_workflow.model.messages import Redrive, Request
from lambda_workflow.model.wire import render
from lambda_workflow.runtime.batch import Record, run_batch
from lambda_workflow.runtime.deadline import DEADLINE, Deadline
from lambda_workflow.runtime.turn_limits import TurnLimits
from lambda_workflow.runtime.watchdog import Watch
from lambda_workflow.testing import simulate
from tests.notes import Notes
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE
from tests.runtime.test_batch import FakeDeadLetters

QUICK = TurnLimits(0.15, 0.3)
Code = Callable[[Context, int], Coroutine[Any, Any, Any]]


async def plain(ctx: Context, n: int) -> int:
    while True:
        n = n * 1  # LINE


async def catching(ctx: Context, n: int) -> int:
    while True:
        with suppress(BaseException):
            sum(range(500))  # LINE


async def yielding(ctx: Context, n: int) -> int:
    while True:  # noqa: ASYNC110  # an endless loop is what is wanted
        await asyncio.sleep(0)  # LINE


async def in_a_library(ctx: Context, n: int) -> int:
    while True:
        textwrap.dedent("    a")  # LINE


async def in_a_condition(ctx: Context, n: int) -> int:
    def never() -> bool:
        while True:
            sum(range(9))  # LINE

    task = asyncio.create_task(asyncio.sleep(60))
    asyncio.get_running_loop().call_soon(lambda: flags.append(1))
    flags: list[int] = []
    await ctx.wait_until(lambda: bool(flags) and never())
    return task.done()


async def in_a_task(ctx: Context, n: int) -> int:
    async def spin() -> None:
        while True:
            sum(range(9))  # LINE

    async with asyncio.TaskGroup() as group:
        group.create_task(spin())
        group.create_task(asyncio.sleep(60))
    return n


ENDLESS = [plain, catching, yielding, in_a_library, in_a_condition, in_a_task]


@pytest.mark.parametrize("code", ENDLESS, ids=lambda code: code.__name__)
async def test_an_endless_loop_is_named_once_and_blocks(code: Code, make_host: MakeHost) -> None:
    flow = workflow(name="flow")(code)
    host = make_host(App("tests", workflows=[flow], services=[DOUBLE]), limits=QUICK)
    result = await host.start(flow)
    assert result.status is Status.BLOCKED
    last = host.history().turns[-1]
    assert len(last.events) == 1  # the start is kept
    assert not last.commands
    place = rf"{Path(__file__).relative_to(Path.cwd())}:(\d+)"
    blamed = re.match(rf"TurnTimedOut: {place}: the workflow ran for ", last.reason)
    assert blamed is not None
    assert int(blamed[1]) in _lines_of(code)
    (slow,) = host.notes.of("slow")
    assert slow.execution_id == "e"
    named = re.fullmatch(place, str(slow.fields["line"]))
    assert named is not None
    assert int(named[1]) in _lines_of(code)


def _lines_of(code: Code) -> tuple[int, int]:
    """Those of the loop and of its body."""
    lines = Path(__file__).read_text().splitlines()
    first = code.__code__.co_firstlineno
    body = next(n for n, line in enumerate(lines, 1) if n > first and "# LINE" in line)
    return body - 1, body


async def test_a_mended_loop_goes_on_from_where_it_was(make_host: MakeHost) -> None:
    @workflow(name="flow")
    async def broken(ctx: Context, n: int) -> int:
        n = await ctx.call(DOUBLE, n)
        while True:
            n += 0

    @workflow(name="flow")
    async def mended(ctx: Context, n: int) -> int:
        return await ctx.call(DOUBLE, n)

    host = make_host(App("tests", workflows=[broken], services=[DOUBLE]), limits=QUICK)
    await host.start(broken, 4)
    assert (await host.answer("1", 8)).status is Status.BLOCKED
    again = await host.send(Redrive("e"))
    assert again.status is Status.BLOCKED  # tried once more, for as long as the limit
    host.deploy(App("tests", workflows=[mended], services=[DOUBLE]), limits=QUICK)
    assert (await host.send(Redrive("e"))).status is Status.COMPLETED


async def test_a_fact_that_never_decodes_blocks(make_host: MakeHost) -> None:
    def forever(value: int) -> int:
        while value:
            pass
        return value

    odd: Service[int, Any] = Service("odd", int, Annotated[int, AfterValidator(forever)])

    @workflow
    async def flow(ctx: Context, n: int) -> int:
        return await ctx.call(odd, n)

    host = make_host(App("tests", workflows=[flow], services=[odd]), limits=QUICK)
    await host.start(flow)
    assert (await host.answer("1", 8)).status is Status.BLOCKED


async def test_code_that_spins_while_it_is_unwound_is_left(make_host: MakeHost) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> int:
        try:
            return await ctx.call(DOUBLE, n)
        finally:
            while not n:
                pass

    host = make_host(App("tests", workflows=[flow], services=[DOUBLE]), limits=QUICK, live_max=0)
    began = time.monotonic()
    assert (await host.start(flow, 0)).status is Status.RUNNING
    assert 0.2 < time.monotonic() - began < 5


async def test_a_query_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> int:
        return await ctx.call(DOUBLE, n)

    @flow.query
    def endless(ctx: Context) -> int:
        while True:
            pass

    monkeypatch.setattr(Watch.__init__, "__defaults__", (QUICK, None, BackendError))
    async with Engine(App("tests", workflows=[flow], services=[DOUBLE]), ":memory:") as engine:
        handle = await engine.client.start(flow, 1)
        while True:
            with suppress(ExecutionNotFound):
                await handle.describe()
                break
        with pytest.raises(TurnTimedOut, match=r"test_watchdog\.py:\d+: the workflow ran for"):
            await handle.query(endless)


async def test_facts_are_progress(make_host: MakeHost) -> None:
    """A replay of many facts may take long in all."""

    @workflow
    async def flow(ctx: Context, n: int) -> int:
        for _ in range(6):
            n = await ctx.call(DOUBLE, n)
            busy_for(0.15)
        return n

    app = App("tests", workflows=[flow], services=[DOUBLE])
    host = make_host(app, limits=TurnLimits(None, 0.4), live_max=0)
    result = await host.start(flow)
    for operation in range(1, 7):  # each turn replays all that came before
        result = await host.answer(str(operation), 1)
    assert result.status is Status.COMPLETED


async def test_blocking_calls_are_named(make_host: MakeHost) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> int:
        time.sleep(0.5)  # noqa: ASYNC251  # C code that releases the lock of the interpreter
        return n

    host = make_host(App("tests", workflows=[flow]), limits=TurnLimits(0.15, None))
    assert (await host.start(flow)).status is Status.COMPLETED
    (slow,) = host.notes.of("slow")
    assert "test_watchdog.py:" in str(slow.fields["line"])


async def test_none_is_for_ever(make_host: MakeHost) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> int:
        busy_for(0.5)
        return n

    host = make_host(App("tests", workflows=[flow]), limits=TurnLimits(None, None))
    assert (await host.start(flow)).status is Status.COMPLETED
    assert not host.notes.of("slow")


async def test_what_a_debugger_holds_is_not_cut_off(make_host: MakeHost) -> None:
    @workflow
    async def flow(ctx: Context, n: int) -> int:
        globals_of_a_debugger = {"__name__": "pdb", "busy_for": busy_for}
        exec("busy_for(0.8)", globals_of_a_debugger)
        return n

    host = make_host(App("tests", workflows=[flow]), limits=QUICK)
    assert (await host.start(flow)).status is Status.COMPLETED
    assert host.notes.of("slow")


async def test_a_host_with_little_time_left_gives_the_turn_back(make_host: MakeHost) -> None:
    """Cut off by the function's time alone: BLOCKED only after a fair share of it."""
    flow: Workflow[int, int] = workflow(name="flow")(plain)
    host = make_host(App("tests", workflows=[flow]))
    now = asyncio.get_running_loop().time()
    token = DEADLINE.set(Deadline(now + 0.5, 100.0))
    with pytest.raises(BackendError, match=r"time ended while the workflow ran at .*watchdog\.py"):
        await host.start(flow)
    DEADLINE.reset(token)


async def test_a_function_is_cut_off_before_its_time_is_over(make_host: MakeHost) -> None:
    flow: Workflow[int, int] = workflow(name="flow")(plain)
    host = make_host(App("tests", workflows=[flow]))
    record = Record("r", render(Request("e", "flow", 1)), "e")
    failed = await run_batch(host.turns, [record], FakeDeadLetters(), seconds_max=1.0)
    assert failed == set()
    assert host.history().status is Status.BLOCKED


def test_in_a_simulation() -> None:
    flow: Workflow[int, int] = workflow(name="flow")(plain)
    with pytest.raises(TurnTimedOut, match=r"test_watchdog\.py"):
        simulate(flow, 1, turn_seconds_max=0.2)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_limits_are_above_zero(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="turn_seconds_max"):
        TurnLimits(1.0, seconds)


def test_nothing_is_raised_after_a_run() -> None:
    """Runs that end about when the watchdog cuts them off, in several threads at once."""
    watch = Watch(TurnLimits(None, 0.05), Notes())
    strays: list[BaseException] = []
    cuts: list[bool] = []

    def race(seconds: float) -> None:
        try:
            for n in range(12):
                runs = _Runs()
                cut = watch.run(runs, lambda n=n: busy_for(seconds + n / 500))  # type: ignore[misc]
                cuts.append(cut is not None)
                busy_for(0.02)
        except BaseException as stray:  # noqa: BLE001  # what is looked for
            strays.append(stray)

    threads = [threading.Thread(target=race, args=(0.18 + n / 100,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not strays
    assert len(cuts) == 48
    assert any(cuts)


class _Runs:
    execution_id = "e"
    facts = 0

    def stop(self) -> None:
        pass


def busy_for(seconds: float) -> None:
    """Work of Python code."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(50))


async def test_the_reason_names_the_workflow_and_the_app(make_host: MakeHost) -> None:
    flow: Workflow[int, int] = workflow(name="endless")(plain)
    app = App("loops", workflows=[flow], version="7")
    host = make_host(app, limits=QUICK)
    await host.start(flow)
    reason = host.history().turns[-1].reason
    assert "execution e of workflow `endless` of App `loops` version 7" in reason
    assert not re.search(r"(^|[ (])/", reason), "a path of the machine"
