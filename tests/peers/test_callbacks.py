"""Callbacks: Durable Functions' `create_callback` and `wait_for_callback`, Step Functions' task
tokens, Temporal's asynchronous activity completion."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lambda_workflow import (
    CallbackClosed,
    CallbackFailed,
    CallbackTimedOut,
    CallFailed,
    Context,
    EncodeError,
    ExecutionClosed,
    InvalidToken,
)
from tests.peers.family import Family, World
from tests.peers.services import ADAPTERS, NOTE, TRY, Note, Try

family = Family("callbacks", *ADAPTERS)
SECOND, MINUTE, HOUR = (timedelta(seconds=n) for n in (1, 60, 3600))


@dataclass(frozen=True)
class Approval:
    """An answer with types of its own."""

    status: str
    at: datetime | None = None


@dataclass(frozen=True)
class Ask:
    """What a workflow hands out tokens under, and how long it waits (in minutes)."""

    key: str
    timeout: int = 0
    beat: int = 0


def limits(ask: Ask) -> dict[str, Any]:
    given = {"timeout": ask.timeout, "heartbeat_timeout": ask.beat}
    return {name: minutes * MINUTE for name, minutes in given.items() if minutes}


@family.workflow
async def asks(ctx: Context, ask: Ask) -> str:
    answer = ctx.callback(str, name="approval", **limits(ask))
    await ctx.call(NOTE, Note(ask.key, answer.token))
    return await answer


@family.case
async def test_an_answer_is_the_awaited_result(world: World) -> None:
    """Durable 4-1, 4-2, 7-1, Step Functions' SendTaskSuccess."""
    handle = await world.start(asks, Ask(world.key))
    await world.client.complete_callback(world.log[0], "yes")
    assert await world.result(handle) == "yes"
    assert "approval" in await world.client.export(handle.execution_id)


@family.case
async def test_an_unanswered_callback_times_out(world: World) -> None:
    """Durable 4-3, 7-5, Step Functions' TimeoutSeconds: the execution fails by it."""
    error = await world.fails(asks, Ask(world.key, timeout=5))
    assert error.type.endswith("CallbackTimedOut")


@family.case
async def test_a_silent_callback_times_out(world: World) -> None:
    """Durable 4-4, 7-12, Step Functions' HeartbeatSeconds: without a sign of life, it fails."""
    error = await world.fails(asks, Ask(world.key, beat=5))
    assert error.type.endswith("CallbackHeartbeatTimedOut")
    assert "heartbeat" in error.message


@family.case
async def test_heartbeats_keep_a_callback_open(world: World) -> None:
    """Durable 4-5, Step Functions' SendTaskHeartbeat: each begins the interval anew."""
    handle = await world.start(asks, Ask(world.key, beat=10))
    for minutes in (6, 12, 18):
        await world.at(minutes * MINUTE)
        await world.client.heartbeat(world.log[0])
    await world.at(24 * MINUTE)
    await world.client.complete_callback(world.log[0], "at last")
    assert await world.result(handle) == "at last"


@family.case
async def test_a_failure_reported_from_outside_fails_the_execution(world: World) -> None:
    """Durable 4-6, Step Functions' SendTaskFailure: type and message are the sender's."""
    handle = await world.start(asks, Ask(world.key))
    await world.client.fail_callback(world.log[0], "RejectedError", "not approved")
    error = await world.failure(handle)
    assert "not approved" in error.message


def plus_one(n: int) -> int:
    return n + 1


@family.workflow
async def works_meanwhile(ctx: Context, ask: Ask) -> list[Any]:
    answer = ctx.callback(str, **limits(ask))
    await ctx.call(NOTE, Note(ask.key, answer.token))
    made = await ctx.step(plus_one, 1)
    await ctx.sleep(30 * MINUTE)
    return [made, await answer]


@family.case
async def test_an_answer_before_the_await_is_kept(world: World) -> None:
    """Durable 4-9: a step and a wait stand between opening and awaiting."""
    handle = await world.start(works_meanwhile, Ask(world.key))
    await world.client.complete_callback(world.log[0], "early")
    assert await world.result(handle) == [2, "early"]


@family.case
async def test_a_failure_before_the_await_is_kept(world: World) -> None:
    """Durable 4-7, 4-10: it is raised where the answer is awaited, after the wait."""
    handle = await world.start(works_meanwhile, Ask(world.key))
    await world.client.fail_callback(world.log[0], "RejectedError", "no")
    error = await world.failure(handle)
    header = await world.header(handle)
    assert "RejectedError" in error.message
    assert header.closed_at is not None
    assert header.closed_at - header.started_at >= 1_800_000


