"""The client's door for code without an event loop."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from lambda_workflow import (
    App,
    Client,
    Context,
    ExecutionClosed,
    Signal,
    Status,
    Update,
    WorkflowError,
    workflow,
)
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import Host


@workflow
async def double(ctx: Context, n: int) -> int:
    return 2 * n


GO = Signal("go", int)
ADD = Update("add", int, int)


@workflow
async def sums(ctx: Context, n: int) -> int:
    ctx.state = [n]
    async for call in ctx.updates(ADD):
        ctx.state.append(call.payload)
        call.respond(sum(ctx.state))
        break
    more = await ctx.wait_signal(GO)
    return int(sum(ctx.state)) + more


@sums.query
def total(ctx: Context) -> int:
    return int(sum(ctx.state))


@sums.query
def nth(ctx: Context, n: int) -> int:
    return int(ctx.state[n])


APP = App("tests", workflows=[double, sums])
SECOND = timedelta(seconds=1)


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    return make_host(APP)


@pytest.fixture
def loops() -> set[asyncio.AbstractEventLoop]:
    """The event loops that the backend was used on."""
    return set()


@pytest.fixture
def client(host: Host, loops: set[asyncio.AbstractEventLoop]) -> Client:
    async def waiting(execution_id: str, seconds: float) -> None:
        loops.add(asyncio.get_running_loop())
        for message in host.queue.take_messages():
            await host.send(message)

    async def close() -> None:
        loops.add(asyncio.get_running_loop())

    return Client(APP, host.memory.backend, wait=waiting, close=close)


def test_start_to_end_without_an_event_loop(client: Client) -> None:
    ids = [client.sync.start(double, n, execution_id=f"d{n}") for n in range(3)]
    assert [client.sync.result(id_, timeout=SECOND) for id_ in ids] == [0, 2, 4]
    assert client.sync.describe("d1").status is Status.COMPLETED
    assert len(client.sync.list("double", limit=2).headers) == 2
    listed = [header.execution_id for header in client.sync.list_all("double", limit=2)]
    assert sorted(listed) == ids
    assert client.sync.history("d2").status is Status.COMPLETED
    with pytest.raises(ExecutionClosed, match="nothing is done"):
        client.sync.redrive("d2")
    client.sync.close()


def test_talk_without_an_event_loop(client: Client) -> None:
    door = client.sync
    door.start(sums, 1, execution_id="s", tags={"n": "1"})
    assert door.update("s", ADD, 5) == 6
    assert (door.query("s", total), door.query("s", nth, 1)) == (6, 5)
    assert door.query_by_name("s", "nth", 0) == 1
    door.signal("s", GO, 4, id="once")
    assert door.result("s", timeout=SECOND) == 10
    assert [header.tags for header in door.list(tags={"n": "1"}).headers] == [{"n": "1"}]
    door.close()


def test_a_replacement_has_begun_when_its_id_is_returned(client: Client) -> None:
    door = client.sync
    for n in range(3):
        id_ = door.start(double, n, execution_id="d", on_conflict="terminate_existing")
        assert door.result(id_, timeout=SECOND) == 2 * n
    door.close()


def test_every_use_is_on_one_event_loop_which_ends_with_it(
    client: Client, loops: set[asyncio.AbstractEventLoop]
) -> None:
    """Connections belong to the event loop that opened them."""
    for n in range(2):
        client.sync.result(client.sync.start(double, n), timeout=SECOND)
    client.sync.close()
    (loop,) = loops
    assert loop.is_closed()


async def test_within_an_event_loop_it_says_what_to_write(client: Client) -> None:
    with pytest.raises(WorkflowError, match=r"await client\.start"):
        client.sync.start(double, 1)
    await asyncio.to_thread(client.sync.close)
