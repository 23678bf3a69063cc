"""The types of signals, updates, queries and start options, as mypy --strict sees them.

Nothing here runs; see `tests/typing/api.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_type

from lambda_workflow import Client, Context, Signal, Update, workflow
from lambda_workflow.ports import Header
from lambda_workflow.runtime.client import Handle


@dataclass(frozen=True)
class Item:
    name: str


ADD = Signal("add", Item)
COUNT = Update("count", Item, int)


@workflow
async def cart(ctx: Context, limit: int) -> list[str]:
    item = await ctx.wait_signal(ADD)
    assert_type(item, Item)
    async for one in ctx.signals(ADD):
        assert_type(one, Item)
    async for call in ctx.updates(COUNT):
        assert_type(call.payload, Item)
        call.respond(1)
        call.respond("one")  # type: ignore[arg-type]  # the update gives an int
    await ctx.wait_until(lambda: limit > 1)
    return [item.name]


@cart.query
def names(ctx: Context) -> list[str]:
    return []


@cart.query
def has(ctx: Context, name: str) -> bool:
    return False


async def talk(client: Client) -> None:
    handle = await client.start(
        cart, 3, execution_id="c", on_conflict="use_existing", signal=(ADD, Item("tea")),
        execution_timeout=timedelta(hours=1), tags={"team": "blue"}, memo=[1],
    )  # fmt: skip
    assert_type(handle, Handle[list[str]])
    await client.start(cart, 3, on_conflict="replace")  # type: ignore[arg-type]  # no such policy
    both = await client.start_with_update(cart, 3, COUNT, Item("tea"), execution_id="c", memo=[1])
    assert_type(both, tuple[Handle[list[str]], int])
    await client.start_with_update(cart, 3, COUNT, 1)  # type: ignore[misc]  # it asks about an Item
    assert_type(client.sync.start_with_update(cart, 3, COUNT, Item("tea")), tuple[str, int])
    await client.signal("c", ADD, Item("tea"))
    await handle.signal(ADD, Item("tea"), id="once")
    await handle.signal(ADD, "tea")  # type: ignore[misc]  # the signal carries an Item

    assert_type(await client.update("c", COUNT, Item("tea")), int)
    assert_type(await handle.update(COUNT, Item("tea"), timeout=timedelta(seconds=1)), int)
    assert_type(client.sync.update("c", COUNT, Item("tea")), int)
    await handle.update(COUNT, 1)  # type: ignore[misc]  # it asks about an Item

    assert_type(await client.query("c", names), list[str])
    assert_type(await handle.query(has, "tea"), bool)
    assert_type(client.sync.query("c", has, "tea"), bool)
    await handle.query(has, 1)  # type: ignore[misc]  # its argument is a name
    await handle.query(has)  # type: ignore[arg-type]  # it needs its argument


def look(header: Header) -> None:
    assert_type(header.custom_as(Item), Item | None)
    assert_type(header.tags["team"], str)
