"""What tells one operation from another, and what may change without making it another one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from lambda_workflow import Context, NonDeterminismError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.digests import digest_of
from lambda_workflow.replay.replayer import replay
from tests.replay.changing import differs, goes_on, play
from tests.replay.driving import START, Code, flow, tools

PRICES: dict[str, int] = {}
HOUR, TWO_DAYS = timedelta(hours=1), timedelta(hours=48)


def price(name: str) -> str:
    return f"price of {name}"


def stock(name: str) -> str:
    return f"stock of {name}"


def changed_body(name: str) -> str:
    return f"the price of {name}"


changed_body.__qualname__ = changed_body.__name__ = "price"


def steps(*made: Callable[[Context], Any]) -> Code:
    async def code(ctx: Context, n: int) -> Any:
        return [await one(ctx) for one in made]

    return code


def of(function: Callable[..., Any], *args: Any, **options: Any) -> Callable[[Context], Any]:
    return lambda ctx: ctx.step(function, *args, **options)


@dataclass(frozen=True)
class Shop:
    name: str

    def price(self) -> str:
        return self.name


@dataclass
class Gateway:
    calls: int = 0

    def price(self, name: str) -> str:
        self.calls += 1
        return name


class Order(BaseModel):
    name: str


class LaterOrder(BaseModel):
    name: str
    currency: str = "EUR"
    notes: list[str] = []


@dataclass
class Basket:
    name: str


@dataclass
class LaterBasket:
    name: str
    notes: list[str] = field(default_factory=list)


class Called:
    def __call__(self, name: str) -> str:
        return name


OTHER_STEP = [
    (of(price, "tea"), of(price, "cup")),
    (of(price, "tea"), of(stock, "tea")),
    (of(price, "tea", name="look"), of(stock, "tea", name="look")),
    (of(partial(price, "tea")), of(partial(price, "cup"))),
    (of(partial(price, name="tea")), of(partial(price, name="cup"))),
    (of(Shop("a").price), of(Shop("b").price)),
    (of("tea".upper), of("cup".upper)),
    (of(price, Order(name="tea")), of(price, Order(name="cup"))),
    (of(price, Basket("tea")), of(price, Basket("cup"))),
    (of(price, {"a": [1, 2]}), of(price, {"a": [2, 1]})),
    (of(price, {1, 2}), of(price, {1, 3})),
    (of(price, HOUR), of(price, TWO_DAYS)),
    (of(str, 1), of(int, 1)),
    (of(Called(), "tea"), of(price, "tea")),
    (lambda ctx: ctx.step(lambda: price("tea")), lambda ctx: ctx.step(price, "tea")),
]

SAME_STEP = [
    (of(price, "tea"), of(changed_body, "tea")),
    (of(price, "tea", name="look"), of(price, "tea", name="see")),
    (of(price, Order(name="tea")), of(price, LaterOrder(name="tea"))),
    (of(price, Basket("tea")), of(price, LaterBasket("tea"))),
    (of(price, {"a": 1, "b": 2}), of(price, {"b": 2, "a": 1})),
    (of(price, object()), of(price, object())),
    (of(Gateway(1).price, "tea"), of(Gateway(9).price, "tea")),
    (of(price, {"tea", "cup", "pot"}), of(price, {"pot", "tea", "cup"})),
]


@pytest.mark.parametrize(("one", "other"), OTHER_STEP)
def test_another_step_is_told_from_the_recorded_one(one: Any, other: Any) -> None:
    reason = differs(steps(one), steps(other))
    assert "in the history," in reason


@pytest.mark.parametrize(("one", "other"), SAME_STEP)
def test_the_same_step_goes_on(one: Any, other: Any) -> None:
    goes_on(steps(one), steps(other))


def test_a_renamed_function_is_told_with_what_to_do() -> None:
    reason = differs(steps(of(price, "tea")), steps(of(stock, "tea")))
    names = ("tests.replay.test_identity:price in", "tests.replay.test_identity:stock in")
    assert all(name in reason for name in names)
    assert "renamed or moved is another step, whatever `name=` says" in reason


def test_a_record_of_an_earlier_version_is_compared_by_name() -> None:
    started = e.Started(START, "flow", 3, 1)
    turns = [Turn(1, START, (started,), (c.RunStep("1", "price"),))]
    for known in (of(price, "tea"), of(price, "cup")):
        made = flow(steps(known))
        replay(made, "e", turns, tools(made))
    made = flow(steps(of(stock, "tea")))
    with pytest.raises(NonDeterminismError):
        replay(made, "e", turns, tools(made))


def partial_of(name: str) -> Callable[[], str]:
    def bound(p: str = name) -> str:
        return price(p)

    return bound


async def in_a_set_order(ctx: Context, n: int) -> Any:
    return [await ctx.step(partial_of(name)) for name in ("tea", "cup")]


async def in_another_order(ctx: Context, n: int) -> Any:
    return [await ctx.step(partial_of(name)) for name in ("cup", "tea")]


async def by_closure(ctx: Context, n: int) -> Any:
    p = "tea"
    return await ctx.step(lambda: price(p))


async def by_another_closure(ctx: Context, n: int) -> Any:
    p = "cup"
    return await ctx.step(lambda: price(p))


async def two_lambdas(ctx: Context, n: int) -> Any:
    await ctx.step(lambda: price("tea"))
    await ctx.step(lambda: stock("tea"))


async def two_lambdas_exchanged(ctx: Context, n: int) -> Any:
    await ctx.step(lambda: stock("tea"))
    await ctx.step(lambda: price("tea"))


async def two_lambdas_edited(ctx: Context, n: int) -> Any:
    await ctx.step(lambda: price("tea").upper())
    await ctx.step(lambda: stock("tea"))


async def two_lambdas_after_another(ctx: Context, n: int) -> Any:
    sorted([1], key=lambda one: -one)
    await ctx.step(lambda: price("tea"))
    await ctx.step(lambda: stock("tea"))


async def counts_in_a_variable(ctx: Context, n: int) -> Any:
    done = 0

    def work() -> str:
        nonlocal done
        done += 1
        PRICES[str(done)] = done
        return str(done)

    await ctx.step(work)
    return await ctx.step(lambda: price("x"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (in_a_set_order, in_another_order),
        (by_closure, by_another_closure),
        (two_lambdas, two_lambdas_exchanged),
    ],
)
def test_lambdas_are_told_apart(before: Code, after: Code) -> None:
    differs(before, after)


@pytest.mark.parametrize("after", [two_lambdas_edited, two_lambdas_after_another])
def test_a_lambda_may_be_edited(after: Code) -> None:
    goes_on(two_lambdas, after, 2)


def test_what_steps_do_to_variables_is_not_looked_at() -> None:
    turns = play(counts_in_a_variable, 2)
    PRICES["more"] = 9
    made = flow(counts_in_a_variable)
    replay(made, "e", turns, tools(made))


def test_a_digest_takes_a_bounded_time() -> None:
    huge: list[Any] = [
        "x" * 20_000_000, list(range(1_000_000)), {str(n): n for n in range(300_000)},
        set(range(300_000)), b"x" * 20_000_000, 1 << 400_000,
        [[[n] * 50 for n in range(50)] for _ in range(200)],
    ]  # fmt: skip
    begun = time.process_time()
    assert len(digest_of(huge, {})) == 12
    assert time.process_time() - begun < 0.5
    nested: list[Any] = []
    for _ in range(5000):
        nested = [nested]
    assert digest_of([nested], {}) == digest_of([nested], {})
