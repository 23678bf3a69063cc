"""Several workers at one execution: the conditional commit lets one win, the other goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lambda_workflow import App, BackendError, Context, Status, workflow
from lambda_workflow.model.messages import Request, Update
from lambda_workflow.model.turn import Turn, encode_turn
from lambda_workflow.ports import Commit
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.turns import CONFLICTS_MAX
from tests.patience import patience
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER


@workflow
async def pair(ctx: Context, n: int) -> list[int]:
    return list(await asyncio.gather(ctx.call(DOUBLE, n), ctx.call(OTHER, n)))


APP = App("tests", workflows=[pair], services=[DOUBLE, OTHER])
ONE, TWO = (Update("e", name, int(name), attempt=1) for name in "12")


async def test_of_two_workers_with_a_live_copy_the_later_reloads_and_goes_on(
    make_host: MakeHost,
) -> None:
    host = make_host(APP)
    other = host.worker()
    await host.start(pair)
    await other.run("e", [Arrival(ONE)])
    result = await host.send(TWO)  # its copy is one turn behind
    assert (result.status, result.commits) == (Status.COMPLETED, 1)
    assert [note.kind for note in host.notes.of("conflict")] == ["conflict"]
    assert host.outcome() == [1, 2]
    assert [len(turn.events) for turn in host.history().turns] == [1, 1, 1]


async def test_two_workers_that_commit_at_once_record_each_fact_once(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    other = host.worker(live_max=0)
    await host.start(pair)
    meet = asyncio.Barrier(2)

    async def together(commit: Commit) -> None:
        if commit.turn.number == 2:
            await meet.wait()

    host.store.before_commit = together
    async with asyncio.timeout(patience(5)):
        await asyncio.gather(host.send(ONE), other.run("e", [Arrival(TWO)]))
    assert host.outcome() == [1, 2]
    facts = [event for turn in host.history().turns for event in turn.events]
    assert len(facts) == 3
    assert len(host.notes.of("conflict")) == 1


async def test_the_same_message_at_two_workers_is_one_fact(make_host: MakeHost) -> None:
    host = make_host(APP)
    other = host.worker()
    await host.start(pair)
    await other.run("e", [Arrival(ONE)])
    result = await host.send(ONE)
    assert result.commits == 0
    assert len(host.history().turns) == 2
    assert len(host.notes.of("duplicate")) == 1


async def test_two_workers_that_start_one_execution_at_once_start_it_once(
    make_host: MakeHost,
) -> None:
    host = make_host(APP)
    other = host.worker()
    start = Request("e", "pair", 1)
    await asyncio.gather(host.send(start), other.run("e", [Arrival(start)]))
    assert len(host.history().turns) == 1
    assert sorted(set(host.sent())) == [("1", 1), ("2", 1)]


async def test_what_a_stale_copy_calls_unknown_is_judged_again_from_the_store(
    make_host: MakeHost,
) -> None:
    @workflow(name="pair")
    async def chain(ctx: Context, n: int) -> int:
        return await ctx.call(DOUBLE, await ctx.call(DOUBLE, n))

    host = make_host(App("tests", workflows=[chain], services=[DOUBLE]))
    other = host.worker()
    await host.start(chain)
    await other.run("e", [Arrival(ONE)])  # call 2 begins, behind the first one's back
    result = await host.send(TWO)
    assert (result.status, host.outcome()) == (Status.COMPLETED, 2)
    assert host.notes.of("late") == []


def taken(commit: Commit) -> str:
    """The text of another worker's record with the same number: it took nothing in."""
    other = Turn(commit.turn.number, commit.turn.at, (), (), Status.RUNNING)
    return encode_turn(replace(other, usage=commit.turn.usage))


@pytest.mark.parametrize(("times", "succeeds"), [(CONFLICTS_MAX - 1, True), (CONFLICTS_MAX, False)])
async def test_a_worker_that_is_always_second_leaves_it_to_the_queue(
    make_host: MakeHost, times: int, succeeds: bool
) -> None:
    host = make_host(APP)
    await host.start(pair)
    left = times

    def be_first(commit: Commit) -> None:
        nonlocal left
        if left:
            left -= 1
            host.store._texts["e"].append(taken(commit))

    host.store.before_commit = be_first
    if succeeds:
        assert (await host.send(ONE)).commits == 1
    else:
        with pytest.raises(BackendError, match="execution e: another worker was first 5 times"):
            await host.send(ONE)
    assert len(host.notes.of("conflict")) == times
    assert len(host.history().turns) == 1 + times + succeeds
    host.store.before_commit = lambda commit: None
    await host.send(ONE, TWO)  # the messages come again
    assert host.outcome() == [1, 2]


async def test_turns_of_one_worker_for_one_execution_wait_for_each_other(
    make_host: MakeHost,
) -> None:
    host = make_host(APP)
    await host.start(pair)
    await asyncio.gather(host.send(ONE), host.send(TWO))
    assert host.outcome() == [1, 2]
    assert host.notes.of("conflict") == []
    assert host.store.loads == 1
