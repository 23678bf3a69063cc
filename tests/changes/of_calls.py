"""Changes of calls, children, callbacks and their contracts."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from lambda_workflow import Context, RetryPolicy
from tests.changes.parts import (
    CHARGE,
    DAY,
    HOUR,
    MINUTE,
    ORDER,
    PRICED_ORDER,
    RESERVE,
    SHIP,
    UNLISTED,
    WEIGHED_ORDER,
    Change,
    Code,
    Item,
    PricedItem,
    WeighedItem,
    child,
    limited,
    other_child,
)


async def plain(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item)
    paid = await ctx.call(CHARGE, item)
    return f"{held} {paid} {await ctx.call(SHIP, item)}"


async def another_service(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item)
    paid = await ctx.call(SHIP, item)
    return f"{held} {paid} {await ctx.call(SHIP, item)}"


async def one_more_before(ctx: Context, item: str) -> str:
    await ctx.call(SHIP, item)
    return await plain(ctx, item)


async def one_more_after(ctx: Context, item: str) -> str:
    return f"{await plain(ctx, item)} {await ctx.call(RESERVE, item)}"


async def one_less(ctx: Context, item: str) -> str:
    return f"{await ctx.call(RESERVE, item)} {await ctx.call(SHIP, item)}"


async def exchanged(ctx: Context, item: str) -> str:
    paid = await ctx.call(CHARGE, item)
    held = await ctx.call(RESERVE, item)
    return f"{held} {paid} {await ctx.call(SHIP, item)}"


async def another_value(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item)
    paid = await ctx.call(CHARGE, item.upper())
    return f"{held} {paid} {await ctx.call(SHIP, item)}"


async def with_a_name(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item, name="hold")
    paid = await ctx.call(CHARGE, item)
    return f"{held} {paid} {await ctx.call(SHIP, item, name='parcel')}"


async def in_a_function(ctx: Context, item: str) -> str:
    async def pay() -> str:
        return await ctx.call(CHARGE, item)

    held = await ctx.call(RESERVE, item)
    return f"{held} {await pay()} {await ctx.call(SHIP, item)}"


async def in_a_task(ctx: Context, item: str) -> str:
    async def pay() -> str:
        return await ctx.call(CHARGE, item)

    held = await ctx.call(RESERVE, item)
    paid = await asyncio.create_task(pay())
    return f"{held} {paid} {await ctx.call(SHIP, item)}"


async def side_by_side(ctx: Context, item: str) -> str:
    return " ".join(
        await asyncio.gather(ctx.call(RESERVE, item), ctx.call(CHARGE, item), ctx.call(SHIP, item))
    )


async def side_by_side_exchanged(ctx: Context, item: str) -> str:
    paid, held, sent = await asyncio.gather(
        ctx.call(CHARGE, item), ctx.call(RESERVE, item), ctx.call(SHIP, item)
    )
    return f"{held} {paid} {sent}"


async def sent_only(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item)
    ctx.send(CHARGE, item)
    return f"{held} {await ctx.call(SHIP, item)}"


async def sent_with_a_name(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item)
    ctx.send(CHARGE, item, name="pay")
    return f"{held} {await ctx.call(SHIP, item)}"


async def to_an_unlisted_service(ctx: Context, item: str) -> str:
    return f"{await plain(ctx, item)} {await ctx.call(UNLISTED, item)}"


async def to_an_unlisted_service_after_a_step(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item)
    await ctx.step(len, item)
    return f"{held} {await ctx.call(UNLISTED, item)}"


async def ordering(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return await ctx.call(ORDER, Item(item=item))


async def ordering_priced(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return await ctx.call(PRICED_ORDER, PricedItem(item=item))


async def ordering_in_dollars(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return await ctx.call(PRICED_ORDER, PricedItem(item=item, currency="USD"))


async def ordering_weighed(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return await ctx.call(WEIGHED_ORDER, WeighedItem(item=item, grams=9))


SHORT, LONG = limited(timeout=HOUR), limited(timeout=DAY)
ATTEMPTS, BEATS = limited(attempt_timeout=HOUR), limited(heartbeat_timeout=HOUR)
STARTS, SOON = limited(start_timeout=DAY), limited(start_timeout=HOUR)
RETRIED = limited(retry=RetryPolicy(attempts=9, initial=MINUTE))


def paying_by(service: Any, name: str) -> Code:
    async def code(ctx: Context, item: str) -> str:
        held = await ctx.call(RESERVE, item)
        paid = await ctx.call(service, item)
        return f"{held} {paid} {await ctx.call(SHIP, item)}"

    code.__name__ = name
    return code


contract = {
    name: (paying_by(service, name), service)
    for name, service in (
        ("no_limits", CHARGE), ("timeout", SHORT), ("longer_timeout", LONG),
        ("attempt_timeout", ATTEMPTS), ("heartbeat", BEATS), ("retried", RETRIED),
        ("start", SOON), ("later_start", STARTS),
    )
}  # fmt: skip


def of_contract(row: str, before: str, after: str) -> Change:
    (old, first), (new, then) = contract[before], contract[after]
    return Change(row, old, new, (first,), (then,))


async def calls_a_child(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return await ctx.call(child, item)


async def calls_a_child_with_a_name(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return await ctx.call(child, item, name="inner", timeout=HOUR, parent_close="abandon")


async def calls_another_child(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return await ctx.call(other_child, item)


async def calls_a_child_by_id(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return await ctx.call(child, item, id="chosen")


async def asks(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return str(await ctx.callback(bool, name="approve"))


async def asks_in_time(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return str(await ctx.callback(bool, name="approve", timeout=DAY, heartbeat_timeout=HOUR))


async def asks_by_another_name(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return str(await ctx.callback(bool, name="confirm"))


async def asks_for_another_type(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return str(await ctx.callback(int | bool, name="approve"))


async def asks_without_a_name(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return str(await ctx.callback(bool))


async def asks_without_a_name_for_another_type(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return str(await ctx.callback(int | bool))


async def calls_where_it_asked(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    return await ctx.call(CHARGE, item)


def asking(name: str, *people: str) -> Code:
    async def ask(ctx: Context, person: str) -> str:
        return f"{person} {await ctx.callback(bool)}"

    async def code(ctx: Context, item: str) -> str:
        return " ".join(sorted(await asyncio.gather(*(ask(ctx, one) for one in people))))

    code.__name__ = name
    return code


TIMEOUTS = "a `timeout=` added to, removed from or changed on a service, call, child or callback"
LIMITS = "an `attempt_timeout=`, `start_timeout=` or `heartbeat_timeout=` added, removed or changed"
ORDER_OF = "operations that change places, or are put before, between or away from others"
QUESTION = "the name of a callback, or the answer's type of one without a name"
DEFAULT = "a field with a default added to a request"
REMOVED = "a field removed from a request"
NO_DEFAULT = "a field without a default added to a request"
CHILD = "the name, timeout or close policy of a child"
PLACES = "branches that change places"
CHANGES: Final = [
    Change("another service at the same place", plain, another_service),
    Change(ORDER_OF, plain, one_more_before),
    Change(ORDER_OF, plain, one_less),
    Change(ORDER_OF, plain, exchanged),
    Change(ORDER_OF, side_by_side, side_by_side_exchanged),
    Change("operations added after all that were there", plain, one_more_after, rolls=False),
    Change("another value in a request", plain, another_value),
    Change("another value in a request", ordering, ordering_in_dollars, (), (PRICED_ORDER,)),
    Change(DEFAULT, ordering, ordering_priced, (), (PRICED_ORDER,), rolls=False),
    Change(REMOVED, ordering_priced, ordering, (PRICED_ORDER,), (ORDER,)),
    Change(REMOVED, ordering_in_dollars, ordering, (PRICED_ORDER,), (ORDER,)),
    Change(NO_DEFAULT, ordering, ordering_weighed, (), (WEIGHED_ORDER,)),
    Change("the `name=` of a call, send, child or step", plain, with_a_name),
    Change("the `name=` of a call, send, child or step", with_a_name, plain),
    Change("the `name=` of a call, send, child or step", sent_only, sent_with_a_name),
    Change("code moved into a function that is awaited in place", plain, in_a_function),
    Change("an operation moved into a task, or out of one", plain, in_a_task),
    Change("an operation moved into a task, or out of one", in_a_task, plain),
    Change("calls one after the other made side by side, or the reverse", plain, side_by_side),
    Change("calls one after the other made side by side, or the reverse", side_by_side, plain),
    Change("another kind of operation at the same place", plain, sent_only),
    Change("another kind of operation at the same place", sent_only, plain),
    Change("another kind of operation at the same place", asks, calls_where_it_asked),
    Change("a service or workflow that the App does not list", plain, to_an_unlisted_service),
    Change("a service or workflow that the App does not list", plain,
           to_an_unlisted_service_after_a_step),
    of_contract(TIMEOUTS, "no_limits", "timeout"),
    of_contract(TIMEOUTS, "timeout", "no_limits"),
    of_contract(TIMEOUTS, "timeout", "longer_timeout"),
    of_contract(TIMEOUTS, "longer_timeout", "timeout"),
    Change(TIMEOUTS, asks, asks_in_time),
    Change(TIMEOUTS, asks_in_time, asks),
    of_contract(LIMITS, "no_limits", "attempt_timeout"),
    of_contract(LIMITS, "attempt_timeout", "no_limits"),
    of_contract(LIMITS, "no_limits", "heartbeat"),
    of_contract(LIMITS, "heartbeat", "no_limits"),
    of_contract(LIMITS, "heartbeat", "attempt_timeout"),
    of_contract(LIMITS, "no_limits", "start"),
    of_contract(LIMITS, "start", "no_limits"),
    of_contract(LIMITS, "start", "later_start"),
    of_contract(LIMITS, "later_start", "heartbeat"),
    of_contract("another retry policy", "no_limits", "retried"),
    Change(CHILD, calls_a_child, calls_a_child_with_a_name),
    Change(CHILD, calls_a_child_with_a_name, calls_a_child),
    Change("another workflow or id of a child", calls_a_child, calls_another_child),
    Change("another workflow or id of a child", calls_a_child, calls_a_child_by_id),
    Change(QUESTION, asks, asks_by_another_name),
    Change(QUESTION, asks_without_a_name, asks_without_a_name_for_another_type),
    Change("the answer's type of a callback that has a name", asks, asks_for_another_type),
    Change(PLACES, asking("ann_bob", "ann", "bob"), asking("bob_ann", "bob", "ann")),
]  # fmt: skip
