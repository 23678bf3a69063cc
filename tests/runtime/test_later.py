"""Later: what it may carry, and what becomes of a delivery that raises it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import (
    ConfigurationError,
    EncodeError,
    Later,
    LimitExceeded,
    Service,
    Task,
    heartbeat,
    serve,
)
from lambda_workflow.model.messages import Heartbeat, Update
from lambda_workflow.model.wire import parse_task, render_task
from lambda_workflow.runtime.attend import DEADLINE_MARGIN_MS, HOP_MS, Postponed
from lambda_workflow.runtime.later import STATE_BYTES_MAX
from lambda_workflow.runtime.workshop import Outcome, Workshop
from lambda_workflow.testing.memory import MemoryBlobs

SECOND = timedelta(seconds=1)
MINUTE_MS = 60_000
WORK: Service[str, str] = Service("work", str, str)
TASK = Task("e", "e/1", "work", "a", 1, "memory://inbox")
BEATING = replace(TASK, heartbeat_ms=MINUTE_MS)
WITHDRAWAL = replace(BEATING, payload=None, reply=False, cancelled=True)


class Bench:
    """A workshop whose adapter does what the test says, and whose time the test moves."""

    def __init__(self, act: Callable[[Task], Any]) -> None:
        self.now = 1_000_000
        self.visits = 0
        self.beats: list[tuple[int, Any]] = []
        self.shop = Workshop(MemoryBlobs, self.beat, lambda: self.now)

        @serve(WORK)
        async def work(what: str, task: Task) -> str:
            self.visits += 1
            result = act(task)
            return str(await result if asyncio.iscoroutine(result) else result)

        self.adapter = work

    async def beat(self, task: Task, message: Heartbeat) -> None:
        self.beats.append((self.now, message.details))

    async def do(self, task: Task, *, is_repeat: bool = False) -> Outcome:
        return await self.shop.do(self.adapter, task, is_repeat=is_repeat)

    async def put_back(self, task: Task) -> Postponed:
        outcome = await self.do(task)
        assert isinstance(outcome, Postponed)
        return outcome


def leaves(after: timedelta, state: Any = None) -> Callable[[Task], Any]:
    """An adapter that is away once."""

    def act(task: Task) -> str:
        if not task.not_before:
            raise Later(after, state)
        return f"state {task.state}"

    return act


async def test_the_task_is_put_back_as_it_is_with_state_and_time() -> None:
    bench = Bench(leaves(90 * SECOND, {"job": [7]}))
    postponed = await bench.put_back(TASK)
    due = bench.now + 90_000
    assert postponed == Postponed(replace(TASK, state={"job": [7]}, not_before=due), 90_000, due)
    bench.now = due
    assert await bench.do(postponed.task) == Update("e", "1", "state {'job': [7]}", None, 1)
    assert bench.beats == []


async def test_a_task_that_is_away_travels_as_json() -> None:
    task = replace(
        BEATING, state={"job": None}, not_before=5_000, beat_at=4_000, deadline_ms=9_000_000
    )
    assert parse_task(render_task(task)) == task
    assert task.deadline == datetime(1970, 1, 1, 2, 30, tzinfo=UTC)
    assert not {"state", "not_before", "beat_at", "deadline_ms"} & set(render_task(TASK).split('"'))


async def test_a_long_delay_is_made_of_hops_that_the_adapter_does_not_see() -> None:
    bench = Bench(leaves(timedelta(hours=1), "there"))
    began, task, hops = bench.now, TASK, 0
    while isinstance(outcome := await bench.do(task), Postponed):
        assert outcome.delay_ms <= HOP_MS
        task, bench.now, hops = outcome.task, outcome.due, hops + 1
    assert (hops, bench.visits, bench.now - began) == (4, 2, 3_600_000)
    assert isinstance(outcome, Update)


async def test_a_delay_that_a_clock_has_almost_over_is_over() -> None:
    bench = Bench(leaves(90 * SECOND))
    postponed = await bench.put_back(TASK)
    bench.now = postponed.due - 900
    assert isinstance(await bench.do(postponed.task), Update)


async def test_a_short_absence_costs_no_heartbeat_of_its_own() -> None:
    def act(task: Task) -> str:
        if (count := task.state or 0) < 12:
            raise Later(5 * SECOND, count + 1)
        return "done"

    bench = Bench(act)
    began, task = bench.now, BEATING
    while isinstance(outcome := await bench.do(task), Postponed):
        task, bench.now = outcome.task, outcome.due
    assert [((at - began) // 1000, details) for at, details in bench.beats] == [
        (0, 1), (30, 7),
    ]  # fmt: skip


async def test_a_long_absence_is_heard_of_twice_within_the_timeout() -> None:
    bench = Bench(leaves(timedelta(minutes=3), "there"))
    began, task = bench.now, BEATING
    while isinstance(outcome := await bench.do(task), Postponed):
        task, bench.now = outcome.task, outcome.due
    beats = [(at - began) // 1000 for at, _ in bench.beats]
    assert beats == [0, 30, 60, 90, 120, 150]
    assert {details for _, details in bench.beats} == {"there"}


async def test_the_adapter_s_own_heartbeats_count() -> None:
    async def act(task: Task) -> None:
        await heartbeat("own")
        raise Later(20 * SECOND, "state")

    bench = Bench(act)
    postponed = await bench.put_back(BEATING)
    assert [details for _, details in bench.beats] == ["own"]
    assert postponed.task.beat_at == bench.now


async def test_an_error_after_an_absence_leaves_the_state_for_the_next_attempt() -> None:
    def act(task: Task) -> str:
        if task.state == "second":
            raise ValueError("lost")
        raise Later(5 * SECOND, "second" if task.state else "first")

    bench = Bench(act)
    task = BEATING
    while isinstance(outcome := await bench.do(task), Postponed):
        task, bench.now = outcome.task, outcome.due
    assert [details for _, details in bench.beats] == ["first", "second"]


async def test_what_was_withdrawn_meanwhile_is_not_put_back() -> None:
    at_work = asyncio.Event()

    async def act(task: Task) -> None:
        at_work.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise Later(SECOND)

    bench = Bench(act)
    working = asyncio.create_task(bench.do(BEATING))
    await at_work.wait()
    await bench.do(WITHDRAWAL)
    assert await working is None


class Job:
    """Work that goes on elsewhere, and is stopped when nobody wants it any more."""

    def __init__(self, *, is_async: bool) -> None:
        self.looking = asyncio.Event()
        self.looked = threading.Event()
        self.stopped: list[str] = []
        loop = asyncio.get_running_loop()

        async def look(what: str, task: Task) -> str:
            if not task.not_before:
                raise Later(20 * SECOND, "begun")
            self.looking.set()
            await asyncio.Event().wait()
            return what

        def look_in_a_thread(what: str, task: Task) -> str:
            loop.call_soon_threadsafe(self.looking.set)
            self.looked.wait()
            raise Later(20 * SECOND, "begun")

        self.adapter = serve(WORK)(look if is_async else look_in_a_thread)
        self.adapter.on_cancel(lambda task: self.stopped.append(task.task_id))


@pytest.mark.parametrize("is_async", [True, False])
async def test_what_goes_on_elsewhere_is_stopped_though_its_adapter_is_at_work_here(
    is_async: bool,
) -> None:
    """It only looks how far the work is; broken off in that, it has stopped nothing."""
    bench, job = Bench(leaves(SECOND)), Job(is_async=is_async)
    bench.adapter = job.adapter
    task = BEATING
    if is_async:
        postponed = await bench.put_back(task)
        task, bench.now = postponed.task, postponed.due
    working = asyncio.create_task(bench.do(task))
    await job.looking.wait()
    withdrawing = asyncio.create_task(bench.do(WITHDRAWAL))
    await asyncio.sleep(0)
    job.looked.set()
    assert [await withdrawing, await working] == [None, None]
    assert job.stopped == ["e/1"]


async def test_what_is_withdrawn_while_it_gives_a_sign_of_life_is_stopped() -> None:
    bench, job = Bench(leaves(SECOND)), Job(is_async=True)
    bench.adapter = job.adapter
    beating = asyncio.Event()

    async def beat(task: Task, message: Heartbeat) -> None:
        beating.set()
        await asyncio.Event().wait()

    bench.shop = Workshop(MemoryBlobs, beat, lambda: bench.now)
    working = asyncio.create_task(bench.do(BEATING))
    await beating.wait()
    assert [await bench.do(WITHDRAWAL), await working] == [None, None]
    assert job.stopped == ["e/1"]


async def test_what_was_withdrawn_while_away_is_not_begun_again() -> None:
    bench = Bench(leaves(20 * SECOND))
    postponed = await bench.put_back(BEATING)
    await bench.do(WITHDRAWAL)
    bench.now = postponed.due
    assert await bench.do(postponed.task) is None
    assert bench.visits == 1


async def test_what_comes_back_after_its_deadline_is_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench(lambda task: "done")
    task = replace(TASK, deadline_ms=bench.now, not_before=bench.now)
    bench.now += DEADLINE_MARGIN_MS
    assert isinstance(await bench.do(task), Update)
    bench.now += 1
    with caplog.at_level(logging.INFO, logger="lambda_workflow"):
        assert await bench.do(task) is None
    assert bench.visits == 1
    assert "task e/1 of service work is dropped: nobody waits for attempt 1" in caplog.text


async def test_what_comes_for_the_first_time_is_done_whatever_the_clocks_say() -> None:
    """The clock of the machine that set the deadline may be an hour behind."""
    bench = Bench(lambda task: "done")
    task = replace(TASK, deadline_ms=bench.now)
    bench.now += 60 * MINUTE_MS
    assert isinstance(await bench.do(task), Update)


async def test_what_would_come_back_after_its_deadline_does_not() -> None:
    bench = Bench(leaves(timedelta(minutes=10)))
    assert await bench.do(replace(TASK, deadline_ms=bench.now + 5 * MINUTE_MS)) is None
    assert isinstance(
        await bench.do(replace(TASK, deadline_ms=bench.now + 9 * MINUTE_MS)), Postponed
    )


async def test_signs_of_life_are_given_until_the_deadline_of_what_would_come_back_after_it() -> (
    None
):
    """Somebody else may answer meanwhile, and the attempt must live to see it."""
    bench = Bench(leaves(timedelta(hours=1), "there"))
    began = bench.now
    task = replace(BEATING, deadline_ms=began + 3 * MINUTE_MS)
    while isinstance(outcome := await bench.do(task), Postponed):
        task, bench.now = outcome.task, outcome.due
    assert outcome is None
    assert bench.visits == 1
    heard = [(at - began) // 1000 for at, _ in bench.beats]
    assert heard == [0, 30, 60, 90, 120, 150, 180, 210]


async def test_what_nobody_waits_for_may_come_back() -> None:
    bench = Bench(leaves(SECOND))
    assert isinstance(await bench.do(replace(TASK, reply=False)), Postponed)


async def test_no_handler_of_errors_sees_it() -> None:
    def act(task: Task) -> str:
        try:
            raise Later(SECOND)
        except Exception as error:
            raise AssertionError("it looks like an error") from error

    await Bench(act).put_back(TASK)


async def test_it_may_be_raised_within_a_task_group() -> None:
    async def leave() -> None:
        raise Later(7 * SECOND)

    async def act(task: Task) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(leave())
            tasks.create_task(asyncio.sleep(60))

    assert (await Bench(act).put_back(TASK)).delay_ms == 7_000


async def test_an_error_beside_it_in_a_task_group_is_the_answer() -> None:
    async def act(task: Task) -> None:
        raise BaseExceptionGroup("both", [Later(SECOND), ValueError("broken")])

    outcome = await Bench(act).do(TASK)
    assert isinstance(outcome, Update)
    assert outcome.failure is not None
    assert outcome.failure.type == "ExceptionGroup"


def test_a_state_is_json_of_bounded_size() -> None:
    assert Later(SECOND, {"a": [1, None]}).state == {"a": [1, None]}
    Later(SECOND, "x" * (STATE_BYTES_MAX - 2))
    with pytest.raises(LimitExceeded, match=r"Later is 16,001 bytes.*at most 16,000"):
        Later(SECOND, "x" * (STATE_BYTES_MAX - 1))
    with pytest.raises(LimitExceeded):
        Later(SECOND, "é" * (STATE_BYTES_MAX // 2))
    with pytest.raises(EncodeError, match="state of Later"):
        Later(SECOND, {"socket": object()})


@pytest.mark.parametrize("after", [-SECOND, timedelta(days=367)])
def test_a_delay_out_of_its_limits_is_refused(after: timedelta) -> None:
    with pytest.raises(ConfigurationError, match=r"delay of Later is .*: it must be 0 to 366 days"):
        Later(after)


def test_a_delay_in_plain_seconds_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Later is 30: .*timedelta\(seconds=30\)"):
        Later(30)  # type: ignore[arg-type]  # the point of it


async def test_a_state_that_cannot_travel_is_an_error_answer() -> None:
    outcome = await Bench(leaves(SECOND, "x" * STATE_BYTES_MAX)).do(TASK)
    assert isinstance(outcome, Update)
    assert outcome.failure is not None
    assert outcome.failure.type == "LimitExceeded"
