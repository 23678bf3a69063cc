"""Names that the history shows: any text, made printable and cut; no workflow fails by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import Context, workflow
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.ids import display_name
from lambda_workflow.model.limits import DISPLAY_NAME_CHARACTERS_MAX
from lambda_workflow.replay.execution import Execution
from tests.replay.driving import DOUBLE, REFUSING, drive, flow, result, tools

SECOND = timedelta(seconds=1)
ODD = "charge é, order 7\n\x1b[31m \ud800 \u202e"
SHOWN = r"charge é, order 7\n\x1b[31m \ud800 \u202e"


@workflow(name="flow")
async def child(ctx: Context, n: int) -> int:
    return n


async def _scope(ctx: Context, name: str) -> None:
    async with ctx.scope(name):
        await ctx.call(DOUBLE, 1)


async def _saga(ctx: Context, name: str) -> None:
    async with ctx.saga() as saga:
        saga.on_rollback(DOUBLE, 1, name=name)
        await ctx.call(REFUSING, 1)


async def _one(ctx: Context, item: int) -> int:
    return await ctx.call(DOUBLE, item)


async def _parallel(ctx: Context, name: str) -> Any:
    return await ctx.parallel({name: lambda ctx: ctx.call(DOUBLE, 1)})


WAYS: dict[str, Callable[[Context, str], Any]] = {
    "call": lambda ctx, name: ctx.call(DOUBLE, 1, name=name),
    "send": lambda ctx, name: ctx.send(DOUBLE, 1, name=name),
    "step": lambda ctx, name: ctx.step(abs, 1, name=name),
    "callback": lambda ctx, name: ctx.callback(int, name=name),
    "sleep": lambda ctx, name: ctx.sleep(SECOND, name=name),
    "child": lambda ctx, name: ctx.call(child, 1, name=name),
    "start": lambda ctx, name: ctx.start(child, 1, name=name),
    "scope": _scope,
    "map": lambda ctx, name: ctx.map(DOUBLE, [1], name=name),
    "item": lambda ctx, name: ctx.map(DOUBLE, [1], item_name=lambda _: name),
    "item of a function": lambda ctx, name: ctx.map(_one, [1], item_name=lambda _: name),
    "parallel": lambda ctx, name: ctx.parallel([lambda ctx: ctx.call(DOUBLE, 1)], name=name),
    "branch": _parallel,
    "poll": lambda ctx, name: ctx.poll(DOUBLE, 1, until=bool, every=SECOND, name=name),
    "retry": lambda ctx, name: ctx.retry(_one, 1, name=name),
}


def recorded(way: Callable[[Context, str], Any], name: str) -> list[c.Command]:
    """What a first turn asks for."""

    async def code(ctx: Context, n: int) -> None:
        begun = way(ctx, name)
        if begun is not None and not isinstance(begun, str):
            await begun
        await asyncio.sleep(3600)

    execution = Execution(flow(code), "e", tools(flow(code)))
    execution.advance([e.Started(1, "flow", 3, 2)])
    commands = [*execution.ledger.settle()]
    execution.close()
    return commands


def names_in(commands: list[c.Command]) -> set[str]:
    return {str(getattr(one, "name", "")) for one in commands} - {""}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize(
    ("name", "shown"), [(ODD, SHOWN), ("x" * 201, "x" * 199 + "…"), ("a" * 200, "a" * 200)]
)
def test_whatever_has_a_name_takes_any_text(
    way: Callable[[Context, str], Any], name: str, shown: str
) -> None:
    assert names_in(recorded(way, name)) == {shown}


def test_a_compensation_takes_any_text() -> None:
    async def code(ctx: Context, n: int) -> None:
        await _saga(ctx, ODD)

    turns = drive(flow(code))
    assert SHOWN in names_in([one for turn in turns for one in turn.commands])


@pytest.mark.parametrize("way", [w for w in WAYS if w != "branch"])
def test_what_is_no_text_is_refused_with_its_kind(way: str) -> None:
    async def code(ctx: Context, n: int) -> str:
        no_text: Any = 7
        try:
            if (begun := WAYS[way](ctx, no_text)) is not None:
                await begun
        except ConfigurationError as refused:
            return str(refused)
        return "taken"

    kind = {"start": "child", "item": "map item", "item of a function": "map item"}.get(way, way)
    assert result(drive(flow(code), semantics=2)).startswith(f"{kind} name is int: give text")


def test_an_item_keeps_its_whole_name() -> None:
    async def code(ctx: Context, n: int) -> list[str]:
        mapped = await ctx.map(DOUBLE, [1], item_name=lambda _: ODD[:-3])
        run = await ctx.parallel({"x" * 300: lambda ctx: ctx.call(DOUBLE, 1)})
        return [one.name for one in [*mapped, *run]]

    names = result(drive(flow(code), semantics=2))
    assert [len(name) for name in names] == [len(ODD) - 3, 300]


@pytest.mark.parametrize("name", ["", "a", ODD, "\n" * 500, "…" * 300, "\\" * 250, "世" * 200])
def test_a_display_name_is_printable_short_and_stays_as_it_is(name: str) -> None:
    shown = display_name("step", name)
    assert shown.isprintable()
    assert len(shown) <= DISPLAY_NAME_CHARACTERS_MAX
    assert display_name("step", shown) == shown
    assert shown.encode().decode() == shown


@pytest.mark.parametrize("length", [150, 500, 1500])
def test_steps_and_branches_of_earlier_records_may_have_longer_names(length: int) -> None:
    name = "n" * length
    earlier = name if length <= 1000 else f"{name[:1000]}… ({length - 1000} characters more)"

    async def code(ctx: Context, n: int) -> None:
        await ctx.parallel({name: lambda ctx: ctx.call(DOUBLE, 1)})
        await ctx.step(abs, 1, name=name)

    def as_before(command: c.Command) -> c.Command:
        match command:
            case c.RunStep():
                return replace(command, name=earlier, function="", arguments="")
            case c.OpenScope() if command.name:
                return replace(command, name=earlier)
            case _:
                return command

    turns = drive(flow(code), semantics=2)
    before = [replace(turn, commands=tuple(map(as_before, turn.commands))) for turn in turns]
    execution = Execution(flow(code), "e", tools(flow(code)))
    execution.replay(before)
    execution.close()
