"""A missing heartbeat is told by its class; earlier histories get the class that they got."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    CallbackTimedOut,
    CallTimedOut,
    Context,
    RetryPolicy,
    Service,
    workflow,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.retry import NO_RETRY
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.replayer import replay
from lambda_workflow.runtime.lent import tools_for

FILM: Service[int, int] = Service("film", int, int)
SECOND = timedelta(seconds=1)


@workflow
async def calls(ctx: Context, n: int) -> list[str]:
    try:
        await ctx.call(FILM, n, heartbeat_timeout=SECOND, retry=NO_RETRY)
    except CallTimedOut as late:
        return [type(late).__name__, late.type]
    return []


@workflow
async def waits(ctx: Context, n: int) -> list[str]:
    try:
        await ctx.callback(int, heartbeat_timeout=SECOND)
    except CallbackTimedOut as late:
        return [type(late).__name__, late.type]
    return []


CLASSES = {
    (calls, 1): "CallTimedOut",
    (calls, 2): "HeartbeatTimedOut",
    (waits, 1): "CallbackTimedOut",
    (waits, 2): "CallbackHeartbeatTimedOut",
}


@pytest.mark.parametrize(("flow", "semantics"), CLASSES, ids=str)
def test_silence_has_a_class_of_its_own(flow: Any, semantics: int) -> None:
    app = App("tests", workflows=[flow], services=[FILM])
    opened = c.ScheduleCall("1", "film", 1, "", 1000) if flow is calls else c.OpenCallback("1")
    began = e.Started(0, flow.name, 1, semantics)
    turns = [Turn(1, 0, (began,), (opened, c.StartTimer("1:beat1.1", 1000)))]
    fired = e.TimerFired(1000, "1:beat1.1")
    made = replay(flow, "e", turns, tools_for(app), events=[fired])
    assert made.outcome == c.Complete([CLASSES[flow, semantics], "HeartbeatTimedOut"])


def test_policies_take_silence_for_a_timeout() -> None:
    policy = RetryPolicy(attempts=3, retryable=(CallTimedOut,))
    assert policy.retries("HeartbeatTimedOut", True, 1)
    assert policy.retries("CallTimedOut", True, 1)
    assert not policy.retries("CallFailed", True, 1)
    assert not RetryPolicy(non_retryable=(TimeoutError,)).retries("HeartbeatTimedOut", True, 1)
