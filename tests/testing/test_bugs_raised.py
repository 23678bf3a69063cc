"""A bug of the workflow's code comes out of a simulation as the exception that it is."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from lambda_workflow import Context, Service, workflow
from lambda_workflow.testing import Simulation, explore, fake, simulate

PRICE: Service[str, int] = Service("price", str, int)


@workflow
async def broken(ctx: Context, item: str) -> Any:
    prices = {item: await ctx.call(PRICE, item)}
    return prices["lamp"]


@workflow
async def parent(ctx: Context, item: str) -> Any:
    return await ctx.call(broken, item)


def _line(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return next(f.line or "" for f in reversed(frames) if f.filename == __file__)


@pytest.mark.parametrize("flow", [broken, parent])
@pytest.mark.parametrize("strict", [True, False])
def test_simulate_raises_it_with_its_traceback(flow: Any, strict: bool) -> None:
    with pytest.raises(KeyError, match="lamp") as raised:
        simulate(flow, "book", fake(PRICE).returns(3), broken, strict=strict)
    assert _line(raised.value) == 'return prices["lamp"]'


def test_a_simulation_raises_it_where_it_moves() -> None:
    simulation = Simulation(broken, "book", fake(PRICE).returns(3))
    with simulation, pytest.raises(KeyError):
        simulation.run_until_suspended()


def test_explore_raises_a_bug_that_needs_no_fault() -> None:
    with pytest.raises(KeyError, match="lamp"):
        explore(broken, "book", fake(PRICE).returns(3), seeds=3)
