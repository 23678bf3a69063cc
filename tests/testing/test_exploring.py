"""`explore`: it finds planted bugs, shortens them, and leaves sound code alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import NO_RETRY, Context, Status, workflow
from lambda_workflow.testing import (
    Fake,
    ScheduleFailed,
    Simulated,
    SimulationError,
    explore,
    fake,
    holds,
    simulate,
)
from lambda_workflow.testing.exploring import Law
from lambda_workflow.testing.progress import Progress
from lambda_workflow.testing.simulation.faults import Fate
from tests.testing.shop import (
    CANCEL,
    CHARGE,
    SHIP,
    Order,
    Receipt,
    sell,
    sell_in_time,
    sell_or_fail,
)

TEA = Order("tea")
PAID = fake(CHARGE).returns(Receipt(7))
SHIPPED = fake(SHIP).returns("shipped")
Parts = Iterator[Fake[Any, Any] | Law]


def anything(run: Simulated[Any]) -> bool:
    return True


def careless_bank() -> Parts:
    charged: list[Order] = []

    def charge(order: Order) -> Receipt:
        charged.append(order)
        return Receipt(7)

    def charged_once(run: Simulated[Any]) -> None:
        assert len(charged) == 1, f"charged {len(charged)} times"

    yield fake(CHARGE).runs(charge)
    yield SHIPPED
    yield holds(charged_once)


def test_sound_code_is_left_alone() -> None:
    explored = explore(sell, TEA, PAID, SHIPPED, seeds=200)
    assert explored.schedules == 200
    assert explored.outcomes == {"result 'shipped for 7'": 200}
    assert explored.calm.faults == ()
    assert len(explored.faults) > 8


def test_an_adapter_that_is_not_idempotent_is_found_by_one_repetition() -> None:
    with pytest.raises(ScheduleFailed) as found:
        explore(sell, TEA, careless_bank)
    (fault,) = found.value.faults
    assert fault.point.startswith("task charge 1/")
    assert fault.what.name in ("TWICE", "LOST")
    text = str(found.value)
    assert "the invariant 'charged_once' (test_exploring.py:" in text
    assert "does not hold: charged 2 times" in text
    assert "charge does call 1 again: 2 times by now" in text


def test_a_race_between_a_timeout_and_a_result_is_found() -> None:
    def both() -> Parts:
        done: list[str] = []

        def ship(order: Order) -> str:
            done.append("shipped")
            return "shipped"

        def cancel(order: Order) -> bool:
            done.append("cancelled")
            return True

        yield fake(SHIP).runs(ship)
        yield fake(CANCEL).runs(cancel)
        yield holds(lambda run: set(done) != {"shipped", "cancelled"})

    with pytest.raises(ScheduleFailed) as found:
        explore(sell_in_time, TEA, both, outcome=anything)
    (fault,) = found.value.faults
    assert fault.code == "task ship 2/1: LATE 30"


@workflow
async def trusting(ctx: Context, order: Order) -> str:
    quick: asyncio.Future[Any] = asyncio.ensure_future(ctx.call(SHIP, order))
    slow: asyncio.Future[Any] = asyncio.ensure_future(ctx.call(CHARGE, order))
    await asyncio.wait([quick, slow], return_when=asyncio.FIRST_COMPLETED)
    text: str = quick.result()  # which is there, as it always was on the author's machine
    await slow
    return text


def test_an_assumption_about_the_order_of_answers_is_found() -> None:
    slow = fake(CHARGE).returns(Receipt(7), after=timedelta(seconds=5))
    with pytest.raises(ScheduleFailed, match="InvalidStateError") as found:
        explore(trusting, TEA, slow, SHIPPED)
    (fault,) = found.value.faults
    assert fault.code == "task ship 1/1: LATE 6"  # at 5 s the order of the calls would decide
    assert found.value.complaint.endswith("and without faults with result 'shipped'")


@workflow
async def twice_unlucky(ctx: Context, order: Order) -> str:
    results = await asyncio.gather(
        *(asyncio.wait_for(ctx.call(service, order), 60) for service in (SHIP, CANCEL)),
        return_exceptions=True,
    )
    return "lost" if all(isinstance(one, TimeoutError) for one in results) else "ok"


def test_what_takes_two_faults_is_shown_with_both_and_no_other() -> None:
    with pytest.raises(ScheduleFailed) as found:
        explore(twice_unlucky, TEA, SHIPPED, fake(CANCEL).returns(True))
    codes = [fault.code for fault in found.value.faults]
    assert len(codes) == 2
    parts = SHIPPED, fake(CANCEL).returns(True)
    assert simulate(twice_unlucky, TEA, *parts, faults=codes).result == "lost"
    for code in codes:
        assert simulate(twice_unlucky, TEA, *parts, faults=[code]).result == "ok"


def test_the_minimal_schedule_is_seen_again_by_its_codes() -> None:
    with pytest.raises(ScheduleFailed) as found:
        explore(twice_unlucky, TEA, SHIPPED, fake(CANCEL).returns(True))
    codes = [fault.code for fault in found.value.faults]
    again = simulate(twice_unlucky, TEA, SHIPPED, fake(CANCEL).returns(True), faults=codes)
    assert again.result == "lost"
    assert str(again) in str(found.value)
    assert f'faults=["{codes[0]}", "{codes[1]}"]' in str(found.value)


def test_the_seed_alone_finds_it_again() -> None:
    with pytest.raises(ScheduleFailed) as found:
        explore(sell, TEA, careless_bank)
    assert found.value.seed is not None
    with pytest.raises(ScheduleFailed) as again:
        explore(sell, TEA, careless_bank, first=found.value.seed, seeds=1)
    assert str(again.value) == str(found.value)


def test_a_result_that_depends_on_the_moment_is_found() -> None:
    with pytest.raises(ScheduleFailed, match="it ends with result 'cancelled', and without"):
        explore(sell_in_time, TEA, SHIPPED, fake(CANCEL).returns(True))


def test_an_outcome_that_the_author_allows_is_right() -> None:
    explored = explore(
        sell_in_time, TEA, SHIPPED, fake(CANCEL).returns(True),
        outcome=lambda run: run.result in ("shipped", "cancelled"), seeds=200,
    )  # fmt: skip
    assert set(explored.outcomes) == {"result 'shipped'", "result 'cancelled'"}


def test_an_expected_failure_is_the_same_outcome_whatever_its_words() -> None:
    explored = explore(sell_or_fail, TEA, fake(CHARGE).raises(OSError("down")), seeds=100)
    assert explored.calm.status is Status.FAILED
    assert all(text.startswith("ValueError: no money") for text in explored.outcomes)


def test_what_is_wrong_without_any_fault_is_told_so() -> None:
    with pytest.raises(ScheduleFailed, match="without any fault\nwhat happened") as found:
        explore(sell, TEA, PAID, SHIPPED, invariant=lambda run: run.result == "never")
    assert found.value.seed is None
    assert found.value.faults == ()


def test_a_missing_fake_is_the_tests_own_mistake() -> None:
    with pytest.raises(SimulationError, match="no fake"):
        explore(sell, TEA, PAID)


def test_code_that_replays_differently_after_a_fault_is_found() -> None:
    def shaky() -> Parts:
        answers = iter(range(1000))
        yield fake(CHARGE).runs(lambda order: Receipt(next(answers)))
        yield SHIPPED

    with pytest.raises(ScheduleFailed, match="ends with result"):
        explore(sell, TEA, shaky)


def test_a_check_that_asks_for_the_result_of_a_failed_run_does_not_hold() -> None:
    charge = fake(CHARGE).returns(Receipt(7))
    with pytest.raises(ScheduleFailed, match=r"does not hold: ExecutionFailed: .*SimulatedOutage"):
        explore(broke_once, TEA, charge, outcome=lambda run: run.result == 7, seeds=300)


@workflow
async def broke_once(ctx: Context, order: Order) -> int:
    return (await ctx.call(CHARGE, order, retry=NO_RETRY)).number


STAMPED: list[str] = []


def stamp(item: str) -> int:
    STAMPED.append(item)
    return len(STAMPED)


@workflow
async def stamped(ctx: Context, order: Order) -> str:
    await ctx.step(stamp, order.item)
    return await ctx.call(SHIP, order)


def test_a_step_that_is_not_idempotent_is_found_by_one_fault() -> None:
    def desk() -> Parts:
        STAMPED.clear()
        yield SHIPPED
        yield holds(lambda run: len(STAMPED) == 1)

    with pytest.raises(ScheduleFailed) as found:
        explore(stamped, TEA, desk)
    (fault,) = found.value.faults
    assert isinstance(fault.what, Fate)  # of the worker that ran the step, and did not commit it


def test_an_exploration_ends_at_its_time_limit_after_one_schedule_at_least() -> None:
    explored = explore(sell, TEA, PAID, SHIPPED, outcome=anything, time_limit=timedelta(0))
    assert explored.schedules == 1


def test_a_long_exploration_says_every_two_seconds_how_far_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 10.0
    progress = Progress("sell", lambda: now)
    for number in range(1, 101):
        now += 0.05
        progress.count(f"schedule {number} of 100")
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(" runs in ")[2] for line in said] == ["2 s", "4 s"]
    assert all(line.startswith("explore sell: schedule ") for line in said)
    assert not progress.is_over(None)
    assert progress.is_over(timedelta(seconds=4))
    assert not progress.is_over(timedelta(seconds=6))
