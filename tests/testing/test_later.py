"""A service that comes back to its task, in the testing kit's virtual time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lambda_workflow import Context, Later, Service, Task, serve, workflow
from lambda_workflow.testing import Endless, explore, fake, simulate

HOUR = timedelta(hours=1)
JOB = Service("job", str, str)


@workflow
async def runs(ctx: Context, name: str) -> str:
    return await ctx.call(JOB, name)


def job(name: str, task: Task) -> str:
    """Looks every hour, and is done at the third look."""
    looks = int(task.state or 0)
    if looks < 3:
        raise Later(HOUR, looks + 1)
    return f"{name} after {looks} looks"


def test_a_fake_that_is_away_comes_back_in_virtual_time() -> None:
    run = simulate(runs, "render", fake(JOB).runs(job))
    assert run.result == "render after 3 looks"
    assert run.elapsed == 3 * HOUR
    assert [call.service for call in run.calls] == ["job"]


def test_an_adapter_does_too() -> None:
    run = simulate(runs, "render", serve(JOB)(job))
    assert (run.result, run.elapsed) == ("render after 3 looks", 3 * HOUR)


def test_what_may_go_wrong_changes_nothing() -> None:
    explore(runs, "render", fake(JOB).runs(job), seeds=30)


def test_a_fake_that_is_away_for_ever_is_found() -> None:
    def never(name: str) -> str:
        raise Later(HOUR)

    with pytest.raises(Endless):
        simulate(runs, "render", fake(JOB).runs(never))
