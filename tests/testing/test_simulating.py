"""`simulate` and `Simulation`: results, time, looking in the middle, and what a test did wrong."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    ConfigurationError,
    Context,
    EncodeError,
    ExecutionFailed,
    NonDeterminismError,
    NonDeterministicCall,
    ServiceError,
    Status,
    serve,
    workflow,
)
from lambda_workflow.testing import Endless, Simulation, SimulationError, fake, simulate
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


def test_a_wait_of_three_days_passes_in_virtual_time() -> None:
    run = simulate(sell, TEA, PAID, SHIPPED)
    assert run.result == "shipped for 7"
    assert run.elapsed == timedelta(days=3)
    assert run.status is Status.COMPLETED


async def test_an_async_test_calls_it_just_so() -> None:
    task = asyncio.current_task()
    assert simulate(sell, TEA, PAID, SHIPPED).result == "shipped for 7"
    assert asyncio.current_task() is task
    await asyncio.sleep(0)


def test_the_calls_are_seen_with_payloads_and_results_of_their_types() -> None:
    run = simulate(sell, TEA, PAID, SHIPPED)
    assert [(call.service, call.payload, call.result) for call in run.calls] == [
        ("charge", TEA, Receipt(7)),
        ("ship", TEA, "shipped"),
    ]
    assert run.payloads(CHARGE) == [TEA]
    assert run.performed == {"charge": 1, "ship": 1}


def test_a_sub_second_timer_is_exact() -> None:
    @workflow
    async def nap(ctx: Context, seconds: float) -> None:
        await asyncio.sleep(seconds)

    assert simulate(nap, 0.25).elapsed == timedelta(seconds=0.25)


def test_an_execution_that_fails_raises_its_error_at_the_result() -> None:
    run = simulate(sell_or_fail, TEA, fake(CHARGE).raises(ServiceError("broke", retryable=False)))
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert run.failure.type == "ValueError"
    with pytest.raises(ExecutionFailed, match="no money: broke"):
        run.result  # noqa: B018  # reading it raises


def test_a_service_without_a_fake_is_named() -> None:
    with pytest.raises(SimulationError, match="calls service 'charge', which has no fake: add"):
        simulate(sell, TEA, SHIPPED)


def test_a_service_that_the_app_lists_still_needs_a_fake() -> None:
    app = App("shop", workflows=[sell], services=[CHARGE, SHIP])
    with pytest.raises(SimulationError, match=r"'charge' \(operation 1, payload .*tea.*no fake"):
        simulate(sell, TEA, SHIPPED, app=app)


def test_a_workflow_that_waits_for_ever_is_told_with_what_it_waits_for() -> None:
    with pytest.raises(Endless, match=r"waits for ever, for call 3 \(ship\)"):
        simulate(sell, TEA, PAID, fake(SHIP).is_silent())


def test_a_workflow_without_an_end_is_stopped() -> None:
    @workflow
    async def endless(ctx: Context, n: int) -> None:
        while True:
            await ctx.sleep(timedelta(days=1))

    with pytest.raises(Endless, match="21 turns and no end"):
        simulate(endless, 1, turns_max=20)


def test_a_real_adapter_may_play_its_service() -> None:
    @serve(CHARGE)
    async def charge(order: Order) -> Receipt:
        await asyncio.sleep(3600)
        return Receipt(order.amount)

    run = simulate(sell, TEA, charge, SHIPPED)
    assert run.result == "shipped for 1"
    assert run.elapsed == timedelta(days=3, hours=1)


def test_a_call_that_nobody_awaits_fails_unless_the_test_is_not_strict() -> None:
    @workflow
    async def forgetful(ctx: Context, order: Order) -> int:
        ctx.call(CHARGE, order)
        return 1

    strict = simulate(forgetful, TEA, PAID)
    assert strict.status is Status.FAILED
    lax = simulate(forgetful, TEA, PAID, strict=False)
    assert lax.result == 1
    assert lax.warnings[0].startswith("unawaited: operation 1")


def test_a_workflow_that_asks_the_clock_is_refused() -> None:
    @workflow
    async def clocked(ctx: Context, n: int) -> str:
        return str(datetime.now(UTC))

    with pytest.raises(NonDeterministicCall, match=r"ctx\.now"):
        simulate(clocked, 1)


def test_code_that_replays_differently_is_found() -> None:
    runs: list[int] = []

    @workflow
    async def changing(ctx: Context, order: Order) -> str:
        runs.append(1)
        return await ctx.call(SHIP, Order(str(len(runs))))

    with pytest.raises(NonDeterminismError):
        simulate(changing, TEA, SHIPPED)


def test_the_seed_decides_what_the_workflow_draws() -> None:
    @workflow
    async def draw(ctx: Context, n: int) -> int:
        return ctx.random.randrange(n)

    drawn = [simulate(draw, 10**9, seed=seed).result for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_a_simulation_is_looked_at_in_the_middle() -> None:
    with Simulation(sell, TEA, PAID, SHIPPED) as simulation:
        paid = simulation.run_until_suspended()
        assert paid.status is Status.RUNNING
        (timer,) = paid.pending
        assert (timer.kind, timer.due) == ("timer", paid.now + timedelta(days=3))
        assert paid.timers == [timer]
        later = simulation.advance(timedelta(days=2))
        assert later.now == paid.now + timedelta(days=2)
        assert [call.service for call in later.calls] == ["charge"]
        assert simulation.advance(timedelta(days=1)).status is Status.COMPLETED
        assert simulation.run().result == "shipped for 7"


def test_a_call_under_way_is_pending() -> None:
    with Simulation(sell_in_time, TEA, fake(SHIP).is_silent(), fake(CANCEL).returns(True)) as s:
        waiting = s.run_until_suspended()
        assert [str(one).partition(" due")[0] for one in waiting.pending] == [
            "timer 1", "call 2 (ship)",
        ]  # fmt: skip
        ended = s.run()
        assert ended.result == "cancelled"
        assert [call.state for call in ended.calls] == ["withdrawn", "succeeded"]


def test_nothing_runs_before_it_is_told_to() -> None:
    with Simulation(sell, TEA, PAID, SHIPPED) as simulation:
        assert simulation.look().calls == []
        assert simulation.look().timeline == []


def test_a_request_of_a_wrong_type_is_refused_at_once() -> None:
    wrong: Any = "tea"
    with pytest.raises(EncodeError):
        simulate(sell, wrong, PAID, SHIPPED)


def test_chaos_changes_what_happens_but_not_the_result() -> None:
    robust = fake(CHARGE).returns(Receipt(7)), fake(SHIP).returns("shipped")
    runs = [simulate(sell, TEA, *robust, seed=seed, chaos=True) for seed in range(50)]
    assert {run.result for run in runs} == {"shipped for 7"}
    assert len({str(run) for run in runs}) > 10
    assert any(run.performed["charge"] > 1 for run in runs)


def test_faults_by_their_codes_happen() -> None:
    faults = ["task charge 1/1: TWICE 5", "commit 2: KILL_AFTER", "timer 2: TIMER 60"]
    run = simulate(sell, TEA, PAID, SHIPPED, faults=faults)
    assert run.result == "shipped for 7"
    assert run.performed["charge"] == 2
    assert run.elapsed == timedelta(days=3, minutes=1)
    assert [fault.code for fault in run.faults] == faults


def test_the_same_seed_tells_the_same_story() -> None:
    stories = {str(simulate(sell, TEA, PAID, SHIPPED, seed=5, chaos=True)) for _ in range(3)}
    assert len(stories) == 1
    random.seed(1)
    assert str(simulate(sell, TEA, PAID, SHIPPED, seed=5, chaos=True)) in stories


def test_two_fakes_of_one_service_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"two parts play fake\('charge'\)"):
        simulate(sell, TEA, PAID, PAID, SHIPPED)


def test_a_thousand_calls_side_by_side_take_few_turns() -> None:
    @workflow
    async def wide(ctx: Context, width: int) -> int:
        receipts = await asyncio.gather(*(ctx.call(CHARGE, Order("tea", n)) for n in range(width)))
        return sum(receipt.number for receipt in receipts)

    run = simulate(wide, 1000, fake(CHARGE).runs(lambda order: Receipt(order.amount)))
    assert run.result == sum(range(1000))
    assert len(run.history.turns) < 5
    assert [call.payload.amount for call in run.calls] == list(range(1000))


def test_a_long_life_is_replayed_at_every_turn() -> None:
    @workflow
    async def long(ctx: Context, days: int) -> int:
        for _ in range(days):
            await ctx.sleep(timedelta(days=1))
        return days

    run = simulate(long, 100)
    assert run.elapsed == timedelta(days=100)
