"""What a check of a poll adds to the history: the figures that docs/how-to/poll.md gives."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from lambda_workflow import App, Context, Service, Workflow, serve, workflow
from tests.runtime.conftest import MakeHost

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "poll.md"
EVERY = timedelta(seconds=5)
COUNT: Service[int, int] = Service("count", int, int)


@serve(COUNT)
async def count(state: int) -> int:
    return state + 1


def next_state(state: int) -> int:
    return state + 1


@workflow
async def by_service(ctx: Context, checks: int) -> int:
    return await ctx.poll(COUNT, 0, until=lambda state: state == checks, every=EVERY)


@workflow
async def by_step(ctx: Context, checks: int) -> int:
    return await ctx.poll(next_state, 0, until=lambda state: state == checks, every=EVERY)


app = App("polls", workflows=[by_service, by_step], adapters=[count])


async def size_of(make_host: MakeHost, code: Workflow[int, int], checks: int) -> tuple[int, int]:
    """Records and bytes of a whole execution."""
    host = make_host(app)
    await host.start(code, checks)
    assert await host.finish() == checks
    history = host.history()
    return len(history.turns), history.usage.bytes


@pytest.mark.parametrize(("code", "records"), [(by_service, 2), (by_step, 1)])
async def test_a_check_costs_what_the_page_says(
    make_host: MakeHost, code: Workflow[int, int], records: int
) -> None:
    few, many = [await size_of(make_host, code, checks) for checks in (10, 60)]
    assert (many[0] - few[0]) / 50 == records
    told = [int(figure) for figure in re.findall(r"about\s+(\d+) bytes", PAGE.read_text())]
    assert (many[1] - few[1]) / 50 == pytest.approx(told[0 if code is by_service else 1], rel=0.15)
