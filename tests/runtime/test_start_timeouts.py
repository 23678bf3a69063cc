"""A call's `start_timeout`: its timer, the begin that stops it, and what comes late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    BackendError,
    ConfigurationError,
    Context,
    RetryPolicy,
    Service,
    StartTimedOut,
    Status,
    Task,
    workflow,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model.events import Failure, TimerFired
from lambda_workflow.model.messages import Heartbeat, Message, Pause, Redrive, Resume, Timer, Update
from lambda_workflow.model.wire import parse_task, render_task
from lambda_workflow.runtime.attend import DEADLINE_MARGIN_MS
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import Host
from tests.runtime.test_later import TASK, Bench, leaves

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
TWICE = RetryPolicy(attempts=2, initial=10 * SECOND, jitter=0)
LIMITED: Service[int, int] = Service("work", int, int, start_timeout=MINUTE, retry=TWICE)
FREE: Service[int, int] = Service("work", int, int, retry=TWICE)
BOTH: Service[int, int] = Service(
    "work", int, int, start_timeout=MINUTE, heartbeat_timeout=2 * MINUTE, retry=TWICE
)


def calling(service: Service[int, int]) -> App:
    @workflow(name="calls")
    async def calls(ctx: Context, n: int) -> int:
        return await ctx.call(service, n)

    return App("tests", workflows=[calls], services=[service])


def diverging() -> App:
    @workflow(name="calls")
    async def calls(ctx: Context, n: int) -> None:
        await ctx.sleep(MINUTE)

    return App("tests", workflows=[calls])


LIMIT, NONE, WITH_BEATS, OTHER_CODE = calling(LIMITED), calling(FREE), calling(BOTH), diverging()


async def begun(make_host: MakeHost, app: App = LIMIT) -> Host:
    host = make_host(app, check=True)
    await host.start(app.workflows["calls"], 1)
    return host


def timers(host: Host) -> list[str]:
    return [x.operation for x in host.history().open.values() if isinstance(x, c.StartTimer)]


async def test_the_task_says_until_when_it_is_to_begin(make_host: MakeHost) -> None:
    host = await begun(make_host)
    (task,) = host.tasks()
    assert task.start_by_ms == host.clock.now() + 60_000
    assert parse_task(render_task(task)) == task
    assert task.deadline_ms == 0
    assert timers(host) == ["1:start1"]
    await host.send(Heartbeat("e", "1", None, 1))
    assert timers(host) == []
    assert host.timers.next_due is None
    await host.answer("1", 7)
    assert host.outcome() == 7


async def test_each_attempt_has_a_limit_of_its_own(make_host: MakeHost) -> None:
    host = await begun(make_host)
    await host.wait(60)
    assert timers(host) == ["1:retry1"]
    await host.wait(10)
    assert [(t.attempt, t.start_by_ms - host.clock.now()) for t in host.tasks()][1:] == [
        (2, 60_000)
    ]
    await host.send(Heartbeat("e", "1", None, 1))  # of the attempt before: it is over
    assert timers(host) == ["1:start2"]
    await host.wait(60)
    failure = host.outcome()
    assert failure.type == "StartTimedOut"
    assert "no adapter began the attempt within 60 s" in failure.message


async def test_a_call_that_has_failed_takes_no_answer(make_host: MakeHost) -> None:
    @workflow(name="calls")
    async def calls(ctx: Context, n: int) -> str:
        try:
            await ctx.call(LIMITED, n, retry=RetryPolicy(attempts=1))
        except StartTimedOut:
            await ctx.sleep(MINUTE)
        return "went on"

    host = await begun(make_host, App("tests", workflows=[calls], services=[LIMITED]))
    await host.wait(60)
    assert list(host.history().open) == ["2"]
    facts = host.history().facts
    await host.answer("1", 7)
    assert host.history().facts == facts
    await host.wait(60)
    assert host.outcome() == "went on"


async def test_an_error_and_an_answer_stop_it(make_host: MakeHost) -> None:
    host = await begun(make_host)
    await host.fail("1", Failure("Broken", "early"))
    assert timers(host) == ["1:retry1"]
    await host.wait(10)
    await host.answer("1", 3, attempt=2)
    assert (host.outcome(), host.timers.next_due) == (3, None)


async def test_a_beat_and_its_limit_live_side_by_side(make_host: MakeHost) -> None:
    host = await begun(make_host, WITH_BEATS)
    assert sorted(timers(host)) == ["1:beat1.1", "1:start1"]
    await host.wait(30)
    await host.send(Heartbeat("e", "1", "page 1", 1))
    await host.wait(90)
    assert timers(host) == ["1:beat1.2"]
    await host.wait(30)
    assert timers(host) == ["1:retry1"]
    await host.wait(10)
    assert host.tasks()[-1].details == "page 1"
    assert sorted(timers(host)) == ["1:beat2.1", "1:start2"]


async def test_a_task_that_is_sent_again_has_the_limit_until_it_has_begun(
    make_host: MakeHost,
) -> None:
    host = await begun(make_host)
    await host.redrive()
    await host.send(Heartbeat("e", "1", None, 1))
    await host.wait(3600)
    await host.redrive()
    limits = [task.start_by_ms for task in host.tasks()]
    assert limits[0] == limits[1] > 0
    assert limits[2:] == [0]


@pytest.mark.parametrize("kept_by", ["pause", "block"])
@pytest.mark.parametrize(
    ("order", "attempts", "outcome"),
    [
        (["begin", "timer", "answer"], 1, 7),
        (["begin", "timer"], 1, None),
        (["timer"], 2, None),
        (["timer", "begin", "answer"], 1, 7),
        (["error", "timer"], 2, None),
    ],
    ids=["begin_timer_answer", "begin_timer", "timer", "timer_begin_answer", "error_timer"],
)
async def test_what_comes_while_it_stands_still_is_one_story(
    make_host: MakeHost, kept_by: str, order: list[str], attempts: int, outcome: Any
) -> None:
    host = await begun(make_host)
    due = host.tasks()[0].start_by_ms
    if kept_by == "pause":
        await host.send(Pause("e"))
    else:
        host.deploy(OTHER_CODE, check=True)
    await host.memory.advance(61)
    host.queue.take_messages()
    said: dict[str, Message] = {
        "begin": Heartbeat("e", "1", None, 1),
        "timer": Timer("e", "1:start1", due),
        "answer": Update("e", "1", 7, None, 1),
        "error": Update("e", "1", None, Failure("Broken", ""), 1),
    }
    for what in order:
        await host.send(said[what])
    assert host.status() is (Status.PAUSED if kept_by == "pause" else Status.BLOCKED)
    fired = [event for event in host.history().events() if isinstance(event, TimerFired)]
    assert bool(fired) == ("timer" in order and order[0] != "begin")
    host.deploy(LIMIT, check=True)
    await host.send(Resume("e") if kept_by == "pause" else Redrive("e"))
    assert host.outcome() == outcome
    if outcome is None:
        assert "1" in host.history().open
        await host.wait(10)
    host.deploy(LIMIT, check=True)
    await host.send(Redrive("e"))
    assert max(attempt for _, attempt in host.sent()) == attempts


@pytest.mark.parametrize(("before", "after"), [(LIMIT, NONE), (NONE, LIMIT)], ids=["off", "on"])
async def test_an_attempt_keeps_its_limit_and_the_next_follows_the_contract(
    make_host: MakeHost, before: App, after: App
) -> None:
    host = await begun(make_host, before)
    had = timers(host)
    assert had == (["1:start1"] if before is LIMIT else [])
    host.deploy(after, check=True)
    await host.wait(60)
    if not had:
        assert host.sent() == [("1", 1)]
        await host.fail("1", Failure("Broken", ""))
    await host.wait(10)
    assert [attempt for _, attempt in host.sent()] == [1, 2]
    assert timers(host) == (["1:start2"] if after is LIMIT else [])
    host.deploy(after, check=True)
    await host.answer("1", 5, attempt=2)
    assert host.outcome() == 5


async def test_a_later_run_has_limits_of_its_own(make_host: MakeHost) -> None:
    @workflow(name="calls")
    async def calls(ctx: Context, n: int) -> int:
        if n == 1:
            ctx.call(LIMITED, n)
            await ctx.call(LIMITED, n)
            ctx.continue_as_new(2)
        return await ctx.call(LIMITED, n)

    app = App("tests", workflows=[calls], services=[LIMITED])
    host = await begun(make_host, app)
    assert timers(host) == ["1:start1", "2:start1"]
    await host.answer("2", 1)
    (timer,) = timers(host)
    operation = timer.partition(":")[0]
    assert operation not in ("1", "2")
    await host.send(Timer("e", "1:start1", 0))  # of the run before
    await host.send(Heartbeat("e", operation, None, 1))
    assert timers(host) == []
    await host.answer(operation, 4)
    assert host.outcome() == 4


# the adapter's side


def limited(bench: Bench, **fields: Any) -> Task:
    return replace(TASK, start_by_ms=bench.now + 60_000, **fields)


async def test_the_begin_is_reported_once_with_the_details_of_the_attempts_before() -> None:
    bench = Bench(lambda task: "done")
    assert isinstance(await bench.do(limited(bench, details="page 3")), Update)
    assert bench.beats == [(bench.now, "page 3")]
    assert isinstance(await bench.do(TASK), Update)
    assert len(bench.beats) == 1  # no other service pays for it


async def test_what_comes_too_late_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(lambda task: "done")
    task = limited(bench)
    bench.now = task.start_by_ms + DEADLINE_MARGIN_MS
    assert isinstance(await bench.do(task), Update)
    bench.now += 1
    caplog.set_level("INFO")
    assert await bench.do(task) is None
    assert (bench.visits, len(bench.beats)) == (1, 1)
    assert "task e/1 of service work is dropped: attempt 1 was to begin 60 s ago" in caplog.text


async def test_what_may_have_begun_before_is_never_dropped() -> None:
    """A worker may have died at it; its begin has stopped the timer."""
    bench = Bench(lambda task: "done")
    task = limited(bench)
    bench.now += 3_600_000
    assert isinstance(await bench.do(task, is_repeat=True), Update)
    assert len(bench.beats) == 1


async def test_what_comes_back_later_has_begun() -> None:
    bench = Bench(leaves(timedelta(hours=1), "there"))
    postponed = await bench.put_back(limited(bench))
    assert len(bench.beats) == 1
    again = parse_task(render_task(postponed.task))
    bench.now = again.not_before
    assert await bench.do(again) == Update("e", "1", "state there", None, 1)
    assert len(bench.beats) == 1


async def test_a_begin_that_cannot_be_reported_is_none() -> None:
    bench = Bench(lambda task: "done")

    async def refuse(task: Task, message: Heartbeat) -> None:
        raise BackendError("the queue is throttled")

    bench.shop._post = refuse
    with pytest.raises(BackendError, match="throttled"):
        await bench.do(limited(bench))
    assert bench.visits == 0


def test_a_limit_of_no_time_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="starts of service 'w' is 0:00:00"):
        Service("w", int, int, start_timeout=timedelta(0))
