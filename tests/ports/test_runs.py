"""What is read of an execution with several runs."""

from __future__ import annotations

import pytest

from lambda_workflow.model.events import Run, Started
from lambda_workflow.model.turn import Turn, encode_turn
from tests.ports.harness import Harness
from tests.ports.made import ODD_ID, commit_of, turn


def beginning(number: int, run: int) -> Turn:
    """The first turn of a later run."""
    return Turn(number, number, (Started(number, "flow", "", 1, run=Run(run, 1)),), ())


async def commit(harness: Harness, turns: list[Turn], execution_id: str = "e") -> None:
    for each in turns:
        await harness.backend.store.commit(commit_of(execution_id, each))


async def loaded(harness: Harness, execution_id: str = "e", *, whole: bool = False) -> list[str]:
    return list((await harness.backend.store.load(execution_id, whole=whole)).texts)


@pytest.mark.parametrize("execution_id", ["plain", ODD_ID])
async def test_only_the_present_run_is_read(harness: Harness, execution_id: str) -> None:
    first = [turn(1, 1), turn(2, 2)]
    second = [beginning(3, 2), turn(4, 4)]
    third = [beginning(5, 3), turn(6, 6), turn(7, 7)]
    await commit(harness, first, execution_id)
    assert await loaded(harness, execution_id) == [encode_turn(each) for each in first]
    await commit(harness, second, execution_id)
    assert await loaded(harness, execution_id) == [encode_turn(each) for each in second]
    await commit(harness, third, execution_id)
    assert await loaded(harness, execution_id) == [encode_turn(each) for each in third]
    everything = [encode_turn(each) for each in (*first, *second, *third)]
    assert await loaded(harness, execution_id, whole=True) == everything


async def test_a_run_of_one_turn_is_read_alone(harness: Harness) -> None:
    await commit(harness, [turn(1, 1), beginning(2, 2)])
    assert await loaded(harness) == [encode_turn(beginning(2, 2))]


async def test_a_run_of_many_turns_is_read_to_its_beginning(harness: Harness) -> None:
    """More than one page of any store's."""
    later = [beginning(151, 2), *(turn(n, n) for n in range(152, 352))]
    await commit(harness, [turn(n, n) for n in range(1, 151)])
    assert len(await loaded(harness)) == 150
    await commit(harness, later)
    assert await loaded(harness) == [encode_turn(each) for each in later]
    assert len(await loaded(harness, whole=True)) == 351


async def test_runs_of_other_executions_have_no_say(harness: Harness) -> None:
    await commit(harness, [turn(1, 1), turn(2, 2)], "a")
    await commit(harness, [turn(1, 1), turn(2, 2), beginning(3, 2)], "b")
    assert len(await loaded(harness, "a")) == 2
    assert len(await loaded(harness, "b")) == 1


async def test_a_repeated_beginning_is_no_conflict(harness: Harness) -> None:
    await commit(harness, [turn(1, 1), beginning(2, 2), beginning(2, 2), turn(3, 3)])
    assert await loaded(harness) == [encode_turn(beginning(2, 2)), encode_turn(turn(3, 3))]
    await commit(harness, [beginning(2, 2)])
    assert len(await loaded(harness)) == 2


async def test_what_reading_costs_does_not_grow_with_the_runs_before(harness: Harness) -> None:
    costs: list[int] = []
    for run in range(1, 201):
        begins = 2 * run - 1
        await commit(harness, [beginning(begins, run) if run > 1 else turn(1, 1)])
        await commit(harness, [turn(begins + 1, begins + 1, "-" + "x" * 500)])
        if run in (50, 200):
            costs.append((await harness.backend.store.load("e")).read_units)
    assert costs[0] == costs[1]
