"""A start that replaces what has its id: once, whatever is delivered again and whoever crashes."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from lambda_workflow import App, Client, Context, Signal, Status, Update, workflow
from lambda_workflow.errors import BackendError, ExecutionClosed
from lambda_workflow.model import events as e
from lambda_workflow.model.messages import Message, Request, Terminate
from lambda_workflow.model.messages import Signal as Told
from lambda_workflow.ports import Commit
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, Host

GO = Signal("go", int)
NUDGE = Update("nudge", int, int)


@workflow
async def waits(ctx: Context, n: int) -> int:
    ctx.set_status(n)
    return n + await ctx.wait_signal(GO)


@workflow
async def quick(ctx: Context, n: int) -> int:
    return 2 * n


@workflow
async def calls(ctx: Context, n: int) -> int:
    return await ctx.call(DOUBLE, n)


APP = App("replacing", workflows=[waits, quick, calls], services=[DOUBLE])


def anew(name: str, n: int, id_: str = "second") -> Request:
    return Request("e", name, n, options=e.StartOptions(id=id_), replace=True)


def go(n: int, id_: str) -> Told:
    return Told("e", "go", n, id_)


def starts(host: Host) -> list[str]:
    return [one.options.id for one in host.history().events() if isinstance(one, e.Started)]


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    return make_host(APP)


async def test_what_runs_is_ended_and_another_begins_in_one_delivery(host: Host) -> None:
    await host.start(waits, 1)
    await host.send(anew("waits", 2), go(10, "a"))
    history = host.history()
    statuses = [turn.status for turn in history.turns]
    assert statuses == [Status.RUNNING, Status.TERMINATED, Status.COMPLETED]
    assert history.turns[1].commands[-1].reason == "another start took its id"  # type: ignore[union-attr]
    assert host.outcome() == 12
    header = await host.store.header("e")
    assert header is not None
    assert (header.status, header.custom, header.turn) == (Status.COMPLETED, 2, 3)


async def test_a_delivery_that_is_repeated_begins_nothing_more(host: Host) -> None:
    await host.start(waits, 1)
    messages: list[Message] = [anew("waits", 2), go(10, "a")]
    for _ in range(3):
        await host.send(*messages)
        for message in messages:
            await host.send(message)
    assert starts(host) == ["", "second"]
    assert host.outcome() == 12


@pytest.mark.parametrize("keeps", [0, 10], ids=["cold", "warm"])
@pytest.mark.parametrize("fails_at", range(1, 5))
@pytest.mark.parametrize("before", ["none", "waits", "quick", "calls"])
async def test_a_worker_that_dies_leaves_one_replacement(
    make_host: MakeHost, before: str, fails_at: int, keeps: int
) -> None:
    host = make_host(APP, live_max=keeps)
    if before != "none":
        await host.start(APP.workflows[before], 1)
    messages: list[Message] = [anew("waits", 2), go(10, "a")]
    commits = 0

    def die(commit: Commit) -> None:
        nonlocal commits
        commits += 1
        if commits == fails_at:
            raise BackendError("the worker dies here")

    for way in ("before the commit", "after it"):
        host.store.before_commit = die
        host.queue.failing = way == "after it"
        with suppress(BackendError):
            await host.send(*messages)
        host.queue.failing = False
    host.store.before_commit = lambda commit: None
    await host.send(*messages)
    assert starts(host)[-1] == "second"
    assert starts(host).count("second") == 1
    assert host.outcome() == 12
    header = await host.store.header("e")
    assert header is not None
    assert header.status is Status.COMPLETED


async def test_replacements_follow_each_other_in_one_delivery(host: Host) -> None:
    await host.start(waits, 1)
    await host.send(anew("quick", 2, "b"), anew("waits", 3, "c"), anew("waits", 4, "d"), go(1, "a"))
    assert starts(host) == ["", "b", "c", "d"]
    assert host.outcome() == 5


async def test_what_came_before_the_replacement_is_for_what_it_replaces(host: Host) -> None:
    await host.start(waits, 1)
    await host.send(go(1, "old"), anew("waits", 2))
    assert host.status() is Status.RUNNING
    await host.send(go(10, "new"))
    assert host.outcome() == 12
    await host.send(Terminate("e"))
    assert host.status() is Status.COMPLETED


async def test_a_replacement_without_an_id_could_not_be_known_and_is_a_plain_start(
    host: Host,
) -> None:
    await host.start(waits, 1)
    await host.send(Request("e", "waits", 2, replace=True))
    assert host.status() is Status.RUNNING
    assert len(starts(host)) == 1


async def test_what_is_replaced_tells_of_its_end_though_its_worker_died(host: Host) -> None:
    parent = e.Callback("memory://inbox", "parent", "parent/1")
    await host.start(waits, 1, callback=parent)
    host.queue.failing = True
    with suppress(BackendError):
        await host.send(anew("waits", 2))
    assert host.status() is Status.TERMINATED
    host.queue.failing = False
    await host.send(anew("waits", 2))
    assert starts(host) == ["", "second"]
    assert [one.response.status for one in host.queue.responses] == ["TERMINATED"]
    assert [one.message.execution_id for one in host.queue.messages] == ["parent"]


async def test_what_is_replaced_tells_of_its_end_once(host: Host) -> None:
    await host.start(waits, 1)
    for _ in range(2):
        await host.send(anew("waits", 2))
    await host.send(anew("quick", 3, "third"))
    told = [one.response.status for one in host.queue.responses]
    assert told == ["TERMINATED", "TERMINATED", "COMPLETED"]


async def test_who_waits_for_the_reply_of_what_is_replaced_learns_that_it_has_ended(
    host: Host,
) -> None:
    async def waiting(execution_id: str, seconds: float) -> None:
        await host.send(*host.queue.take_messages(), anew("waits", 2))
        await host.memory.advance(seconds)

    await host.start(waits, 1)
    client = Client(APP, host.memory.backend, wait=waiting)
    with pytest.raises(ExecutionClosed, match="TERMINATED"):
        await client.update("e", NUDGE, 1, timeout=timedelta(minutes=1))
    assert host.status() is Status.RUNNING
