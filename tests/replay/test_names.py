"""Names in the history: of timers, of branches, of a map's items; and polls with so many checks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import ConfigurationError, Context, PollTimedOut
from lambda_workflow.cli.progress import told
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.turn import Turn, decode_turns, encode_turn
from lambda_workflow.replay.execution import Execution
from tests.replay.driving import DOUBLE, drive, flow, result, tools

SECOND = timedelta(seconds=1)


def lines(turns: list[Turn]) -> list[str]:
    names: dict[str, str] = {}
    return [
        f"{operation} {words}".strip()
        for turn in turns
        for *_, operation, words in told(turn, names)
    ]


def replayed(code: Any, turns: list[Turn]) -> None:
    """As a stored history: written, read, and replayed from the start."""
    again = list(decode_turns([encode_turn(turn) for turn in turns]))
    assert again == turns
    execution = Execution(flow(code), "e", tools(flow(code)))
    execution.replay(again)
    execution.close()


def test_a_sleep_has_a_name() -> None:
    async def code(ctx: Context, n: int) -> int:
        await ctx.sleep(SECOND, name="cool-down")
        await ctx.sleep(timedelta(0), name="unused")
        await ctx.sleep(SECOND)
        return n

    turns = drive(flow(code))
    timers = [one for turn in turns for one in turn.commands if isinstance(one, c.StartTimer)]
    assert [timer.name for timer in timers] == ["cool-down", ""]
    assert "1 timer cool-down until 2026-01-01 00:00:01 UTC" in lines(turns)
    assert "1 timer cool-down" in lines(turns)
    replayed(code, turns)


def test_a_name_is_added_to_a_sleep_that_is_under_way() -> None:
    async def before(ctx: Context, n: int) -> None:
        await ctx.sleep(SECOND)

    async def after(ctx: Context, n: int) -> None:
        await ctx.sleep(SECOND, name="cool-down")

    replayed(after, drive(flow(before)))


def test_a_name_of_a_sleep_that_is_no_text_is_refused() -> None:
    async def code(ctx: Context, n: int) -> Any:
        name: Any = 7
        with pytest.raises(ConfigurationError, match="sleep name is 7"):
            await ctx.sleep(SECOND, name=name)
        return "refused"

    assert result(drive(flow(code))) == "refused"


async def branches(ctx: Context, n: int) -> list[str]:
    done = await ctx.parallel(
        {
            "card check": lambda ctx: ctx.call(DOUBLE, 1),
            "stock": lambda ctx: ctx.call(DOUBLE, 2),
        },
        name="checks",
    )
    return [item.name for item in done]


def scopes(turns: list[Turn]) -> list[tuple[str, str]]:
    every = [one for turn in turns for one in turn.commands]
    return [(one.operation, one.name) for one in every if isinstance(one, c.OpenScope)]


def test_branches_are_shown_by_their_names() -> None:
    turns = drive(flow(branches), semantics=2)
    assert scopes(turns)[1:] == [("1.1.", "card check"), ("1.2.", "stock")]
    assert result(turns) == ["card check", "stock"]
    replayed(branches, turns)


def test_an_execution_of_earlier_semantics_has_no_names_of_branches() -> None:
    execution = Execution(flow(branches), "e", tools(flow(branches)))
    execution.advance([e.Started(1, "flow", 3, 1)])
    commands = execution.ledger.settle()
    assert [one.name for one in commands if isinstance(one, c.OpenScope)] == ["checks"]
    execution.close()


@pytest.mark.parametrize("by_function", [False, True])
def test_items_of_a_map_have_names(by_function: bool) -> None:
    async def one(ctx: Context, item: int) -> int:
        return await ctx.call(DOUBLE, item)

    async def code(ctx: Context, n: int) -> list[str]:
        target: Any = one if by_function else DOUBLE
        done = await ctx.map(target, [7, 8], item_name=lambda item: f"order-{item}")
        return [item.name for item in done]

    turns = drive(flow(code))
    assert result(turns) == ["order-7", "order-8"]
    if by_function:
        assert [name for _, name in scopes(turns)] == ["order-7", "order-8"]
    else:
        calls = [x for turn in turns for x in turn.commands if isinstance(x, c.ScheduleCall)]
        assert [call.name for call in calls] == ["order-7", "order-8"]
    replayed(code, turns)


@pytest.mark.parametrize(
    ("namer", "words"),
    [
        (lambda item: item, "map item name is int: give text"),
        ("order", "item_name is str of 5: give a plain function"),
    ],
)
def test_a_bad_namer_is_refused(namer: Any, words: str) -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(ConfigurationError) as caught:
            _ = ctx.map(DOUBLE, [1], item_name=namer)
        return str(caught.value)

    assert words in result(drive(flow(code), semantics=2))


@pytest.mark.parametrize(("attempts", "checks"), [(1, 1), (3, 3)])
def test_a_poll_ends_after_so_many_checks(attempts: int, checks: int) -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(PollTimedOut) as caught:
            await ctx.poll(DOUBLE, 1, until=lambda x: x > 100, every=SECOND, attempts=attempts)
        return [caught.value.checks, caught.value.state, str(caught.value)]

    turns = drive(flow(code))
    assert result(turns) == [
        checks,
        2**checks,
        f"poll: its condition did not hold in {checks} checks (execution e)",
    ]
    timers = [one for turn in turns for one in turn.commands if isinstance(one, c.StartTimer)]
    assert len(timers) == checks - 1
    replayed(code, turns)


def test_a_poll_that_succeeds_at_its_last_check_is_right() -> None:
    async def code(ctx: Context, n: int) -> int:
        return await ctx.poll(DOUBLE, 1, until=lambda x: x == 4, every=SECOND, attempts=2)

    assert result(drive(flow(code))) == 4


@pytest.mark.parametrize("attempts", [0, -1, True, 2.5, "3"])
def test_a_bad_number_of_checks_is_refused(attempts: Any) -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(ConfigurationError) as caught:
            _ = ctx.poll(DOUBLE, 1, until=bool, every=SECOND, attempts=attempts)
        return str(caught.value)

    assert "give a whole number from 1" in result(drive(flow(code)))
