"""Classes of asyncio that are replaced after the import, as `nest_asyncio.apply()` does it."""

from __future__ import annotations

import asyncio

import pytest

from lambda_workflow import App, Context, Service, serve, workflow
from lambda_workflow.local import Engine

DOUBLE = Service("double", int, int)


@serve(DOUBLE)
async def double(n: int) -> int:
    return 2 * n


@workflow
async def flow(ctx: Context, n: int) -> int:
    both = await asyncio.gather(ctx.call(DOUBLE, n), ctx.call(DOUBLE, n + 1))
    async with asyncio.TaskGroup() as group, asyncio.timeout(5):
        task = group.create_task(inner(ctx, sum(both)))
        await task
    for done in asyncio.as_completed([inner(ctx, 1), inner(ctx, 2)]):
        await done
    return await task


async def inner(ctx: Context, n: int) -> int:
    return await ctx.call(DOUBLE, n)


APP = App("nested", workflows=[flow], adapters=[double])


def test_executions_run_where_asyncios_classes_were_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, name, python in (
        (asyncio, "Task", asyncio.tasks._PyTask),  # type: ignore[attr-defined]  # no public name
        (asyncio.tasks, "Task", asyncio.tasks._PyTask),  # type: ignore[attr-defined]  # the same
        (asyncio, "Future", asyncio.futures._PyFuture),  # type: ignore[attr-defined]  # the same
        (asyncio.futures, "Future", asyncio.futures._PyFuture),  # type: ignore[attr-defined]  # …
    ):
        monkeypatch.setattr(module, name, python)

    async def run() -> int:
        async with Engine(APP, ":memory:", check=True) as engine:
            return await (await engine.client.start(flow, 1)).result()

    assert asyncio.run(run()) == 12
