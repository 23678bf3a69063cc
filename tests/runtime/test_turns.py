"""A turn: what arrives is taken in once, committed, and only then sent; sent again if in doubt."""

from __future__ import annotations

import asyncio

import pytest

from lambda_workflow import App, BackendError, Context, Status, workflow
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.messages import Request, Timer, Update
from lambda_workflow.ports import Commit, Happening
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER


@workflow
async def pair(ctx: Context, n: int) -> int:
    one, two = await asyncio.gather(ctx.call(DOUBLE, n), ctx.call(OTHER, n))
    return await ctx.call(DOUBLE, one + two)


@workflow
async def sleeper(ctx: Context, n: int) -> int:
    await asyncio.sleep(60)
    return await ctx.call(DOUBLE, n)


@workflow
async def closing(ctx: Context, n: int) -> int:
    return n


APP = App("tests", workflows=[pair, sleeper, closing], services=[DOUBLE, OTHER], version="v7")
# A worker that died after its commit leaves a copy to nobody: live_max 0 has none to leave.
EVERY_MEMORY = pytest.mark.parametrize("live_max", [0, 1000])


async def test_a_start_is_recorded_with_what_it_causes(make_host: MakeHost) -> None:
    host = make_host(APP)
    result = await host.start(pair, 1)
    assert (result.status, result.commits, result.acked) == (Status.RUNNING, 1, False)
    (turn,) = host.history().turns
    (started,) = turn.events
    assert isinstance(started, e.Started)
    assert (started.workflow, started.request, started.version) == ("pair", 1, "v7")
    assert turn.commands == (
        c.ScheduleCall("1", "double", 1),
        c.ScheduleCall("2", "other", 1),
    )
    task = host.queue.tasks[0]
    assert task.deduplication == "e:1:1"
    assert (task.task.task_id, task.task.execution_id) == ("e/1", "e")
    assert task.task.callback_queue_url == host.memory.backend.inbox_url


