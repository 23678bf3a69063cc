"""Work that goes on elsewhere: adapters that end, and come back to their task later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    NO_RETRY,
    App,
    CallTimedOut,
    Context,
    Later,
    RetryPolicy,
    Service,
    Task,
    serve,
    task_info,
    workflow,
)
from lambda_workflow.model.events import Heartbeat
from lambda_workflow.runtime.handle import Handle
from tests.operations.host import Host

SECOND = timedelta(seconds=1)
MINUTE = 60 * SECOND

JOB: Service[list[int], str] = Service("job", list[int], str)
THREAD: Service[int, int] = Service("thread", int, int)
BEATING: Service[int, str] = Service(
    "beating", int, str, heartbeat_timeout=MINUTE, retry=RetryPolicy(attempts=2, initial=SECOND)
)
LIMITED: Service[int, str] = Service(
    "limited", int, str, attempt_timeout=5 * MINUTE, retry=NO_RETRY
)
NOTIFY: Service[int, None] = Service("notify", int, type(None))


class Site:
    """What the adapters of a test share with it."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.told: list[str] = []


site: Site


@pytest.fixture(autouse=True)
async def fresh() -> None:
    global site  # noqa: PLW0603  # adapters are module-level functions
    site = Site()


def visit() -> int:
    """How many states the task has been given; one more is on the way."""
    site.tasks.append(task_info())
    state = task_info().state
    return int(state["visits"]) if state else 0


@serve(JOB)
async def job(seconds: list[int]) -> str:
    """Comes back after each of these delays."""
    visits = visit()
    if visits < len(seconds):
        raise Later(timedelta(seconds=seconds[visits]), {"visits": visits + 1})
    return f"done at visit {visits}"


@serve(THREAD)
def thread(visits_wanted: int) -> int:
    """The same in a thread."""
    if (visits := visit()) < visits_wanted:
        raise Later(10 * SECOND, {"visits": visits + 1})
    return visits


@serve(BEATING)
async def beating(minutes: int) -> str:
    """Comes back once, after a time that may be longer than it may be silent."""
    visits = visit()
    if not visits:
        raise Later(timedelta(minutes=minutes), {"visits": 1})
    if minutes == 1 and task_info().attempt == 1:
        raise ConnectionError("lost it")
    return f"attempt {task_info().attempt} after {task_info().details}"


@beating.on_cancel
async def beating_cancelled(task: Task) -> None:
    """Is told of what is not at work."""
    site.told.append(task.task_id.rpartition("/")[2])


@serve(LIMITED)
async def limited(seconds: int) -> str:
    """Comes back again and again."""
    visits = visit()
    raise Later(seconds * SECOND, {"visits": visits + 1})


@serve(NOTIFY)
async def notify(visits_wanted: int) -> None:
    """Nobody waits for it."""
    if (visits := visit()) < visits_wanted:
        raise Later(10 * SECOND, {"visits": visits + 1})
    site.told.append("notified")


@workflow
async def runs_job(ctx: Context, seconds: list[int]) -> list[Any]:
    began = ctx.now()
    result = await ctx.call(JOB, seconds)
    return [result, (ctx.now() - began) // SECOND]


@workflow
async def runs_thread(ctx: Context, visits: int) -> int:
    return await ctx.call(THREAD, visits)


@workflow
async def runs_beating(ctx: Context, minutes: int) -> str:
    return await ctx.call(BEATING, minutes)


@workflow
async def gives_up(ctx: Context, minutes: int) -> str:
    call = ctx.call(BEATING, minutes)
    await ctx.sleep(10 * SECOND)
    call.cancel()
    await ctx.sleep(timedelta(hours=1))
    return "went on"


@workflow
async def runs_limited(ctx: Context, seconds: int) -> str:
    try:
        return await ctx.call(LIMITED, seconds)
    except CallTimedOut as late:
        await ctx.sleep(timedelta(minutes=20))
        return late.type


@workflow
async def sends(ctx: Context, visits: int) -> str:
    ctx.send(NOTIFY, visits)
    await ctx.sleep(MINUTE)
    return "sent"


app = App(
    "later",
    workflows=[runs_job, runs_thread, runs_beating, gives_up, runs_limited, sends],
    adapters=[job, thread, beating, limited, notify],
)


async def test_a_task_comes_back_with_its_state_when_the_delay_is_over(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(runs_job, [20, 40])
        await host.advance(18)
        assert [task.state for task in site.tasks] == [None]
        result, seconds = await host.result(handle)
    assert result == "done at visit 2"
    assert 60 <= seconds < 80
    assert [task.state for task in site.tasks] == [None, {"visits": 1}, {"visits": 2}]
    assert len({(task.task_id, task.attempt) for task in site.tasks}) == 1


async def test_a_delay_longer_than_a_queue_s_is_one_delay_to_the_adapter(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(runs_job, [4000])
        result, seconds = await host.result(handle)
    assert result == "done at visit 1"
    assert 4000 <= seconds < 4100
    assert len(site.tasks) == 2


async def test_a_plain_function_comes_back_too(host: Host) -> None:
    async with host(app) as client:
        assert await host.result(await client.start(runs_thread, 2)) == 2


async def test_what_is_away_for_long_is_heard_of_all_the_same(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(runs_beating, 3)
        assert await host.result(handle) == "attempt 1 after None"
        history = await client.history(handle.execution_id)
    beats = [event for event in history.events() if isinstance(event, Heartbeat)]
    assert len(site.tasks) == 2
    assert {str(beat.details) for beat in beats} == {"{'visits': 1}"}
    assert 3 <= len(beats) <= 7  # at most every half of the minute that it may be silent


async def test_the_next_attempt_finds_the_state_in_its_details(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(runs_beating, 1)
        assert await host.result(handle) == "attempt 2 after {'visits': 1}"
    assert [(task.attempt, task.state) for task in site.tasks] == [
        (1, None), (1, {"visits": 1}), (2, None), (2, {"visits": 1}),
    ]  # fmt: skip


async def test_what_was_withdrawn_does_not_come_back(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(gives_up, 2)
        assert await host.result(handle) == "went on"
    assert len(site.tasks) == 1
    assert site.told == ["1"]


async def test_nobody_comes_back_to_what_nobody_waits_for_any_more(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(runs_limited, 100)
        assert await host.result(handle) == "AttemptTimedOut"
        assert len(site.tasks) == 4  # after 0, 100, 200 and 300 seconds; 400 is too late
        deadline = site.tasks[0].deadline
        assert deadline is not None
        began = (await client.history(handle.execution_id)).since / 1000
        assert 300 <= deadline.timestamp() - began < 301
        await host.settle()
        assert await host.dead_letters() == 0


async def test_what_nobody_waits_for_from_the_start_comes_back(host: Host) -> None:
    async with host(app) as client:
        assert await host.result(await client.start(sends, 2)) == "sent"
    assert site.told == ["notified"]
    assert site.tasks[0].deadline is None


async def test_a_worker_that_dies_meanwhile_leaves_the_task_to_another(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(runs_job, [1000, 30])
        await host.settle()
        client = await host.crash()
        again = Handle(client, handle.execution_id, runs_job)
        result, seconds = await host.result(again)
    assert result == "done at visit 2"
    assert 1030 <= seconds < 1100
    assert len(site.tasks) == 3
