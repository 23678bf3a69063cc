"""Attempts of a call: heartbeats, timeouts, delays, withdrawals, and work that nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    NO_RETRY,
    App,
    CallFailed,
    CallTimedOut,
    Context,
    RetryPolicy,
    Service,
    ServiceError,
    Status,
    Task,
    TaskCancelled,
    heartbeat,
    heartbeat_sync,
    serve,
    task_info,
    workflow,
)
from lambda_workflow.model.events import Heartbeat
from tests.operations.host import Host

SECOND = timedelta(seconds=1)
TWICE = RetryPolicy(attempts=2, initial=20 * SECOND)

LONG: Service[str, str] = Service(
    "long", str, str, heartbeat_timeout=30 * SECOND, retry=TWICE, timeout=timedelta(hours=3)
)
THREAD: Service[str, str] = Service("thread", str, str, heartbeat_timeout=30 * SECOND)
BUSY: Service[int, int] = Service("busy", int, int, retry=RetryPolicy(attempts=3, initial=SECOND))
SLOW: Service[int, int] = Service("slow", int, int, attempt_timeout=10 * SECOND, retry=TWICE)
NOTIFY: Service[str, None] = Service("notify", str, type(None))


class Site:
    """What the adapters of a test share with it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.tasks: dict[str, list[Task]] = defaultdict(list)
        self.go = asyncio.Event()
        self.thread_go = threading.Event()
        self.failures = 0


site: Site


@pytest.fixture(autouse=True)
async def fresh() -> None:
    global site  # noqa: PLW0603  # adapters are module-level functions
    site = Site()


@serve(LONG)
async def long(what: str) -> str:
    """Works until the test lets it go on."""
    site.tasks["long"].append(task_info())
    await heartbeat({"page": len(site.tasks["long"])})
    try:
        if what.endswith("dies") and task_info().attempt == 1:
            await heartbeat({"page": 7})
            raise ValueError("power cut")
        if what == "silent" and task_info().attempt == 1:
            await asyncio.Event().wait()
        while not site.go.is_set():
            await asyncio.sleep(0.01)
            await heartbeat({"page": 9})
    except asyncio.CancelledError:
        site.said.append(f"{what} broken off")
        raise
    return f"{what} done from {task_info().details}"


@long.on_cancel
async def long_cancelled(task: Task) -> None:
    """Is told of what is not at work."""
    site.said.append(f"told of {task.task_id.rpartition('/')[2]}")


@serve(THREAD)
def thread(what: str) -> str:
    """In a thread."""
    site.said.append(f"{what} begins")
    try:
        while not site.thread_go.wait(0.005):
            heartbeat_sync(what)
    except TaskCancelled:
        site.said.append(f"{what} tidied up")
        raise
    return what


@serve(BUSY)
async def busy(number: int) -> int:
    """Asks for a delay of its own, twice."""
    if task_info().attempt < 3:
        raise ServiceError("come back", type="Throttled", retry_after=timedelta(minutes=10))
    return number


@serve(SLOW)
async def slow(number: int) -> int:
    """Only the attempt after `number` silent ones answers."""
    if task_info().attempt <= number:
        await asyncio.Event().wait()
    return task_info().attempt


@serve(NOTIFY)
async def notify(what: str) -> None:
    """Nobody waits for it."""
    site.tasks[what].append(task_info())
    if what == "never":
        raise ServiceError("no such address", retryable=False)
    if what == "fails" or (what == "fails once" and len(site.tasks[what]) == 1):
        raise ValueError("mail server is down")
    site.said.append(what)


@workflow
async def calls_long(ctx: Context, what: str) -> str:
    return await ctx.call(LONG, what)


@workflow
async def races(ctx: Context, what: str) -> str:
    service = THREAD if what.startswith("thread") else LONG
    call = ctx.call(service, what)
    await ctx.sleep(timedelta(minutes=5) if "late" in what else 5 * SECOND)
    call.cancel()
    await ctx.sleep(timedelta(hours=1))
    return "went on"


@workflow
async def calls_busy(ctx: Context, number: int) -> int:
    return await ctx.call(BUSY, number)


@workflow
async def calls_slow(ctx: Context, number: int) -> Any:
    try:
        return await ctx.call(SLOW, number)
    except CallTimedOut as late:
        return [late.type, late.attempts]


@workflow
async def sends(ctx: Context, what: str) -> str:
    for word in what.split(","):
        ctx.send(NOTIFY, word, name="told")
    await ctx.sleep(timedelta(days=1))
    return "sent"


@workflow
async def ends_at_once(ctx: Context, what: str) -> str:
    ctx.call(LONG, what)
    await ctx.sleep(SECOND)
    return "ended"


app = App(
    "attempts",
    workflows=[calls_long, races, calls_busy, calls_slow, sends, ends_at_once],
    adapters=[long, thread, busy, slow, notify],
)


