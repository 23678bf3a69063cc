"""`ctx.wait_until`: a condition is seen at the rest at which it becomes true, on replay as well."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lambda_workflow import Context
from lambda_workflow.model import commands as c
from tests.replay.driving import DOUBLE, OTHER, Code, drive, every_order, flow, replays, result


async def moments(ctx: Context, n: int) -> list[Any]:
    """Who watches sees each value, though the results follow each other without a pause."""
    log: list[Any] = []

    async def watch(count: int) -> None:
        await ctx.wait_until(lambda: len(log) >= count)
        log.append(f"saw {count}")

    async with asyncio.TaskGroup() as group:
        for count in (1, 3, 5):
            group.create_task(watch(count))
        for number in range(n):
            answer = await ctx.call(DOUBLE, number)
            log.append(answer)
    return log


async def late_watch(ctx: Context, n: int) -> list[Any]:
    """The condition is asked for while results are being handed over."""
    seen: list[int] = []
    log: list[Any] = []

    async def watch() -> None:
        await ctx.call(OTHER, 1)
        for count in range(1, 3):
            await ctx.wait_until(lambda count=count: len(seen) >= count)  # type: ignore[misc]
            log.append([count, len(seen)])

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        for number in range(n):
            answer = await ctx.call(DOUBLE, number)
            seen.append(answer)
    return [*seen, *log]


async def chained(ctx: Context, n: int) -> list[str]:
    """One condition makes the next one true, at the same rest."""
    log: list[str] = []

    async def link(after: str, name: str) -> None:
        await ctx.wait_until(lambda: after in log)
        log.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(link("b", "c"))
        group.create_task(link("a", "b"))
        await ctx.call(DOUBLE, n)
        log.append("a")
    return log


async def in_time(ctx: Context, n: int) -> list[str]:
    """Conditions that never hold end by their deadline, and are asked no more."""
    log: list[str] = []
    for seconds in (1, 2):
        try:
            async with asyncio.timeout(seconds):
                await ctx.wait_until(lambda: log.count("asked") > 90)
        except TimeoutError:
            log.append(f"late after {seconds}")
        await ctx.call(DOUBLE, n)
    return log


async def fails(ctx: Context, n: int) -> str:
    """A condition that raises does so where it is waited for."""
    box, said = [1], "never"
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(clear(ctx, box))
            await ctx.wait_until(lambda: box[0] > 1)
    except* IndexError:
        said = "no box"
    return said


async def clear(ctx: Context, box: list[int]) -> None:
    """Empties the box after a call."""
    await ctx.call(DOUBLE, 1)
    box.clear()


CODES: list[tuple[Code, Any]] = [
    (moments, [0, "saw 1", 2, "saw 3", 4, "saw 5"]),
    (chained, ["a", "b", "c"]),
    (in_time, ["late after 1", "late after 2"]),
    (fails, "no box"),
]


@pytest.mark.parametrize(("code", "expected"), CODES, ids=lambda of: getattr(of, "__name__", ""))
def test_a_condition_holds_at_one_place_however_often_it_is_replayed(
    code: Code, expected: Any
) -> None:
    turns = drive(flow(code))
    assert result(turns) == expected
    replays(flow(code), turns)


@pytest.mark.parametrize("code", [moments, late_watch, chained], ids=lambda of: of.__name__)
@pytest.mark.parametrize("together", [1, 2, 3])
def test_every_order_of_facts_replays_as_it_was(code: Code, together: int) -> None:
    outcomes: set[str] = set()
    for turns in every_order(flow(code), together):
        replays(flow(code), turns)
        outcomes.add(str(result(turns)))
    is_told = code is late_watch and together == 1  # of the moment at which the watch began
    assert (len(outcomes) > 1) is is_told


def test_a_condition_that_holds_already_costs_nothing() -> None:
    async def at_once(ctx: Context, n: int) -> int:
        await ctx.wait_until(lambda: True)
        return n

    (turn,) = drive(flow(at_once))
    assert turn.commands == (c.Complete(3),)


def test_a_condition_given_up_is_not_asked_again() -> None:
    asked: list[int] = []

    async def gives_up(ctx: Context, n: int) -> int:
        count = 0

        def never() -> bool:
            asked.append(count)
            return False

        waiting = asyncio.create_task(ctx.wait_until(never))
        await ctx.call(DOUBLE, n)
        waiting.cancel()
        count = 1
        await asyncio.gather(waiting, return_exceptions=True)
        return await ctx.call(DOUBLE, n)

    assert result(drive(flow(gives_up))) == 6
    assert set(asked) == {0}
