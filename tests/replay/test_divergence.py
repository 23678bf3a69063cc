"""What is said of code that no longer does what the history says: every word of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace as replaced
from typing import Any

import pytest

from lambda_workflow import Context, NonDeterminismError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.payload_words import payload_digest
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.replayer import replay
from tests.replay.driving import DOUBLE, OTHER, START, Code, drive, flow, tools

HERE = "tests/replay/test_divergence.py"


def sized(number: int) -> str:
    return payload_digest(number)


async def original(ctx: Context, n: int) -> Any:
    doubled = await ctx.call(DOUBLE, n)
    return await ctx.call(OTHER, doubled)


async def other_service(ctx: Context, n: int) -> Any:
    doubled = await ctx.call(OTHER, n)
    return await ctx.call(OTHER, doubled)


async def other_payload(ctx: Context, n: int) -> Any:
    doubled = await ctx.call(DOUBLE, n)
    return await ctx.call(OTHER, doubled + 1)


async def timer_for_call(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    await asyncio.sleep(1)


async def step_for_call(ctx: Context, n: int) -> Any:
    return await ctx.step(int, n)


async def ends_early(ctx: Context, n: int) -> Any:
    return await ctx.call(DOUBLE, n)


async def fails(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    raise ValueError("out of order")


async def never_gets_there(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    await asyncio.Event().wait()


async def one_more_beside(ctx: Context, n: int) -> Any:
    doubled = ctx.call(DOUBLE, n)
    await asyncio.gather(doubled, ctx.call(OTHER, n))


async def one_more_after(ctx: Context, n: int) -> Any:
    doubled = await original(ctx, n)
    return await ctx.call(DOUBLE, doubled)


CASES: list[tuple[Code, str, tuple[int, int, int], str, str]] = [
    (
        other_service,
        "{line:1} calls `other` where the history has `double`",
        (1, 1, 1),
        f"call 1 double({sized(3)})",
        f"call 1 other({sized(3)})",
    ),
    (
        other_payload,
        "{line:2} calls `other` otherwise than the history has it",
        (2, 2, 1),
        f"call 2 other({sized(6)})",
        f"call 2 other({sized(7)})",
    ),
    (
        timer_for_call,
        "{line:2} starts a timer where the history has `other`",
        (2, 2, 1),
        f"call 2 other({sized(6)})",
        "timer 2 (sleep, 1 s)",
    ),
    (
        step_for_call,
        "{line:1} runs step `int` where the history has `double`",
        (1, 1, 1),
        f"call 1 double({sized(3)})",
        "step 1 int (builtins:int)",
    ),
    (
        ends_early,
        "workflow `flow` ({line:0}) completes where the history has `other`",
        (2, 2, 1),
        f"call 2 other({sized(6)})",
        f"complete({sized(6)})",
    ),
    (
        fails,
        "workflow `flow` ({line:0}) fails with ValueError where the history has `other`",
        (2, 2, 1),
        f"call 2 other({sized(6)})",
        "fail(ValueError)",
    ),
    (
        never_gets_there,
        (
            "workflow `flow`, which waits at {line:2}, no longer reaches `other`, which the "
            "history has"
        ),
        (2, 2, 1),
        f"call 2 other({sized(6)})",
        "nothing",
    ),
    (
        one_more_beside,
        "{line:2} calls `other` where the history has nothing more",
        (2, 1, 2),
        "nothing",
        f"call 2 other({sized(3)})",
    ),
    (
        one_more_after,
        "{line:2} calls `double` where the history has its end",
        (3, 3, 1),
        f"complete({sized(12)})",
        f"call 3 double({sized(12)})",
    ),
]


def told(code: Code, turns: list[Turn]) -> str:
    changed = flow(code)
    with pytest.raises(NonDeterminismError) as raised:
        replay(changed, "e", turns, tools(changed))
    return str(raised.value)


@pytest.mark.parametrize(("code", "head", "place", "history", "now"), CASES)
def test_the_error_says_where_what_and_what_to_do(
    code: Code, head: str, place: tuple[int, int, int], history: str, now: str
) -> None:
    first = code.__code__.co_firstlineno
    operation, turn, command = place
    for line in (0, 1, 2):
        head = head.replace(f"{{line:{line}}}", f"{HERE}:{first + line}")
    said, theirs, ours, *more = told(code, drive(flow(original))).splitlines()
    assert said == (
        f"{head} (operation {operation}, turn {turn}, command {command}); execution e of workflow "
        "`flow` of App `tests`"
    )
    assert theirs == f"  - history: {history}"
    assert ours == f"  + code:    {now}"
    assert "guard the change by `if ctx.patched(…)`" in more[-1]


async def gives_up(ctx: Context, n: int) -> Any:
    first, second = ctx.call(DOUBLE, n), ctx.call(OTHER, n)
    await first
    second.cancel()
    return await ctx.call(DOUBLE, n)


async def keeps(ctx: Context, n: int) -> Any:
    first, second = ctx.call(DOUBLE, n), ctx.call(OTHER, n)
    await first
    again = await ctx.call(DOUBLE, n)
    return [again, await second]


def test_a_call_that_is_no_longer_given_up_is_told() -> None:
    message = told(keeps, drive(flow(gives_up)))
    assert "calls `double` where the history has the giving up of the call of `other`" in message
    ours = f"call 3 double({sized(3)})"
    assert f"  - history: give up the call of `other` (2)\n  + code:    {ours}\n" in message


def test_a_call_that_is_newly_given_up_is_told() -> None:
    message = told(gives_up, drive(flow(keeps)))
    assert "gives up the call of `other` where the history has `double`" in message
    theirs = f"call 3 double({sized(3)})"
    assert f"  - history: {theirs}\n  + code:    give up the call of `other` (2)\n" in message


async def sleeps(ctx: Context, n: int) -> Any:
    await asyncio.sleep(n)
    return await ctx.call(DOUBLE, n)


async def sleeps_longer(ctx: Context, n: int) -> Any:
    await asyncio.sleep(n + 60)
    return await ctx.call(DOUBLE, n)


def test_what_may_change_is_no_divergence() -> None:
    """A timer's time, and an error's words: the history's stand."""
    turns = drive(flow(sleeps))
    changed = flow(sleeps_longer)
    assert replay(changed, "e", turns, tools(changed)).commands == ()
    failed = drive(flow(fails))
    last = failed[-1]
    (fail,) = last.commands
    assert isinstance(fail, c.Fail)
    reworded = c.Fail(replaced(fail.failure, message="other words", stack=None))
    turns = [*failed[:-1], replaced(last, commands=(reworded,))]
    assert replay(flow(fails), "e", turns, tools(flow(fails))).commands == ()


async def gets_far(ctx: Context, n: int) -> Any:
    return await ctx.call(DOUBLE, 10**200)


def test_no_value_of_a_payload_is_shown() -> None:
    started = e.Started(START, "flow", 1, 1)
    turns = [Turn(1, START, (started,), (c.ScheduleCall("1", "double", 7),))]
    message = told(gets_far, turns)
    assert "0" * 20 not in message
    assert f"+ code:    call 1 double({sized(10**200)})" in message


def test_a_payload_that_is_stored_apart_is_compared_by_its_digest() -> None:
    turns = drive(flow(original))
    started = turns[0]
    apart = e.BlobRef("key", "another digest", 100_000)
    turns[0] = replaced(started, commands=(c.ScheduleCall("1", "double", apart),))
    said = "call 1 double(100000 bytes, stored apart, digest another )"
    assert f"  - history: {said}\n" in told(original, turns)