@family.case
async def test_a_timeout_before_the_await_is_kept(world: World) -> None:
    """Durable 4-8, 4-11: the callback times out while the code waits for something else."""
    error = await world.fails(works_meanwhile, Ask(world.key, timeout=5))
    assert error.type.endswith("CallbackTimedOut")


@family.workflow
async def catches(ctx: Context, ask: Ask) -> list[str]:
    answer = ctx.callback(str, **limits(ask))
    await ctx.call(NOTE, Note(ask.key, answer.token))
    try:
        got = await answer
    except CallbackTimedOut:
        got = "timed out"
    except CallbackFailed as error:
        got = f"{error.type}: {error.message} {error.details}"
    await ctx.sleep(MINUTE)
    return [got, await ctx.call(NOTE, Note(ask.key, "after"))]


@family.case
async def test_a_caught_failure_is_the_same_on_replay(world: World) -> None:
    """Durable 4-13, 7-6: caught, a wait, and the replay raises it to the same `except`."""
    handle = await world.start(catches, Ask(world.key))
    await world.client.fail_callback(world.log[0], "Rejected", "not approved", {"by": "ada"})
    assert await world.result(handle) == ["Rejected: not approved {'by': 'ada'}", "AFTER"]


@family.case
async def test_a_caught_timeout_is_the_same_on_replay(world: World) -> None:
    """Durable 4-14."""
    assert await world.run(catches, Ask(world.key, timeout=3)) == ["timed out", "AFTER"]


@family.workflow
async def typed(ctx: Context, ask: Ask) -> list[Any]:
    approval = ctx.callback(Approval)
    count = ctx.callback(int)
    anything = ctx.callback()
    for answer in (approval, count, anything):
        await ctx.call(NOTE, Note(ask.key, answer.token))
    got = await approval
    await ctx.sleep(MINUTE)
    assert got.at is not None
    return [got.status, got.at.year, 2 * await count, await anything]


@family.case
async def test_answers_come_as_their_declared_types(world: World) -> None:
    """Durable 4-15, 4-16, 7-11, 7-15: an object with a date, a number, nothing at all."""
    handle = await world.start(typed, Ask(world.key))
    approval = Approval("approved", datetime(2026, 1, 1, tzinfo=UTC))
    for token, value in zip(world.log, (approval, 42, None), strict=True):
        await world.client.complete_callback(token, value)
    assert await world.result(handle) == ["approved", 2026, 84, None]


@family.case
async def test_an_answer_of_another_type_is_refused_where_it_is_given(world: World) -> None:
    """Peers let it fail in the workflow; here the sender learns of it, and may answer again."""
    handle = await world.start(asks, Ask(world.key))
    await world.refused(world.client.complete_callback(world.log[0], 7), EncodeError)
    await world.client.complete_callback(world.log[0], "seven")
    assert await world.result(handle) == "seven"


@family.workflow
async def one_after_the_other(ctx: Context, key: str) -> list[str]:
    answers = []
    for name in ("a", "b"):
        answer = ctx.callback(str, name=name)
        await ctx.call(NOTE, Note(key, answer.token))
        answers.append(await answer)
    return answers


@family.case
async def test_callbacks_one_after_the_other(world: World) -> None:
    """Durable 4-17."""
    handle = await world.start(one_after_the_other, world.key)
    for n in range(2):
        await world.client.complete_callback(world.log[n], f"answer {n}")
        await world.settled()
    assert await world.result(handle) == ["answer 0", "answer 1"]


@family.workflow
async def both_open(ctx: Context, reverse: list[str]) -> list[str]:
    key, order = reverse
    answers = [ctx.callback(str, name=name) for name in ("a", "b")]
    for answer in answers:
        await ctx.call(NOTE, Note(key, answer.token))
    awaited = answers[::-1] if order == "reverse" else answers
    return [await answer for answer in awaited]


@family.case
async def test_open_callbacks_are_awaited_in_order(world: World) -> None:
    """Durable 4-18."""
    handle = await world.start(both_open, [world.key, "in order"])
    for token, answer in zip(world.log, "ab", strict=True):
        await world.client.complete_callback(token, answer)
    assert await world.result(handle) == ["a", "b"]


