"""Schedules: faults by name, by dice, and what they are in words."""

from __future__ import annotations

from random import Random

import pytest

from lambda_workflow import ConfigurationError
from lambda_workflow.testing import Fault, fake, simulate
from lambda_workflow.testing.schedule import (
    TASK_MISHAPS,
    Mishap,
    by_dice,
    by_script,
    simpler,
)
from lambda_workflow.testing.simulation.faults import FAULTS, Fate
from tests.testing.shop import CANCEL, CHARGE, SHIP, Order, Receipt, sell, sell_in_time

TEA = Order("tea")
PARTS = fake(CHARGE).returns(Receipt(7)), fake(SHIP).returns("shipped")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("task charge 2/1: LATE 30.5", "call 2 of charge is answered 30.5 s late"),
        (
            "task charge 1.2/3: TWICE 1",
            "call 1.2 of charge, attempt 3, is delivered twice and performed again 1 s later",
        ),
        (
            "task charge 1/1 x2: ECHO 5",
            "call 1 of charge, the 2nd time, is answered twice, the second time 5 s later",
        ),
        ("task charge 1/1: OUTAGE", "call 1 of charge fails without being performed"),
        ("timer 3:timeout: TIMER 60", "timer 3:timeout fires 60 s late"),
        ("commit 2: KILL_AFTER", "the worker dies after storing a turn (2nd time)"),
        ("send_tasks 11: REFUSE", "sending tasks to services is throttled (11th time)"),
    ],
)
def test_a_fault_is_a_code_and_a_sentence(code: str, words: str) -> None:
    fault = Fault.parse(code)
    assert fault.code == code
    assert str(fault) == words


@pytest.mark.parametrize("code", ["", "commit 2", "commit 2: EXPLODE", "task a 1/1: LATE soon"])
def test_a_code_that_is_none_is_refused(code: str) -> None:
    with pytest.raises(ConfigurationError, match="expected such as"):
        Fault.parse(code)


def test_the_faults_that_happened_happen_again_as_a_script() -> None:
    seen: set[Fate | Mishap] = set()
    for seed in range(100):
        drawn = simulate(sell, TEA, *PARTS, chaos=True, seed=seed)
        scripted = simulate(sell, TEA, *PARTS, faults=drawn.faults, seed=seed)
        assert str(scripted) == str(drawn)
        assert scripted.faults == drawn.faults
        seen.update(fault.what for fault in drawn.faults)
    assert len(seen) > 8


@pytest.mark.parametrize("fate", FAULTS)
@pytest.mark.parametrize("point", ["commit 1", "receive 1", "send_tasks 1", "arm 1", "delete 1"])
def test_a_sound_workflow_stands_every_fate_of_a_worker(fate: Fate, point: str) -> None:
    run = simulate(sell, TEA, *PARTS, faults=[Fault(point, fate)])
    assert run.result == "shipped for 7"
    assert [fault.what for fault in run.faults] == [fate]


@pytest.mark.parametrize("mishap", TASK_MISHAPS)
def test_a_sound_workflow_stands_every_mishap_of_a_task(mishap: Mishap) -> None:
    run = simulate(sell, TEA, *PARTS, faults=[Fault("task charge 1/1", mishap, 100)])
    assert run.result == "shipped for 7"
    assert [fault.what for fault in run.faults] == [mishap]


def test_a_last_attempt_is_not_made_to_fail() -> None:
    faults = [f"task charge 1/{attempt}: OUTAGE" for attempt in (1, 2, 3)]
    run = simulate(sell, TEA, *PARTS, faults=[*faults, "task ship 3/1: OUTAGE"])
    assert [fault.code for fault in run.faults] == faults[:2]


def test_dice_aim_at_the_moments_of_timers() -> None:
    aimed = set()
    for seed in range(300):
        run = simulate(
            sell_in_time, TEA, fake(SHIP).returns("s"), fake(CANCEL).returns(True),
            faults=by_dice(Random(seed)),
        )  # fmt: skip
        aimed |= {fault.seconds for fault in run.faults if fault.what is Mishap.LATE}
    assert {29.999, 30.0, 30.001} <= aimed


def test_a_timer_and_an_answer_of_the_same_moment_have_one_winner() -> None:
    parts = fake(SHIP).returns("s"), fake(CANCEL).returns(True)
    for seconds, result in [(29.999, "s"), (30.001, "cancelled")]:
        faults = [Fault("task ship 2/1", Mishap.LATE, seconds)]
        assert simulate(sell_in_time, TEA, *parts, faults=faults).result == result
    tie = [Fault("task ship 2/1", Mishap.LATE, 30.0)]
    assert len({str(simulate(sell_in_time, TEA, *parts, faults=tie)) for _ in range(3)}) == 1


def test_simpler_faults_are_shorter_or_rounder() -> None:
    fault = Fault("timer 1", Mishap.TIMER, 600.0)
    tried = [one.seconds for one in simpler(fault)]
    assert tried == [0.001, 1.0, 10.0, 60.0, 300.0, 450.0, 540.0, 588.0, 599.0]
    assert 31.0 in {one.seconds for one in simpler(Fault("timer 1", Mishap.TIMER, 30.001))}
    assert simpler(Fault("timer 1", Mishap.TIMER, 1.0)) == [Fault("timer 1", Mishap.TIMER, 0.001)]
    assert simpler(Fault("commit 1", Fate.STALL)) == []


def test_a_script_is_of_points_not_of_their_order() -> None:
    faults = [Fault("b", Fate.DELAY), Fault("a", Fate.LOSE)]
    decide = by_script(faults)
    assert decide("a", FAULTS, ()) == faults[1]
    assert decide("b", FAULTS, ()) == faults[0]
    assert decide("c", FAULTS, ()) is None
    assert decide("a", [Mishap.LATE], ()) is None
