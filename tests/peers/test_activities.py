"""Activities: Temporal's timeouts, heartbeats and retries; Step Functions' of tasks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from lambda_workflow import (
    CallFailed,
    CallTimedOut,
    Context,
    RetryPolicy,
    Service,
    ServiceError,
    heartbeat,
    serve,
    step_info,
    task_info,
)
from tests.peers.family import LOG, Family, World
from tests.peers.services import ADAPTERS, NOTE, Note

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TWICE = RetryPolicy(attempts=2, initial=MINUTE, jitter=0)

COPY: Service[str, int] = Service("copy", str, int, heartbeat_timeout=10 * MINUTE, retry=TWICE)
HANG: Service[str, str] = Service("hang", str, str, retry=TWICE)
BUSY: Service[str, str] = Service("busy", str, str, retry=TWICE)
LISTEN: Service[str, str] = Service("listen", str, str, heartbeat_timeout=HOUR)


@serve(COPY)
async def copy(key: str) -> int:
    """Copies three of five files, then hangs; the next attempt goes on where it was."""
    task = task_info()
    done = int((task.details or {}).get("done", 0)) if isinstance(task.details, dict) else 0
    LOG[key].append(f"attempt {task.attempt} from {done}")
    if task.attempt == 1:
        await heartbeat({"done": 3})
        await asyncio.Event().wait()
    return 5 - done


@serve(HANG)
async def hang(key: str) -> str:
    """Hangs at its first attempt, or always."""
    attempt = task_info().attempt
    LOG[key].append(attempt)
    if attempt == 1 or key.endswith("always"):
        await asyncio.Event().wait()
    return f"attempt {attempt}"


@serve(BUSY)
async def busy(key: str) -> str:
    """Asks to be left alone for an hour, or for good."""
    LOG[key].append("asked")
    if key.endswith("for-good"):
        raise ServiceError("closed", type="Closed", retryable=False)
    if len(LOG[key]) == 1:
        raise ServiceError("busy", retry_after=HOUR)
    return "served"


@serve(LISTEN)
async def listen(key: str) -> str:
    """Works until nobody wants its result."""
    try:
        while True:
            await heartbeat()
            await asyncio.sleep(0.02)
    finally:
        LOG[key].append("tidied up")


family = Family("activities", *ADAPTERS, copy, hang, busy, listen)


@family.workflow
async def copies(ctx: Context, key: str) -> int:
    return await ctx.call(COPY, key)


@family.case
async def test_an_attempt_goes_on_from_the_last_heartbeat(world: World) -> None:
    """Temporal's heartbeat details: silence ends an attempt, the next knows how far it came."""
    assert await world.run(copies, world.key) == 2
    assert world.log == ["attempt 1 from 0", "attempt 2 from 3"]


@family.workflow
async def attempt_limited(ctx: Context, key: str) -> str:
    return await ctx.call(HANG, key, attempt_timeout=20 * MINUTE)


@family.case
async def test_an_attempt_has_a_timeout_of_its_own(world: World) -> None:
    """Temporal's start_to_close_timeout, Step Functions' TimeoutSeconds with a Retry."""
    assert await world.run(attempt_limited, world.key) == "attempt 2"
    assert world.log == [1, 2]


@family.workflow
async def limited_in_all(ctx: Context, key: str) -> list[Any]:
    before = ctx.now()
    try:
        await ctx.call(HANG, key, timeout=HOUR, attempt_timeout=50 * MINUTE)
    except CallTimedOut as error:
        return [error.service, round((ctx.now() - before) / MINUTE)]
    return []


@family.case
async def test_all_attempts_together_have_a_timeout(world: World) -> None:
    """Temporal's schedule_to_close_timeout: retries and their pauses are in it."""
    service, minutes = await world.run(limited_in_all, f"{world.key}-always")
    assert service == "hang"
    assert minutes in (60, 61)


@family.workflow
async def asks(ctx: Context, key: str) -> list[Any]:
    before = ctx.now()
    try:
        said = await ctx.call(BUSY, key)
    except CallFailed as error:
        return [error.type, error.attempts]
    return [said, round((ctx.now() - before) / MINUTE)]


@family.case
async def test_a_service_may_choose_when_it_is_asked_again(world: World) -> None:
    """Temporal's next_retry_delay."""
    said, minutes = await world.run(asks, world.key)
    assert said == "served"
    assert minutes in (60, 61)


@family.case
async def test_a_service_may_say_that_asking_again_is_no_use(world: World) -> None:
    """Temporal's ApplicationError(non_retryable=True)."""
    assert await world.run(asks, f"{world.key}-for-good") == ["Closed", 1]


@family.workflow
async def gives_up(ctx: Context, key: str) -> str:
    call = ctx.call(LISTEN, key)
    await asyncio.wait([call], timeout=60)
    call.cancel()
    await ctx.call(NOTE, Note(key, "went on"))
    return "gave up"


@family.case
async def test_an_activity_learns_that_it_is_cancelled(world: World) -> None:
    """Temporal delivers a cancellation to an activity that heartbeats."""
    handle = await world.begin(gives_up, world.key)
    assert await world.result(handle) == "gave up"
    await world.host.until(lambda: "tidied up" in world.log)
    assert sorted(world.log) == ["tidied up", "went on"]


def counted(key: str) -> int:
    LOG[key].append(step_info().attempt)
    if step_info().attempt < 3:
        raise ConnectionError("no")
    return step_info().attempt


@family.workflow
async def step_once(ctx: Context, key: str) -> int:
    policy = RetryPolicy(attempts=3, initial=MINUTE, jitter=0)
    return await ctx.step(counted, key, retry=policy, at_most_once=True)


@family.case
async def test_a_step_at_most_once_per_attempt(world: World) -> None:
    """Durable's AT_MOST_ONCE_PER_RETRY, without a crash: each attempt knows which it is."""
    assert await world.run(step_once, world.key) == 3
    assert world.log == [1, 2, 3]
