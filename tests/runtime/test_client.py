"""The Client: starts once, waits in time, says what became of an execution."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Client,
    ConfigurationError,
    Context,
    EncodeError,
    ExecutionAlreadyStarted,
    ExecutionClosed,
    ExecutionFailed,
    ExecutionNotFound,
    ResultTimeout,
    ServiceError,
    Status,
    UnknownWorkflow,
    serve,
    workflow,
)
from lambda_workflow.model.messages import Request
from lambda_workflow.runtime.offload import INLINE_BYTES_MAX
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER, Host

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Order:
    number: int
    text: str = ""


@dataclass(frozen=True)
class Receipt:
    total: int


@serve(DOUBLE)
def double(n: int) -> int:
    return 2 * n


@workflow
async def buy(ctx: Context, order: Order) -> Receipt:
    return Receipt(await ctx.call(DOUBLE, order.number))


@workflow
async def refuse(ctx: Context, n: int) -> int:
    raise ServiceError("no", type="Refused", details={"n": n})


@workflow
async def wait(ctx: Context, n: int) -> int:
    await asyncio.sleep(3600)
    return await ctx.call(OTHER, n)


@workflow
async def unlisted(ctx: Context, n: int) -> int:
    return n


APP = App("tests", workflows=[buy, refuse, wait], adapters=[double], services=[OTHER])


async def pump(host: Host) -> None:
    """Let the host do what there is to do now."""
    messages = host.queue.take_messages()
    while messages:
        for message in messages:
            await host.send(message)
        for task in host.queue.take_tasks("double"):
            assert isinstance(task.payload, int)
            await host.send(task.update(2 * task.payload))
        messages = host.queue.take_messages()


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    return make_host(APP)


@pytest.fixture
def client(host: Host) -> Client:
    async def waiting(execution_id: str, seconds: float) -> None:
        await pump(host)
        await host.memory.advance(seconds)

    return Client(APP, host.memory.backend, wait=waiting)


async def test_a_result_is_of_the_workflow_s_type(client: Client) -> None:
    handle = await client.start(buy, Order(4), execution_id="o-4")
    assert handle.execution_id == "o-4"
    assert await handle.result(SECOND) == Receipt(8)
    assert await client.result("o-4") == Receipt(8)


async def test_who_has_waited_for_a_result_leaves_nothing_to_the_event_loop(
    client: Client,
) -> None:
    before = asyncio.all_tasks()
    handle = await client.start(buy, Order(21))
    await handle.result()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_an_id_is_made_where_none_is_given(client: Client) -> None:
    ids = {(await client.start(buy, Order(1))).execution_id for _ in range(3)}
    assert len(ids) == 3
    assert all(one.startswith("buy-") for one in ids)


async def test_a_second_start_with_the_same_request_changes_nothing(
    host: Host, client: Client
) -> None:
    for _ in range(3):
        handle = await client.start(buy, Order(4), execution_id="o")
        await pump(host)
    assert await handle.result(SECOND) == Receipt(8)
    assert len(host.queue.messages) == 1


@pytest.mark.parametrize("text", ["", "x" * INLINE_BYTES_MAX])
async def test_a_second_start_with_another_request_is_refused(
    host: Host, client: Client, text: str
) -> None:
    await client.start(buy, Order(4, text), execution_id="o")
    await pump(host)
    await client.start(buy, Order(4, text), execution_id="o")
    with pytest.raises(ExecutionAlreadyStarted) as refused:
        await client.start(buy, Order(5, text), execution_id="o")
    assert str(refused.value) == (
        "execution id o belongs to another workflow or another request: choose another id, or "
        "start with the same request"
    )
    with pytest.raises(ExecutionAlreadyStarted):
        await client.start(wait, 4, execution_id="o")


async def test_starts_that_race_are_two_messages_and_one_execution(
    host: Host, client: Client
) -> None:
    await client.start(buy, Order(4), execution_id="o")
    await client.start(buy, Order(5), execution_id="o")  # the first is not recorded yet
    assert len({send.deduplication for send in host.queue.messages}) == 2
    await pump(host)
    assert await client.result("o", timeout=SECOND) == Receipt(8)
    assert len(host.notes.of("late")) == 1


async def test_what_cannot_be_started_is_refused_before_anything_is_sent(
    host: Host, client: Client
) -> None:
    with pytest.raises(UnknownWorkflow, match="it has buy, refuse, wait: add it"):
        await client.start(unlisted, 1)
    with pytest.raises(EncodeError, match="request"):
        await client.start(wait, "one")  # type: ignore[misc]  # the point of it
    with pytest.raises(ConfigurationError, match="execution id 'a b' has ' '"):
        await client.start(wait, 1, execution_id="a b")
    with pytest.raises(ConfigurationError, match="execution id 'task:1' begins with 'task:'"):
        await client.start(wait, 1, execution_id="task:1")
    assert host.queue.messages == []


async def test_a_failure_carries_the_error_that_ended_it(client: Client) -> None:
    await client.start(refuse, 3, execution_id="r")
    with pytest.raises(ExecutionFailed) as failed:
        await client.result("r", timeout=SECOND)
    error = failed.value
    assert (error.execution_id, error.workflow, error.message) == ("r", "refuse", "no")
    assert error.details == {"n": 3}
    assert "test_client.py" in (error.stack or "")
    assert str(error) == f"execution r of refuse failed with {error.type}: no"


async def test_a_result_that_does_not_come_in_time_is_a_timeout(host: Host, client: Client) -> None:
    begun = host.clock.now()
    await client.start(wait, 1, execution_id="w")
    with pytest.raises(ResultTimeout, match="execution w is RUNNING after 0:00:30; it goes on"):
        await client.result("w", timeout=30 * SECOND)
    assert host.clock.now() - begun == 30_000
    with pytest.raises(TimeoutError, match="there is no execution never after"):
        await client.result("never", timeout=SECOND)


async def test_waiting_for_a_blocked_execution_tells_what_blocks_it(make_host: MakeHost) -> None:
    host = make_host(App("tests", workflows=[wait]))
    client = Client(host.app, host.memory.backend)
    await client.start(wait, 1, execution_id="w")
    await pump(host)
    await host.memory.advance(3600)
    await pump(host)
    with pytest.raises(ResultTimeout, match=r"w is BLOCKED after 0:00:00: .*add it, App\("):
        await client.result("w", timeout=timedelta())


async def test_a_description_says_where_it_stands(host: Host, client: Client) -> None:
    begun = host.clock.now()
    await client.start(buy, Order(4), execution_id="o")
    await pump(host)
    header = await client.describe("o")
    assert (header.workflow, header.status, header.turn) == ("buy", Status.COMPLETED, 2)
    assert (header.started_at, header.closed_at) == (begun, begun)


async def test_a_history_has_its_payloads_in_place(host: Host, client: Client) -> None:
    text = "x" * INLINE_BYTES_MAX
    await client.start(buy, Order(4, text), execution_id="o")
    await pump(host)
    started = (await client.history("o")).started
    assert started is not None
    assert started.request == {"number": 4, "text": text}


LOOKS: list[Callable[[Client], Any]] = [
    lambda client: client.describe("nobody"),
    lambda client: client.history("nobody"),
    lambda client: client.redrive("nobody"),
]


@pytest.mark.parametrize("look", LOOKS)
async def test_an_execution_that_is_not_there_is_named(
    client: Client, look: Callable[[Client], Any]
) -> None:
    with pytest.raises(ExecutionNotFound, match="no execution nobody: it was never started here"):
        await look(client)


async def started(host: Host, client: Client) -> None:
    for n in range(5):
        await client.start(wait, n, execution_id=f"w{n}")
        await client.start(buy, Order(n), execution_id=f"b{n}")
        await pump(host)
        await host.memory.advance(1)


async def test_a_list_is_newest_first_and_comes_in_pages(host: Host, client: Client) -> None:
    await started(host, client)
    page = await client.list("wait", limit=2)
    assert [header.execution_id for header in page.headers] == ["w4", "w3"]
    assert page.cursor is not None
    page = await client.list("wait", limit=2, cursor=page.cursor)
    assert [header.execution_id for header in page.headers] == ["w2", "w1"]
    all_of_them = [header.execution_id async for header in client.list_all("wait", limit=2)]
    assert all_of_them == ["w4", "w3", "w2", "w1", "w0"]


async def test_a_list_goes_by_status_and_time(host: Host, client: Client) -> None:
    begun = datetime.fromtimestamp(host.clock.now() / 1000, UTC)
    await started(host, client)
    done = await client.list(status=Status.COMPLETED)
    assert [header.execution_id for header in done.headers] == ["b4", "b3", "b2", "b1", "b0"]
    some = await client.list(
        "buy", started_after=begun, started_before=begun + timedelta(seconds=3)
    )
    assert [header.execution_id for header in some.headers] == ["b2", "b1"]


async def test_a_redrive_is_a_message_of_its_own_each_time(host: Host, client: Client) -> None:
    await client.start(wait, 1, execution_id="w")
    await pump(host)
    await host.memory.advance(1)
    await client.redrive("w")
    await host.memory.advance(1)
    await client.redrive("w")
    assert len(host.queue.take_messages()) == 2


def test_the_sync_door_needs_no_event_loop(host: Host, client: Client) -> None:
    door = client.sync
    try:
        assert door.start(buy, Order(4), execution_id="o") == "o"
        assert door.result("o", timeout=SECOND) == Receipt(8)
        assert door.describe("o").status is Status.COMPLETED
        assert [header.execution_id for header in door.list("buy").headers] == ["o"]
        assert door.history("o").status is Status.COMPLETED
        with pytest.raises(ExecutionClosed, match=r"COMPLETED.*nothing is done"):
            door.redrive("o")
    finally:
        door.close()
    sent = host.queue.messages[0].message
    assert isinstance(sent, Request)
    assert sent == Request("o", "buy", {"number": 4, "text": ""}, options=sent.options)
