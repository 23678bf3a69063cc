"""Laws of replay over generated shapes and over every order of what is pending."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest

from lambda_workflow import CallFailed, Context
from lambda_workflow.model.turn import Turn, decode_turn, encode_turn
from lambda_workflow.replay.replayer import replay
from tests.replay import test_anyio, test_asyncio, test_primitives
from tests.replay.driving import (
    DOUBLE,
    OTHER,
    REFUSING,
    Code,
    drive,
    every_order,
    flow,
    replays,
    result,
    tools,
)

ORDERS_MAX = 150
SEEDS = range(40)

NAMED: list[Code] = [
    case[0] for module in (test_primitives, test_asyncio, test_anyio) for case in module.CASES
]


LEAVES = ["call", "nap", "refused"]
BRANCHES = ["all", "group", "scope", "race", "limit", "chain"]


@dataclass(frozen=True)
class Plan:
    """What to do, under which number, with which parts."""

    kind: str
    number: int
    inner: list[Plan]


class Shape:
    """A tree of calls, naps, branches, races and limits, grown from a seed."""

    def __init__(self, ctx: Context, seed: int) -> None:
        self.ctx = ctx
        self.dice = random.Random(seed)
        self.count = 0

    def grow(self, depth: int) -> Plan:
        """A plan: all chance is used up before the workflow runs."""
        self.count += 1
        kind = self.dice.choice([*LEAVES, *BRANCHES] if depth else LEAVES)
        inner = [self.grow(depth - 1) for _ in range(self.dice.randint(1, 4))] if depth else []
        return Plan(kind, self.count, inner)

    async def run(self, plan: Plan) -> Any:
        """Do as planned."""
        return await getattr(self, plan.kind)(plan)

    async def call(self, plan: Plan) -> Any:
        return await self.ctx.call(DOUBLE, plan.number)

    async def nap(self, plan: Plan) -> Any:
        await asyncio.sleep(plan.number % 5)
        return self.ctx.now().second

    async def refused(self, plan: Plan) -> Any:
        try:
            return await self.ctx.call(REFUSING, plan.number)
        except CallFailed as error:
            return error.operation

    async def all(self, plan: Plan) -> Any:
        return await asyncio.gather(*map(self.run, plan.inner))

    async def group(self, plan: Plan) -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.run(one)) for one in plan.inner]
        return [task.result() for task in tasks]

    async def scope(self, plan: Plan) -> Any:
        got: list[Any] = []

        async def keep(one: Plan) -> None:
            got.append(await self.run(one))

        async with anyio.create_task_group() as group:
            for one in plan.inner:
                group.start_soon(keep, one)
        return got

    async def race(self, plan: Plan) -> Any:
        tasks = [asyncio.create_task(self.run(one)) for one in plan.inner]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return [task.result() for task in tasks if task in done]

    async def limit(self, plan: Plan) -> Any:
        try:
            async with asyncio.timeout(plan.number % 4 + 1):
                return await self.all(plan)
        except TimeoutError:
            return await self.ctx.call(OTHER, plan.number)

    async def chain(self, plan: Plan) -> Any:
        return [await self.run(one) for one in plan.inner]


def grown(seed: int) -> Code:
    async def shape(ctx: Context, n: int) -> Any:
        made = Shape(ctx, seed)
        return await made.run(Plan("all", 0, [made.grow(3) for _ in range(2)]))

    return shape


@pytest.mark.parametrize("code", NAMED)
@pytest.mark.parametrize("together", [1, 2])
def test_every_order_of_what_is_pending_replays(code: Code, together: int) -> None:
    made = flow(code)
    for _, turns in zip(range(ORDERS_MAX), every_order(made, together), strict=False):
        assert replay(made, "e", turns, tools(made)).commands == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_generated_shape_replays_from_every_prefix(seed: int) -> None:
    made = flow(grown(seed))
    dice = random.Random(seed)
    turns = drive(
        made, lambda asked: dice.randrange(len(asked)), together=dice.choice([1, 1, 2, 5])
    )
    replays(made, turns)
    result(turns)  # it came to its end


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_answers_in_other_turns_give_the_same_end(seed: int) -> None:
    """How answers are spread over turns is chance; only their order is a fact."""
    made = flow(grown(seed))
    turns = drive(made)
    events = [event for turn in turns for event in turn.events]
    for size in (2, 3, len(events)):
        decision = replay(made, "e", [], tools(made), events=events[:size])
        for start in range(size, len(events), size):
            known = events[: start + size]
            decision = replay(made, "e", [], tools(made), events=known)
        assert decision.outcome == turns[-1].commands[-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_record_that_was_written_and_read_replays_as_the_one_that_was_not(seed: int) -> None:
    made = flow(grown(seed))
    turns = drive(made)
    read = [decode_turn(encode_turn(turn)) for turn in turns]
    assert read == turns
    replays(made, read)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_is_a_fixed_point(seed: int) -> None:
    made = flow(grown(seed))
    turns = drive(made)
    again: list[Turn] = []
    for turn in turns:  # each made by a replay from scratch of those made so before it
        commands = replay(made, "e", again, tools(made), events=turn.events).commands
        again.append(replace(turn, commands=commands))
    assert again == turns


def test_the_shapes_are_worth_the_trouble() -> None:
    lengths = [len(drive(flow(grown(seed)))) for seed in SEEDS]
    assert max(lengths) > 20
    assert sum(lengths) > 8 * len(lengths)
