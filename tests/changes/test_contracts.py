"""Contracts that change under what is under way: the record says which timers there are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from lambda_workflow import (
    App,
    CallbackTimedOut,
    CallTimedOut,
    Context,
    RetryPolicy,
    Service,
    Status,
    Workflow,
    workflow,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model.events import Failure
from tests.runtime.conftest import MakeHost, make_host

__all__ = ["make_host"]

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ONE_TRY = RetryPolicy(attempts=1)
FIVE_TRIES = RetryPolicy(attempts=5, initial=MINUTE, backoff=1, jitter=0)


class Parcel(BaseModel):
    item: str


class PricedParcel(BaseModel):
    item: str
    currency: str = "EUR"


def charging(**options: Any) -> tuple[App, Workflow[int, str]]:
    charge = Service("charge", int, int, **options)

    @workflow(name="flow")
    async def flow(ctx: Context, n: int) -> str:
        try:
            return f"paid {await ctx.call(charge, n)}"
        except CallTimedOut as error:
            return f"late after {error.attempts}"

    return App("shop", workflows=[flow], services=[charge]), flow


def asking(**options: Any) -> tuple[App, Workflow[int, str]]:
    @workflow(name="flow")
    async def flow(ctx: Context, n: int) -> str:
        try:
            return f"answered {await ctx.callback(bool, name='approve', **options)}"
        except CallbackTimedOut:
            return "late"

    return App("shop", workflows=[flow]), flow


@pytest.mark.parametrize("live_max", [0, 10])
@pytest.mark.parametrize(
    ("made", "recorded", "then", "outcome"),
    [
        (charging, {"timeout": HOUR}, {}, "late after 1"),
        (charging, {"timeout": HOUR}, {"timeout": 9 * HOUR}, "late after 1"),
        (charging, {"attempt_timeout": MINUTE, "retry": ONE_TRY}, {}, "late after 1"),
        (asking, {"timeout": HOUR}, {}, "late"),
        (asking, {"heartbeat_timeout": HOUR}, {}, "late"),
        (asking, {"heartbeat_timeout": HOUR}, {"heartbeat_timeout": 5 * HOUR}, "late"),
    ],
)  # fmt: skip
async def test_a_recorded_limit_strikes_though_the_contract_has_none(
    make_host: MakeHost, made: Callable[..., Any], recorded: Any, then: Any, outcome: str,
    live_max: int,
) -> None:  # fmt: skip
    app, flow = made(**recorded)
    host = make_host(app, live_max=live_max)
    await host.start(flow)
    if "attempt_timeout" in recorded:
        then = {"retry": recorded["retry"]}
    host.deploy(made(**then)[0], live_max=live_max)
    await host.redrive()
    await host.wait(3600)
    assert host.outcome() == outcome


@pytest.mark.parametrize(
    "then", [{"timeout": HOUR}, {"attempt_timeout": MINUTE}, {"heartbeat_timeout": MINUTE}]
)
async def test_a_limit_that_is_new_does_not_reach_what_is_under_way(
    make_host: MakeHost, then: Any
) -> None:
    app, flow = charging()
    host = make_host(app, live_max=0)
    await host.start(flow)
    host.deploy(charging(**then)[0], live_max=0, check=True)
    await host.redrive()
    assert host.timers.next_due is None
    await host.answer("1", 5)
    assert host.outcome() == "paid 5"


async def test_attempts_to_come_follow_the_contract_and_keep_the_recorded_heartbeat(
    make_host: MakeHost,
) -> None:
    app, flow = charging(retry=FIVE_TRIES)
    host = make_host(app, live_max=0)
    await host.start(flow)
    now = {"attempt_timeout": HOUR, "heartbeat_timeout": MINUTE, "retry": FIVE_TRIES}
    host.deploy(charging(**now)[0], live_max=0)
    await host.fail("1", Failure("Broken", "no"))
    await host.wait(60)
    timers = [x.operation for x in host.history().open.values() if isinstance(x, c.StartTimer)]
    assert timers == ["1:attempt2"]  # adapters are told of no heartbeat, so none is awaited
    assert host.tasks()[-1].heartbeat_ms == 0
    await host.answer("1", 5, 2)
    assert host.outcome() == "paid 5"


async def test_a_large_request_is_read_by_the_type_of_today(make_host: MakeHost) -> None:
    def made(kind: type[Parcel] | type[PricedParcel], item: str) -> tuple[App, Workflow[int, str]]:
        order: Service[Any, str] = Service("order", kind, str)

        @workflow(name="flow")
        async def flow(ctx: Context, n: int) -> str:
            return await ctx.call(order, kind(item=item))

        return App("shop", workflows=[flow], services=[order]), flow

    app, flow = made(Parcel, "x" * 50_000)
    host = make_host(app, live_max=0)
    await host.start(flow)
    host.deploy(made(PricedParcel, "y" * 50_000)[0], live_max=0)
    await host.redrive()
    assert host.status() is Status.BLOCKED
    reason = host.history().turns[-1].reason
    assert "item: str of 50000" in reason
    assert "currency: only in the code" in reason
    host.deploy(made(PricedParcel, "x" * 50_000)[0], live_max=0)
    await host.redrive()
    await host.answer("1", "sent")
    assert host.outcome() == "sent"