async def test_heartbeats_keep_a_long_attempt_alive(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(calls_long, "a")
        for _ in range(5):
            await host.advance(20)
        site.go.set()
        assert await host.result(handle) == "a done from None"
        assert len(site.tasks["long"]) == 1
        history = await client.history(handle.execution_id)
        beats = [f for f in history.events() if isinstance(f, Heartbeat)]
        assert 4 <= len(beats) <= 9  # one in fifteen seconds, however often the adapter calls
        assert beats[0].details == {"page": 1}
        assert beats[-1].details == {"page": 9}


async def test_a_silent_attempt_is_followed_by_another_that_knows_how_far_it_came(
    host: Host,
) -> None:
    async with host(app) as client:
        handle = await client.start(calls_long, "silent")
        await host.advance(60)
        site.go.set()
        assert await host.result(handle) == "silent done from {'page': 1}"
        assert [task.attempt for task in site.tasks["long"]] == [1, 2]


async def test_what_a_failing_attempt_said_last_reaches_the_next(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(calls_long, "dies")
        site.go.set()
        assert await host.result(handle) == "dies done from {'page': 7}"


async def test_a_withdrawn_task_is_broken_off_where_it_waits(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(races, "a")
        await host.advance(10)
        await host.until(lambda: bool(site.said))
        assert site.said == ["a broken off"]
        assert await host.result(handle) == "went on"
        assert len(site.tasks["long"]) == 1


async def test_a_withdrawn_task_in_a_thread_learns_of_it_at_its_next_heartbeat(host: Host) -> None:
    async with host(app) as client:
        try:
            handle = await client.start(races, "thread")
            await host.advance(10)
            await host.until(lambda: len(site.said) == 2)
            assert site.said == ["thread begins", "thread tidied up"]
            assert await host.result(handle) == "went on"
        finally:
            site.thread_go.set()


async def test_the_end_of_the_workflow_withdraws_what_is_at_work(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(ends_at_once, "a")
        assert await host.result(handle) == "ended"
        await host.until(lambda: site.said == ["a broken off"])


async def test_a_handler_is_told_of_a_withdrawn_task_that_is_not_at_work(host: Host) -> None:
    async with host(app) as client:
        await client.start(races, "late dies")
        await host.advance(0.5)  # the first attempt has failed, the second is still to come
        assert [task.attempt for task in site.tasks["long"]] == [1]
        [header] = (await client.list()).headers
        await client.cancel(header.execution_id)
        await host.settle()
        await host.until(lambda: bool(site.said))
        assert site.said == ["told of 1"]
        await host.advance(60)
        assert len(site.tasks["long"]) == 1


async def test_a_service_chooses_the_delay_of_its_next_attempt(host: Host) -> None:
    async with host(app) as client:
        before = host.now()
        handle = await client.start(calls_busy, 4)
        assert await host.result(handle) == 4
        assert 1_200_000 <= host.now() - before < 1_300_000


async def test_an_attempt_that_takes_too_long_is_followed_by_another(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(calls_slow, 1)
        assert await host.result(handle) == 2


async def test_attempts_that_all_take_too_long_end_the_call(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(calls_slow, 9)
        assert await host.result(handle) == ["AttemptTimedOut", 2]


async def test_what_is_sent_is_done_and_nobody_waits(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(sends, "a,b")
        await host.settle()
        assert sorted(site.said) == ["a", "b"]
        keys = {task.task_id for task in (*site.tasks["a"], *site.tasks["b"])}
        assert len(keys) == 2
        assert (await client.history(handle.execution_id)).facts == 1
        assert await host.result(handle) == "sent"
        assert not host.notes.of("late")


async def test_what_is_sent_comes_again_after_an_error(host: Host) -> None:
    async with host(app) as client:
        await client.start(sends, "fails once")
        await host.settle()
        if host.name != "memory":
            await host.advance(30)
        assert site.said == ["fails once"]
        assert len({task.task_id for task in site.tasks["fails once"]}) == 1


@pytest.mark.parametrize("what", ["fails", "never"])
async def test_what_is_sent_and_fails_for_good_is_a_dead_letter(host: Host, what: str) -> None:
    async with host(app) as client:
        handle = await client.start(sends, what)
        await host.settle()
        for _ in range(8):
            await host.advance(300)
        assert len(site.tasks[what]) == (1 if what == "never" else 5)
        assert await host.dead_letters() == 1
        assert (await client.describe(handle.execution_id)).status is Status.RUNNING


async def test_an_adapter_in_a_test_may_beat_and_is_not_asked_where() -> None:
    await heartbeat("anything")
    heartbeat_sync()


async def test_a_call_may_have_limits_of_its_own(host: Host) -> None:
    async with host(limits_app) as client:
        handle = await client.start(limits, 0)
        assert await host.result(handle) == [
            ["HeartbeatTimedOut", "HeartbeatTimedOut", 1],
            ["CallTimedOut", "AttemptTimedOut", 1],
            ["CallTimedOut", "CallTimedOut", 1],
        ]


@workflow
async def limits(ctx: Context, n: int) -> list[list[Any]]:
    async def failure_of(call: Any) -> list[Any]:
        try:
            await call
        except CallFailed as failed:
            return [type(failed).__name__, failed.type, failed.attempts]
        return []

    return [
        await failure_of(ctx.call(SLOW, 9, heartbeat_timeout=5 * SECOND, retry=NO_RETRY)),
        await failure_of(ctx.call(SLOW, 9, attempt_timeout=5 * SECOND, retry=NO_RETRY)),
        await failure_of(ctx.call(SLOW, 9, timeout=5 * SECOND, retry=NO_RETRY)),
    ]


limits_app = App("limits", workflows=[limits], adapters=[slow])
