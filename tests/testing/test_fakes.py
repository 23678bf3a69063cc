"""Fakes: what they answer, attempt by attempt, and what they refuse."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    NO_RETRY,
    CallFailed,
    ConfigurationError,
    Context,
    EncodeError,
    Service,
    ServiceError,
    Task,
    workflow,
)
from lambda_workflow.testing import SimulationError, after, callback, fake, simulate
from tests.testing.shop import CHARGE, SHIP, Order, Receipt, sell

TEA = Order("tea")
SHIPPED = fake(SHIP).returns("shipped")
ADD: Service[int, int] = Service("add", int, int, retry=NO_RETRY)
LISTS: Service[int, list[int]] = Service("lists", int, list[int])


@workflow
async def add_three(ctx: Context, n: int) -> list[int]:
    return [await ctx.call(ADD, n + number) for number in range(3)]


@workflow
async def tell(ctx: Context, n: int) -> str:
    try:
        return str(await ctx.call(ADD, n))
    except CallFailed as failed:
        return f"{failed.type}: {failed.message} {failed.details} after {failed.attempts}"


def test_values_come_one_after_the_other_and_the_last_one_repeats() -> None:
    assert simulate(add_three, 0, fake(ADD).returns(5, 6)).result == [5, 6, 6]


def test_answers_of_all_kinds_follow_one_another() -> None:
    mixed = fake(ADD).returns(5).runs(lambda n: n * 10).returns(7)
    assert simulate(add_three, 1, mixed).result == [5, 20, 7]


def test_a_list_is_one_value_where_the_service_answers_with_lists() -> None:
    @workflow
    async def get(ctx: Context, n: int) -> list[int]:
        return await ctx.call(LISTS, n)

    assert simulate(get, 1, fake(LISTS).returns([1, 2])).result == [1, 2]


def test_an_error_is_retried_as_the_service_says() -> None:
    run = simulate(sell, TEA, fake(CHARGE).raises(OSError("down")).returns(Receipt(7)), SHIPPED)
    assert run.result == "shipped for 7"
    assert (run.calls[0].attempts, run.calls[0].state) == (2, "succeeded")
    assert run.elapsed == timedelta(days=3, seconds=1)


def test_an_error_reaches_the_workflow_as_in_production() -> None:
    declined = ServiceError("declined", type="Declined", details={"code": 51}, retryable=False)
    run = simulate(tell, 1, fake(ADD).raises(declined))
    assert run.result == "Declined: declined {'code': 51} after 1"
    assert run.calls[0].state == "failed"
    assert run.calls[0].failure is not None
    assert run.calls[0].failure.type == "Declined"


def test_a_function_gets_the_payload_in_its_type_and_the_task_if_it_likes() -> None:
    seen: list[tuple[Order, str]] = []

    def charge(order: Order, task: Task) -> Receipt:
        seen.append((order, task.task_id))
        return Receipt(task.attempt)

    assert simulate(sell, TEA, fake(CHARGE).runs(charge), SHIPPED).result == "shipped for 1"
    assert seen == [(TEA, "sell-0/1")]


def test_an_async_function_sleeps_in_virtual_time() -> None:
    async def slow(n: int) -> int:
        await asyncio.sleep(3600)
        return n

    assert simulate(add_three, 1, fake(ADD).runs(slow)).elapsed == timedelta(hours=3)


def test_an_answer_takes_as_long_as_it_says() -> None:
    late = fake(ADD).returns(5, after=timedelta(minutes=1)).returns(6)
    assert simulate(add_three, 0, late).elapsed == timedelta(minutes=1)


def test_a_value_of_another_type_is_refused_where_it_is_given() -> None:
    wrong: Any = {"number": "seven"}
    with pytest.raises(EncodeError, match="fake response of charge"):
        fake(CHARGE).returns(wrong)


def test_a_function_that_answers_with_another_type_is_the_tests_mistake() -> None:
    wrong: Any = lambda order: "seven"  # noqa: E731  # its type is what is wrong
    with pytest.raises(SimulationError, match=r"fake\('charge'\).*response of charge"):
        simulate(sell, TEA, fake(CHARGE).runs(wrong), SHIPPED)


def test_a_task_that_comes_twice_gets_the_same_answer_twice() -> None:
    run = simulate(add_three, 0, fake(ADD).returns(5, 6, 7), faults=["task add 1/1: TWICE 10"])
    assert run.result == [5, 6, 7]
    assert run.performed == {"add": 4}


def test_a_fake_is_a_value() -> None:
    base = fake(ADD).returns(5)
    base.returns(6)
    assert simulate(add_three, 0, base).result == [5, 5, 5]
    assert simulate(add_three, 0, base.returns(6)).result == [5, 6, 6]


def test_an_error_that_is_raised_again_and_again_keeps_its_stack_short() -> None:
    error = OSError("down")
    for _ in range(50):
        simulate(tell, 1, fake(ADD).raises(error))
    depth, traceback = 0, error.__traceback__
    while traceback is not None:
        depth, traceback = depth + 1, traceback.tb_next
    assert depth < 10


def test_a_fake_without_an_answer_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"fake\('add'\) has no answer"):
        simulate(add_three, 0, fake(ADD))


def test_an_error_class_is_refused() -> None:
    wrong: Any = OSError
    with pytest.raises(ConfigurationError, match="pass an exception"):
        fake(ADD).raises(wrong)


def test_arguments_of_a_wrong_kind_are_refused_with_the_kind_to_give() -> None:
    any_fake: Any = fake
    any_moment: Any = after
    any_callback: Any = callback
    with pytest.raises(ConfigurationError, match="what is faked is str of 3: give a Service"):
        any_fake("add")
    with pytest.raises(ConfigurationError, match=r"after is 3: give a timedelta, such as timedel"):
        any_moment(3)
    with pytest.raises(ConfigurationError, match="give a timedelta"):
        any_fake(ADD).returns(1, after=3)
    with pytest.raises(ConfigurationError, match="the callback is int: give the name"):
        any_callback(1)
