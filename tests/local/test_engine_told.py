"""What an engine tells a developer who gave it no observer, and what its guard refuses."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from lambda_workflow import (
    App,
    ConfigurationError,
    Context,
    ExecutionFailed,
    ResultTimeout,
    Service,
    serve,
    workflow,
)
from lambda_workflow.local import Engine, SkippingClock

LISTED: Service[int, int] = Service("listed", int, int)
MISSING: Service[int, int] = Service("missing", int, int)


@serve(LISTED)
async def same(number: int) -> int:
    return number


@workflow
async def calls_what_is_missing(ctx: Context, number: int) -> int:
    return await ctx.call(MISSING, number)


@workflow
async def forgets(ctx: Context, number: int) -> int:
    ctx.call(LISTED, number)
    return number


APP = App("told", workflows=[calls_what_is_missing, forgets], adapters=[same])


async def test_a_call_of_a_service_that_is_not_listed_is_logged_with_the_line_to_add(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Engine(APP, ":memory:", clock=SkippingClock()) as engine:
        handle = await engine.client.start(calls_what_is_missing, 1)
        with pytest.raises(ResultTimeout, match=r"BLOCKED.*MISSING"):
            await handle.result(timedelta(seconds=0.2))
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert "blocked" in record.getMessage()
    assert "services=[" in record.getMessage()


async def test_a_call_that_nobody_awaits_is_a_warning_live_and_an_error_if_strict(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Engine(APP, ":memory:") as engine:
        assert await (await engine.client.start(forgets, 1)).result() == 1
    assert "unawaited" in caplog.text
    async with Engine(APP, ":memory:", strict=True) as engine:
        with pytest.raises(ExecutionFailed, match="nobody awaits it"):
            await (await engine.client.start(forgets, 1)).result()


def test_an_engine_that_was_not_entered_says_so() -> None:
    with pytest.raises(ConfigurationError, match="async with Engine"):
        _ = Engine(APP, ":memory:").client
