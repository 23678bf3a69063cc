"""Changes of steps, timers, groups, and of what a workflow hears and says."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from lambda_workflow import Context, RetryPolicy, Signal, Update
from tests.changes.of_calls import ORDER_OF
from tests.changes.parts import (
    CHARGE,
    HOUR,
    HOURS,
    MINUTE,
    RESERVE,
    SHIP,
    Change,
    Code,
    Item,
    PricedItem,
    asked,
    price,
    price_of,
    signalled,
    stock,
)

GO: Signal[str] = Signal("go", str)
STOP: Signal[str] = Signal("stop", str)
RAISE: Update[str, str] = Update("raise", str, str)


def stepping(title: str, /, *steps: Any, **options: Any) -> Code:
    async def code(ctx: Context, item: str) -> str:
        got = [await ctx.call(RESERVE, item)]
        for one in steps:
            got.append(await ctx.step(*one(item), **options))
            got.append(await ctx.call(SHIP, item))
        return " ".join(got)

    code.__name__ = title
    return code


def other_body(item: str) -> str:
    return f"the price of {item}"


other_body.__qualname__ = other_body.__name__ = "price"
other_body.__module__ = price.__module__


async def steps_by_a_lambda(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    got = await ctx.step(lambda: price(item))
    return f"{got} {await ctx.call(SHIP, item)}"


async def steps_by_another_lambda(ctx: Context, item: str) -> str:
    await ctx.call(RESERVE, item)
    got = await ctx.step(lambda: price(item).upper().lower())
    return f"{got} {await ctx.call(SHIP, item)}"


def in_order(name: str, *items: str) -> Code:
    async def code(ctx: Context, item: str) -> str:
        got = {}
        for one in items:
            got[one] = await ctx.step(price, one)
            await ctx.call(SHIP, item)
        return " ".join(got[one] for one in sorted(got))

    code.__name__ = name
    return code


async def steps_where_it_called(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item)
    return f"{held} {await ctx.step(price, item)} {await ctx.call(SHIP, item)}"


async def calls(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item)
    return f"{held} {await ctx.call(CHARGE, item)} {await ctx.call(SHIP, item)}"


def sleeping(name: str, *waits: timedelta) -> Code:
    async def code(ctx: Context, item: str) -> str:
        for one in waits:
            await ctx.sleep(one)
            await ctx.call(SHIP, item)
        return item

    code.__name__ = name
    return code


def reminding(name: str, *waits: timedelta) -> Code:
    async def later(ctx: Context, wait: timedelta) -> str:
        await ctx.sleep(wait)
        return await ctx.call(SHIP, f"{wait} after {ctx.now() - ctx.info.started_at}")

    async def code(ctx: Context, item: str) -> str:
        return " ".join(sorted(await asyncio.gather(*(later(ctx, one) for one in waits))))

    code.__name__ = name
    return code


async def waits_in_time(ctx: Context, item: str) -> str:
    try:
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()
    except TimeoutError:
        await ctx.call(SHIP, item)
    return item


async def calls_in_time(ctx: Context, item: str) -> str:
    async with asyncio.timeout(3600):
        return f"{await ctx.call(CHARGE, item)} {await ctx.call(SHIP, item)}"


async def calls_twice(ctx: Context, item: str) -> str:
    return f"{await ctx.call(CHARGE, item)} {await ctx.call(SHIP, item)}"


def mapping(title: str, /, *items: str, **options: Any) -> Code:
    async def code(ctx: Context, item: str) -> str:
        result = await ctx.map(SHIP, list(items), **options)
        return " ".join(sorted(result.results()))

    code.__name__ = title
    return code


def scoped(name: str, scope: str) -> Code:
    async def code(ctx: Context, item: str) -> str:
        await ctx.call(RESERVE, item)
        if not scope:
            return await ctx.call(CHARGE, item)
        async with ctx.scope(scope):
            return await ctx.call(CHARGE, item)

    code.__name__ = name
    return code


def polling(name: str, every: timedelta) -> Code:
    async def look(ctx: Context, count: int) -> int:
        await ctx.call(SHIP, str(count))
        return count + 1

    async def code(ctx: Context, item: str) -> int:
        count: int = await ctx.poll(look, 0, until=lambda count: count == 3, every=every)
        return count

    code.__name__ = name
    return code


def retrying(name: str, policy: RetryPolicy) -> Code:
    async def block(ctx: Context, tries: list[int]) -> str:
        tries.append(1)
        got = await ctx.call(SHIP, str(len(tries)))
        if len(tries) < 3:
            raise RuntimeError("again")
        return got

    async def code(ctx: Context, item: str) -> str:
        tries: list[int] = []
        return await ctx.retry(block, tries, policy=policy)

    code.__name__ = name
    return code


def hearing(name: str, *signals: Signal[str]) -> Code:
    async def code(ctx: Context, item: str) -> str:
        got = [await ctx.wait_signal(one) for one in signals]
        await ctx.call(SHIP, item)
        return " ".join(got)

    code.__name__ = name
    return code


def replying(name: str, *, refuses: bool = False, words: str = "yes") -> Code:
    async def code(ctx: Context, item: str) -> str:
        updates = ctx.updates(RAISE)
        for _ in range(2):
            one = await anext(updates)
            one.reject(words) if refuses else one.respond(words)
            await ctx.call(SHIP, one.payload)
        return item

    code.__name__ = name
    return code


def telling(name: str, *words: str) -> Code:
    async def code(ctx: Context, item: str) -> str:
        for index, service in enumerate((RESERVE, CHARGE, SHIP)):
            if index < len(words):
                ctx.set_status(words[index])
            await ctx.call(service, item)
        return item

    code.__name__ = name
    return code


async def another_result(ctx: Context, item: str) -> str:
    return f"done: {await calls(ctx, item)}"


async def logs_and_looks(ctx: Context, item: str) -> str:
    ctx.logger.info("begun")
    held = await ctx.call(RESERVE, item)
    ctx.logger.info("held at %s", ctx.now())
    return f"{held} {await ctx.call(CHARGE, item)} {await ctx.call(SHIP, item)}"


async def patched(ctx: Context, item: str) -> str:
    held = await ctx.call(RESERVE, item)
    if ctx.patched("screen"):
        await ctx.call(SHIP, f"screen {item}")
    return f"{held} {await ctx.call(CHARGE, item)} {await ctx.call(SHIP, item)}"


def drawing(name: str, before: int) -> Code:
    async def code(ctx: Context, item: str) -> str:
        await ctx.call(RESERVE, item)
        for _ in range(before):
            ctx.random.random()
        await ctx.call(SHIP, str(ctx.uuid()))
        return await ctx.call(CHARGE, item)

    code.__name__ = name
    return code


async def fails_in_the_end(ctx: Context, item: str) -> str:
    await calls(ctx, item)
    raise RuntimeError("sold out")


STEP = "a step's function renamed, moved or replaced; other arguments of a step"
BODY = "the body of a step's function or lambda; its retry policy; `at_most_once=`"
DURATION = "another duration of `ctx.sleep`, `asyncio.timeout`, a poll's or retry's pauses"
GROUP = "the name or kind of a group; another order or another `limit=` of a map's items"
WORDS = "`ctx.set_status`, and the reply or refusal of an update"
HEARD = "which signals it waits for"
ABC = ("a", "b", "c")
CHANGES: Final = [
    Change(BODY, stepping("step", lambda i: (price, i)),
           stepping("body", lambda i: (other_body, i))),
    Change(BODY, stepping("step", lambda i: (price, i)),
           stepping("retried", lambda i: (price, i), retry=RetryPolicy())),
    Change(BODY, stepping("step", lambda i: (price, i)),
           stepping("once", lambda i: (price, i), at_most_once=True)),
    Change(BODY, steps_by_a_lambda, steps_by_another_lambda),
    Change("the `name=` of a call, send, child or step", stepping("step", lambda i: (price, i)),
           stepping("named", lambda i: (price, i), name="look")),
    Change(STEP, stepping("step", lambda i: (price, i)), stepping("renamed", lambda i: (stock, i))),
    Change(STEP, stepping("named", lambda i: (price, i), name="x"),
           stepping("renamed_named", lambda i: (stock, i), name="x")),
    Change(STEP, stepping("step", lambda i: (price, i)),
           stepping("argument", lambda i: (price, i.upper()))),
    Change(STEP, in_order("tea_cup", "tea", "cup"), in_order("cup_tea", "cup", "tea")),
    Change("a field with a default added to a request",
           stepping("model", lambda i: (price_of, Item(item=i))),
           stepping("later_model", lambda i: (price_of, PricedItem(item=i)))),
    Change(ORDER_OF, stepping("two", lambda i: (price, i), lambda i: (stock, i)),
           stepping("two_exchanged", lambda i: (stock, i), lambda i: (price, i))),
    Change("another kind of operation at the same place", steps_where_it_called, calls),
    Change("another kind of operation at the same place", calls, steps_where_it_called),
    Change(DURATION, sleeping("hour", HOUR, HOUR), sleeping("two_hours", 2 * HOUR, 2 * HOUR)),
    Change(DURATION, sleeping("two_days", HOURS, HOURS), sleeping("minute", MINUTE, MINUTE)),
    Change(DURATION, polling("every_minute", MINUTE), polling("every_hour", HOUR)),
    Change(DURATION, retrying("retry", RetryPolicy(initial=MINUTE)),
           retrying("retry_slowly", RetryPolicy(initial=2 * MINUTE, backoff=3))),
    Change("branches that change places", reminding("hour_days", HOUR, HOURS),
           reminding("days_hour", HOURS, HOUR)),
    Change("another kind of operation at the same place", sleeping("hour", HOUR), waits_in_time),
    Change("a timer, or `asyncio.timeout`, added or removed", calls_twice, calls_in_time),
    Change("a timer, or `asyncio.timeout`, added or removed", calls_in_time, calls_twice),
    Change("a timer, or `asyncio.timeout`, added or removed", sleeping("hour", HOUR),
           sleeping("no_sleep", timedelta(0))),
    Change(GROUP, mapping("map", *ABC), mapping("named_map", *ABC, name="all")),
    Change(GROUP, mapping("map", *ABC), mapping("map_reversed", *reversed(ABC))),
    Change(GROUP, mapping("map", *ABC), mapping("map_limited", *ABC, limit=1)),
    Change(GROUP, scoped("scope", "pay"), scoped("scope_renamed", "charge")),
    Change(GROUP, scoped("no_scope", ""), scoped("scope_added", "pay")),
    Change(HEARD, hearing("go", GO), hearing("stop", STOP),
           outside=(signalled("go", "1"), signalled("stop", "2"))),
    Change(WORDS, replying("yes"), replying("no", words="no"),
           outside=(asked("raise", "1"), asked("raise", "2"))),
    Change(WORDS, replying("yes"), replying("refuses", refuses=True),
           outside=(asked("raise", "1"), asked("raise", "2"))),
    Change(WORDS, telling("says", "a", "b", "c"), telling("says_else", "x", "y")),
    Change(WORDS, telling("says_nothing"), telling("says", "a", "b", "c")),
    Change(WORDS, telling("says", "a", "b", "c"), telling("says_nothing")),
    Change("another result, or another error at the end", calls, another_result),
    Change("another result, or another error at the end", calls, fails_in_the_end),
    Change("logging, and reading `ctx.now()` or `ctx.info`", calls, logs_and_looks),
    Change("what stands behind `if ctx.patched(…)`", calls, patched, rolls=False),
    Change("`ctx.random` or `ctx.uuid()` used more or less often before it is used again",
           drawing("draws", 0), drawing("draws_more", 2)),
]  # fmt: skip
