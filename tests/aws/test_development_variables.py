"""What the variables of the guard and the watchdog switch on reaches the code that runs."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest

from lambda_workflow import App, ConfigurationError, Context, workflow
from lambda_workflow.aws.config import PREFIX, read_config
from lambda_workflow.aws.handlers import workflow_handler
from lambda_workflow.model.messages import Request
from lambda_workflow.model.wire import render
from lambda_workflow.runtime.turn_limits import TURN_LIMITS
from tests.aws.deployed import deploy, event_of, lease, put
from tests.aws.server.process import Server

REQUIRED = {f"{PREFIX}TABLE": "t", f"{PREFIX}QUEUE_URL": "q"}


@workflow
async def asks_the_clock(ctx: Context, n: int) -> bool:
    return time.time() > n


@pytest.mark.parametrize("on", [True, False])
async def test_the_guard_is_on_by_its_variable(
    server: Server, caplog: pytest.LogCaptureFixture, *, on: bool
) -> None:
    caplog.set_level(logging.INFO, "lambda_workflow")
    guard = read_config({**REQUIRED, f"{PREFIX}GUARD": "1" if on else ""}).guard
    config = replace(await deploy([]), guard=guard)
    handle = workflow_handler(App("clocks", workflows=[asks_the_clock]), config)
    await put(config.queue_url, render(Request("e", "asks_the_clock", 1)), group="e")
    async with lease(config.queue_url) as (messages, _):
        assert messages
        await handle(event_of("in.fifo", messages))
    assert ("NonDeterministicCall" in caplog.text) == on
    assert ("test_development_variables.py" in caplog.text) == on


def test_the_watchdog_has_its_limits_by_their_variables() -> None:
    given = {f"{PREFIX}TURN_WARNING_SECONDS": "none", f"{PREFIX}TURN_SECONDS_MAX": "0.5"}
    limits = read_config({**REQUIRED, **given}).turn_limits
    assert (limits.warning_seconds, limits.seconds_max) == (None, 0.5)
    assert read_config(REQUIRED).turn_limits == TURN_LIMITS
    for wrong in ("0", "-1", "soon"):
        with pytest.raises(ConfigurationError, match=f"{PREFIX}TURN_SECONDS_MAX"):
            read_config({**REQUIRED, f"{PREFIX}TURN_SECONDS_MAX": wrong})
