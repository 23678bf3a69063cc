"""Runs that follow one another: crashes in between, limits, versions, what is kept and read."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    BackendError,
    Context,
    NonDeterminismError,
    Signal,
    Status,
    Workflow,
    workflow,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import messages as m
from lambda_workflow.model.events import Failure
from lambda_workflow.model.exported import read_history, write_history
from lambda_workflow.model.history import History
from lambda_workflow.ports import ArmTimer, Commit
from lambda_workflow.runtime import playing
from lambda_workflow.runtime.client import Client
from lambda_workflow.testing.histories import replay_history
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, Host

WORD: Signal[int] = Signal("word", int)
DAY = timedelta(days=1)


@workflow
async def sleeps(ctx: Context, n: int) -> int:
    await ctx.sleep(30 * DAY)
    return n


@workflow
async def renews(ctx: Context, n: int) -> Any:
    """A run for each signal, with a child and a timer that it gives up."""
    ctx.call(sleeps, n, id=f"child{n}")
    ctx.callback(int, timeout=DAY)
    word = await ctx.wait_signal(WORD)
    if word == 0:
        return [n, ctx.info.run, ctx.info.version]
    ctx.continue_as_new(n + word)


APP = App("runs", workflows=[sleeps, renews], services=[DOUBLE])


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    return make_host(APP, check=True)


def signal(number: int, id: str) -> m.Signal:
    return m.Signal("e", "word", number, id)


def sent(host: Host) -> list[str]:
    """What the executions were sent, in order."""
    return [
        f"{type(send.message).__name__} {send.message.execution_id}" for send in host.queue.messages
    ]


async def again(host: Host, *messages: m.Message) -> None:
    """The worker died; the messages come again to one that knows nothing."""
    host.turns = host.worker(check=True)
    await host.send(*messages)


async def test_a_crash_between_two_runs_loses_neither(host: Host) -> None:
    await host.start(renews, 1)
    before = len(host.store.commits)

    def die_at_the_next_run(commit: Commit) -> None:
        if commit.begins_run:
            raise BackendError("the worker dies")

    host.store.before_commit = die_at_the_next_run
    with pytest.raises(BackendError):
        await host.send(signal(1, "a"))
    assert len(host.store.commits) == before + 1
    assert host.status() is Status.RUNNING
    host.store.before_commit = lambda commit: None
    await again(host, signal(1, "a"))
    history = host.history()
    assert history.started is not None
    assert [history.started.run.number, history.started.request] == [2, 2]
    await host.send(signal(0, "b"))
    assert host.outcome() == [2, 2, ""]


async def test_what_the_end_of_a_run_causes_is_sent_although_its_worker_died(host: Host) -> None:
    await host.start(renews, 1)
    host.queue.messages.clear()

    def die_after_this(commit: Commit) -> None:
        host.queue.failing = True

    host.store.before_commit = die_after_this
    with pytest.raises(BackendError):
        await host.send(signal(1, "a"))
    assert sent(host) == []
    host.store.before_commit = lambda commit: None
    host.queue.failing = False
    await again(host, signal(1, "a"))
    assert sent(host)[-2:] == ["Cancel child1", "Request child2"]
    assert [operation for _, operation in host.timers._armed] == ["2~2:timeout"]


async def test_what_the_start_of_a_run_causes_is_sent_although_its_worker_died(host: Host) -> None:
    await host.start(renews, 1)

    def die_after_this(commit: Commit) -> None:
        host.queue.failing = commit.begins_run

    host.store.before_commit = die_after_this
    with pytest.raises(BackendError):
        await host.send(signal(1, "a"))
    host.store.before_commit = lambda commit: None
    host.queue.failing = False
    host.queue.messages.clear()
    await again(host, signal(1, "a"))
    assert sent(host) == ["Request child2"]


async def test_a_signal_that_ended_a_run_is_known_in_the_next_ones(host: Host) -> None:
    await host.start(renews, 1)
    for number in range(5):
        await host.send(signal(1, f"s{number}"))
    for number in range(5):
        await again(host, signal(1, f"s{number}"))
    history = host.history()
    assert history.started is not None
    assert history.started.run.number == 6


async def test_timers_of_a_run_that_ended_wake_nobody(host: Host) -> None:
    await host.start(renews, 1)
    await host.send(signal(1, "a"))
    result = await host.send(m.Timer("e", "2:timeout", host.clock.now()))
    assert result.commits == 0
    assert [d.fields["message"] for d in host.notes.of("duplicate")] == ["Timer"]


async def test_a_later_run_is_of_the_newest_version(host: Host) -> None:
    @workflow(name="renews", version="2")
    async def newer(ctx: Context, n: int) -> list[Any]:
        return ["newer", n, ctx.info.version]

    await host.start(renews, 1)
    host.deploy(App("runs", workflows=[sleeps, renews, newer], services=[DOUBLE]), check=True)
    assert host.status() is Status.RUNNING
    await host.send(signal(4, "a"))
    assert host.outcome() == ["newer", 5, "2"]


async def test_two_hundred_runs_stay_cheap(host: Host) -> None:
    await host.start(renews, 1)
    units: list[int] = []
    for number in range(200):
        host.turns = host.worker(check=True)
        await host.send(signal(1, f"s{number}"))
        units.append((await host.store.load("e")).read_units)
    assert set(units[2:]) <= {units[2], units[2] + 1}
    reads = host.history().usage.reads
    assert reads <= 200 * (units[2] + 1)
    assert len((await host.store.load("e", whole=True)).texts) == 401


async def test_a_live_copy_keeps_the_present_run_alone(host: Host) -> None:
    await host.start(renews, 1)
    for number in range(50):
        await host.send(signal(1, f"s{number}"))
    live = host.turns._living._live["e"]
    assert len(live.history.turns) <= 2
    assert host.store.loads == 1


def commands_of(history: History) -> list[list[tuple[type, str]]]:
    """Kind and operation of each; an export has no digests of what a token may be in."""
    return [[(type(one), one.operation) for one in turn.commands] for turn in history.turns]


async def test_the_client_shows_all_runs_and_exports_them(host: Host) -> None:
    await host.start(renews, 1)
    for number in range(3):
        await host.send(signal(1, f"s{number}"))
    await host.send(signal(0, "end"))
    client = Client(APP, host.memory.backend)
    history = await client.history("e")
    assert [turn.number for turn in history.turns] == list(range(1, 9))
    assert await client.result("e") == [4, 4, ""]
    exported = read_history(await client.export("e"))
    assert commands_of(exported) == commands_of(history)
    assert [turn.events[1:] for turn in exported.turns] == [t.events[1:] for t in history.turns]
    assert write_history(exported) == await client.export("e")
    replay_history(APP, exported)


@pytest.mark.parametrize(("changed", "replays"), [(1, True), (2, False)])
async def test_of_an_exported_history_the_last_run_has_to_replay(
    host: Host, changed: int, replays: bool
) -> None:
    """Code never goes back to a run before."""

    @workflow(name="renews")
    async def other(ctx: Context, n: int) -> Any:
        if n == changed:
            await ctx.sleep(DAY)
        return await renews(ctx, n)

    await host.start(renews, 1)
    await host.send(signal(1, "a"))
    await host.send(signal(0, "b"))
    history = await host.whole()
    app = App("runs", workflows=[sleeps, other])
    with nullcontext() if replays else pytest.raises(NonDeterminismError, match="turn 3"):
        replay_history(app, history)


# limits


@workflow
async def listens(ctx: Context, n: int) -> int:
    async for word in ctx.signals(WORD):
        n += word
    return n


@workflow(name="listens")
async def renewing(ctx: Context, n: int) -> int:
    async for word in ctx.signals(WORD):
        n += word
        if ctx.history_length > 30:
            ctx.continue_as_new(n)
    return n


def limited(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, code: Workflow[int, int]) -> Host:
    monkeypatch.setattr(playing, "FACTS_MAX", 30)
    monkeypatch.setattr(playing, "FACTS_WARNING", 24)
    return make_host(App("long", workflows=[code]), check=True)


async def test_a_long_run_is_warned_of_once_and_then_blocked_with_advice(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = limited(make_host, monkeypatch, listens)
    await host.start(listens, 0)
    for number in range(22):
        await host.send(signal(1, f"s{number}"))
    assert host.notes.of("long") == []
    for number in range(22, 29):
        await host.send(signal(1, f"s{number}"))
    assert [one.fields for one in host.notes.of("long")] == [{"facts": 24, "limit": 30}]
    assert host.status() is Status.RUNNING
    await host.send(signal(1, "too many"))
    assert host.status() is Status.BLOCKED
    reason = host.history().turns[-1].reason
    assert "more than 30 facts" in reason
    assert "ctx.continue_as_new" in reason


async def test_new_code_takes_an_execution_on_that_was_too_long(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = limited(make_host, monkeypatch, listens)
    await host.start(listens, 0)
    for number in range(35):
        await host.send(signal(1, f"s{number}"))
    assert host.status() is Status.BLOCKED
    host.deploy(App("long", workflows=[renewing]), check=True)
    await host.redrive()
    history = host.history()
    assert host.status() is Status.RUNNING
    assert history.started is not None
    assert [history.started.run.number, history.started.request] == [2, 30]
    assert [s.payload for s in history.started.run.untaken] == [1] * 5
    for number in range(35, 40):
        await host.send(signal(1, f"s{number}"))
    assert host.status() is Status.RUNNING


@workflow
async def gives_up(ctx: Context, n: int) -> int:
    if n:
        return n
    ctx.call(DOUBLE, n)
    await ctx.wait_signal(WORD)
    ctx.continue_as_new(1)


async def test_a_retry_of_the_turn_that_ends_its_run_is_not_timed(make_host: MakeHost) -> None:
    host = make_host(App("tests", workflows=[gives_up], services=[DOUBLE]), check=True)
    await host.start(gives_up, 0)
    failed = m.Update("e", "1", None, Failure("Broken", "once"), 1)
    await host.send(failed, signal(1, "a"))
    assert host.outcome() == 1
    assert [type(x) for x in host.history().turns[1].commands] == [c.StartTimer, c.ContinueAsNew]
    effects = [effect for commit in host.store.commits for effect in commit.effects]
    assert [effect for effect in effects if isinstance(effect, ArmTimer)] == []
