"""Several Apps in one engine: their workflows call each other, and keep to their own parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    ChildFailed,
    ConfigurationError,
    Context,
    RemoteWorkflow,
    Service,
    ServiceError,
    Status,
    serve,
    workflow,
)
from lambda_workflow.local import Engine, SkippingClock

CHARGE: Service[int, str] = Service("charge", int, str)
SHIP: Service[str, str] = Service("ship", str, str)
OTHER_SHIP: Service[int, int] = Service("ship", int, int)
BILLING: RemoteWorkflow[int, str] = RemoteWorkflow("bill", int, str, app="billing")
NEWS: RemoteWorkflow[str, str] = RemoteWorkflow("news", str, str, app="billing")


@serve(CHARGE)
async def charge(amount: int) -> str:
    if amount > 100:
        raise ServiceError("too much", retryable=False)
    return f"{amount} charged"


@serve(SHIP)
async def ship(what: str) -> str:
    return f"{what}, shipped"


@workflow
async def bill(ctx: Context, amount: int) -> str:
    assert ctx.info.version == "b7"
    return await ctx.call(CHARGE, amount)


@workflow
async def news(ctx: Context, line: str) -> str:
    await ctx.sleep(timedelta(days=1))
    return line


@workflow
async def order(ctx: Context, amount: int) -> str:
    try:
        return await ctx.call(SHIP, await ctx.call(BILLING, amount, id=f"bill-{amount}"))
    except ChildFailed as failed:
        ctx.start(NEWS, "declined", id="news")
        return f"{failed.execution_id}: {failed.type}"


@workflow
async def trespasser(ctx: Context, n: int) -> str:
    """Calls a workflow of the other App as if it were of its own."""
    return await ctx.call(bill, n)


shop = App("shop", workflows=[order, trespasser], adapters=[ship])
billing = App(
    "billing", workflows=[bill, news], adapters=[charge], services=[OTHER_SHIP], version="b7"
)


async def test_a_workflow_of_another_app_is_called_started_and_fails() -> None:
    async with Engine(
        shop, ":memory:", also=[billing], clock=SkippingClock(), check=True
    ) as engine:
        client = engine.client
        assert await (await client.start(order, 7)).result() == "7 charged, shipped"
        assert await (await client.start(order, 700)).result() == "bill-700: CallFailed"
        assert await client.result("news") == "declined"
        assert (await client.describe("bill-7")).workflow == "bill"


async def test_each_workflow_keeps_to_its_own_app() -> None:
    async with Engine(shop, ":memory:", also=[billing]) as engine:
        handle = await engine.client.start(trespasser, 1)
        with pytest.raises(TimeoutError, match=r"UnknownWorkflow: .* call it as a RemoteWorkflow"):
            await handle.result(timedelta(seconds=1))
        assert (await handle.describe()).status is Status.BLOCKED


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (App("shop", workflows=[]), "two apps have one name"),
        (App("b", workflows=[order]), "'shop' and 'b' both have a workflow 'order'"),
        (
            App("b", workflows=[], adapters=[serve(SHIP)(ship.function)]),
            "adapters of service 'ship'",
        ),
    ],
)
def test_what_two_apps_cannot_share_is_refused(other: App, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Engine(shop, ":memory:", also=[other])


def test_two_apps_may_list_the_same_adapter() -> None:
    found: Any = Engine(shop, ":memory:", also=[App("b", workflows=[], adapters=[ship])])
    assert set(found._app.adapters) == {"ship"}