async def test_all_that_arrives_for_an_execution_makes_one_turn(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(pair, 1)
    result = await host.send(Update("e", "2", 20, attempt=1), Update("e", "1", 10, attempt=1))
    assert result.commits == 1
    assert [len(turn.events) for turn in host.history().turns] == [1, 2]
    await host.answer("3", 60)
    assert (host.outcome(), host.status()) == (60, Status.COMPLETED)


async def test_a_repeated_start_and_an_answer_in_one_batch_send_only_what_is_open(
    make_host: MakeHost,
) -> None:
    host = make_host(APP, live_max=0)
    await host.start(pair, 1)
    host.queue.tasks.clear()
    result = await host.send(Request("e", "pair", 1), Update("e", "1", 10, attempt=1))
    assert (result.commits, host.sent()) == (1, [("2", 1)])


async def test_nothing_is_sent_before_it_is_committed(make_host: MakeHost) -> None:
    host = make_host(APP)
    sent_before: list[int] = []
    host.store.before_commit = lambda commit: sent_before.append(len(host.queue.tasks))
    await host.start(pair, 1)
    assert (sent_before, len(host.queue.tasks)) == ([0], 2)


async def test_a_commit_that_fails_leaves_nothing_and_sends_nothing(make_host: MakeHost) -> None:
    host = make_host(APP)

    def refuse(commit: Commit) -> None:
        raise BackendError("the table is throttled")

    host.store.before_commit = refuse
    with pytest.raises(BackendError, match="throttled"):
        await host.start(pair, 1)
    assert (host.history().turns, host.queue.tasks) == ([], [])
    host.store.before_commit = lambda commit: None
    await host.start(pair, 1)
    assert host.sent() == [("1", 1), ("2", 1)]


@EVERY_MEMORY
async def test_a_repeated_message_sends_again_what_was_not_sent(
    make_host: MakeHost, live_max: int
) -> None:
    host = make_host(APP, live_max=live_max)
    host.queue.failing = True
    with pytest.raises(BackendError):
        await host.start(pair, 1)
    assert len(host.history().turns) == 1  # the record stays
    host.queue.failing = False
    result = await host.start(pair, 1)
    assert result.commits == 0
    assert [send.deduplication for send in host.queue.tasks] == ["e:1:1", "e:2:1"]
    assert len(host.history().turns) == 1


async def test_what_has_been_answered_since_is_not_sent_again(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    await host.start(pair, 1)
    await host.answer("1", 10)
    host.queue.tasks.clear()
    await host.start(pair, 1)
    assert host.sent() == [("2", 1)]
    await host.answer("2", 20)
    host.queue.tasks.clear()
    await host.start(pair, 1)
    assert host.sent() == []
    await host.answer("2", 20)
    assert host.sent() == [("3", 1)]


async def test_a_repeated_start_arms_its_timer_again_until_it_has_fired(
    make_host: MakeHost,
) -> None:
    host = make_host(APP, live_max=0)
    host.clock.jump(5)
    started = host.clock.now()
    await host.start(sleeper, 1)
    host.timers._armed.clear()  # the worker died before it armed it
    await host.start(sleeper, 1)
    assert host.timers.next_due == started + 60_000
    await host.wait(60)
    assert host.sent() == [("2", 1)]
    await host.start(sleeper, 1)
    assert host.timers.next_due is None


@EVERY_MEMORY
async def test_a_duplicate_is_taken_once_and_told(make_host: MakeHost, live_max: int) -> None:
    host = make_host(APP, live_max=live_max)
    await host.start(pair, 1)
    await host.answer("1", 10)
    before = host.store._texts["e"][:]
    assert (await host.answer("1", 99)).commits == 0
    assert host.store._texts["e"] == before
    (note,) = host.notes.of("duplicate")
    assert (note.fields["message"], note.fields["turn_number"]) == ("Update", 2)


async def test_the_same_answer_twice_in_one_batch_is_one_fact(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(pair, 1)
    answer = Update("e", "1", 10, attempt=1)
    await host.send(answer, answer)
    assert [type(x) for x in host.history().turns[1].events] == [e.CallSucceeded]
    assert len(host.notes.of("duplicate")) == 1


@EVERY_MEMORY
async def test_a_result_for_an_unknown_operation_is_dropped_and_told(
    make_host: MakeHost, live_max: int
) -> None:
    host = make_host(APP, live_max=live_max)
    await host.start(pair, 1)
    result = await host.answer("17", 1)
    assert (result.status, result.commits) == (Status.RUNNING, 0)
    (note,) = host.notes.of("late")
    assert (note.fields["reason"], note.fields["expected"]) == ("no such operation", False)


async def test_a_result_for_an_execution_that_was_never_started_is_dropped(
    make_host: MakeHost,
) -> None:
    host = make_host(APP)
    result = await host.answer("1", 1)
    assert (result.status, result.commits) == (None, 0)
    (note,) = host.notes.of("late")
    assert note.fields["reason"] == "no such execution"
    assert host.history().turns == []


@EVERY_MEMORY
async def test_what_comes_after_the_end_is_dropped(make_host: MakeHost, live_max: int) -> None:
    host = make_host(APP, live_max=live_max)
    await host.start(closing, 5)
    result = await host.send(Update("e", "1", 1), Timer("e", "2", 0))
    assert (result.status, result.commits) == (Status.COMPLETED, 0)
    assert {note.fields["reason"] for note in host.notes.of("late")} == {"the execution has ended"}


@EVERY_MEMORY
async def test_a_repeated_start_changes_nothing_and_another_input_is_refused(
    make_host: MakeHost, live_max: int
) -> None:
    host = make_host(APP, live_max=live_max)
    await host.start(pair, 1)
    assert (await host.start(pair, 1)).commits == 0
    assert host.notes.of("late") == []
    for other in (Request("e", "pair", 2), Request("e", "sleeper", 1)):
        host.notes.happenings.clear()
        assert (await host.send(other)).commits == 0
        (note,) = host.notes.of("late")
        assert note.fields["reason"] == (
            "the id belongs to an execution of 'pair' with another input: start under another id"
        )
    assert len(host.history().turns) == 1


async def test_a_timer_fires_at_its_time_and_not_before(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(sleeper, 1)
    assert await host.wait(59.999) is None
    assert await host.wait(0.001) is not None
    assert host.sent() == [("2", 1)]


async def test_a_timer_that_is_delivered_a_little_early_is_stamped_with_its_time(
    make_host: MakeHost,
) -> None:
    host = make_host(APP)
    await host.start(sleeper, 1)
    (turn,) = host.history().turns
    await host.memory.clock.advance(58.5)
    await host.send(Timer("e", "1", 0))
    (fired,) = host.history().turns[1].events
    assert fired.at == turn.at + 60_000


@pytest.mark.parametrize("live_max", [0, 10])
@pytest.mark.parametrize("due", [0, 60_000, 10**14])
async def test_a_timer_that_is_delivered_far_too_early_is_armed_again_and_wakes_nothing(
    make_host: MakeHost, live_max: int, due: int
) -> None:
    host = make_host(APP, live_max=live_max)
    await host.start(sleeper, 1)
    host.timers._armed.clear()  # it has fired, an hour early
    for _ in range(3):
        assert (await host.send(Timer("e", "1", due))).commits == 0
        (note,) = host.notes.of("late")
        assert "armed again" in note.fields["reason"]
        host.notes.happenings.clear()
    assert await host.wait(59.9) is None
    assert host.sent() == []
    assert await host.wait(3) is not None
    assert host.sent() == [("2", 1)]


async def test_the_observer_is_told_of_turns_and_of_the_end(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(closing, 5)
    told: list[Happening] = host.notes.happenings
    assert [one.kind for one in told] == ["turn", "closed"]
    assert (told[0].workflow, told[0].turn) == ("closing", host.history().turns[0])
    assert told[1].fields == {"status": "COMPLETED"}


async def test_a_start_by_the_wire_format_alone_gets_a_secret_for_callbacks(
    make_host: MakeHost,
) -> None:
    host = make_host(APP)
    await host.start(pair)
    first = host.history().started
    assert first is not None
    assert len(first.options.secret) > 20
    await host.start(pair)  # delivered again
    assert host.history().started == first