@family.case
async def test_open_callbacks_are_awaited_in_reverse(world: World) -> None:
    """Durable 4-19: answered in one order, awaited in the other."""
    handle = await world.start(both_open, [world.key, "reverse"])
    for token, answer in zip(world.log, "ab", strict=True):
        await world.client.complete_callback(token, answer)
        await world.settled()
    assert await world.result(handle) == ["b", "a"]


@family.workflow
async def submits(ctx: Context, asked: Try) -> str:
    """Durable's wait_for_callback: a callback, and a submitter that is retried."""
    async with ctx.scope("approval"):
        answer = ctx.callback(str)
        await ctx.call(TRY, asked)
        await ctx.call(NOTE, Note(asked.key, answer.token))
        return await answer


@family.case
async def test_a_submitter_is_retried(world: World) -> None:
    """Durable's wait_for_callback retries its submitter: the token is handed out in the end."""
    handle = await world.start(submits, Try(world.key, failures=1))
    await world.at(45 * SECOND)
    await world.at(3 * MINUTE)
    assert world.log[:2] == [1, 2]
    await world.client.complete_callback(world.log[2], "done")
    assert await world.result(handle) == "done"


@family.case
async def test_a_submitter_that_fails_for_good_fails_the_execution(world: World) -> None:
    """Durable 7-7: the callback that nobody heard of is released."""
    error = await world.fails(submits, Try(world.key, failures=99))
    assert error.type.endswith("CallFailed")
    assert world.log == [1, 2, 3]


@family.workflow
async def mixed(ctx: Context, key: str) -> str:
    await ctx.sleep(SECOND)
    await ctx.step(plus_one, 1)
    return await asks(ctx, Ask(key))


@family.case
async def test_callbacks_mix_with_waits_and_steps(world: World) -> None:
    """Durable 7-10."""
    handle = await world.start(mixed, world.key)
    await world.at(2 * MINUTE)
    await world.client.complete_callback(world.log[0], "mixed")
    assert await world.result(handle) == "mixed"


@family.case
async def test_a_second_answer_is_refused(world: World) -> None:
    """Step Functions' TaskTimedOut and InvalidToken errors: told, and nothing changes."""
    handle = await world.start(works_meanwhile, Ask(world.key))
    await world.client.complete_callback(world.log[0], "first")
    await world.settled()
    words = await world.refused(
        world.client.complete_callback(world.log[0], "second"), CallbackClosed
    )
    assert "answered already" in words
    assert await world.result(handle) == [2, "first"]
    await world.refused(world.client.fail_callback(world.log[0]), ExecutionClosed)


@family.case
async def test_a_forged_token_is_refused(world: World) -> None:
    """Step Functions' InvalidToken."""
    handle = await world.start(asks, Ask(world.key))
    token = world.log[0]
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    await world.refused(world.client.complete_callback(forged, "mine"), InvalidToken)
    await world.refused(world.client.complete_callback("nonsense", "mine"), InvalidToken)
    await world.client.complete_callback(token, "yours")
    assert await world.result(handle) == "yours"


@family.workflow
async def escalates(ctx: Context, key: str) -> list[str]:
    answer = ctx.callback(str)
    await ctx.call(NOTE, Note(key, answer.token))
    try:
        async with asyncio.timeout(72 * 3600):
            return [await answer]
    except TimeoutError:
        return ["escalated", await ctx.call(NOTE, Note(key, "to the boss"))]


@family.case
async def test_an_unanswered_request_is_escalated(world: World) -> None:
    """Azure's human interaction: an event or three days, whichever comes first."""
    handle = await world.begin(escalates, world.key)
    assert await world.result(handle) == ["escalated", "TO THE BOSS"]
    await world.refused(world.client.complete_callback(world.log[0], "late"), ExecutionClosed)


@family.workflow
async def call_fails_with(ctx: Context, key: str) -> list[Any]:
    try:
        await ctx.call(TRY, Try(key, 9, "Refused", {"code": 51}))
    except CallFailed as error:
        return [error.type, error.message, error.details, error.attempts, error.service]
    return []


@family.case
async def test_a_failing_task_tells_type_message_details_and_attempts(world: World) -> None:
    """Step Functions' Error and Cause, Temporal's ActivityError."""
    told = await world.run(call_fails_with, world.key)
    assert told == ["Refused", "attempt 3", {"code": 51}, 3, "try"]
