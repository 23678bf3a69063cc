"""Orders through the client, and through its door for code without an event loop."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lambda_workflow import (
    App,
    Client,
    ConfigurationError,
    Context,
    ExecutionCancelled,
    ExecutionClosed,
    ExecutionTerminated,
    ResultTimeout,
    workflow,
)
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import Host

SECOND = timedelta(seconds=1)


@workflow
async def naps(ctx: Context, n: int) -> int:
    await ctx.sleep(timedelta(days=n))
    return n


APP = App("tests", workflows=[naps])


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    return make_host(APP)


@pytest.fixture
def client(host: Host) -> Client:
    """Time passes and messages arrive while it waits."""

    async def waiting(execution_id: str, seconds: float) -> None:
        await host.memory.advance(seconds)
        for message in host.queue.take_messages():
            await host.send(message)

    return Client(APP, host.memory.backend, wait=waiting)


def test_orders_without_an_event_loop(client: Client) -> None:
    door = client.sync
    id_ = door.start(naps, 1, execution_id="n")
    with pytest.raises(ResultTimeout, match="RUNNING"):
        door.result(id_, timeout=SECOND)
    door.pause(id_, "audit")
    with pytest.raises(ResultTimeout, match="PAUSED"):
        door.result(id_, timeout=SECOND)
    assert door.describe(id_).reason == "audit"
    door.resume(id_)
    door.cancel(id_, "enough", grace=SECOND)
    with pytest.raises(ExecutionCancelled, match="enough"):
        door.result(id_, timeout=SECOND)
    with pytest.raises(ExecutionClosed):
        door.terminate(id_)
    door.start(naps, 1, execution_id="m")
    with pytest.raises(ResultTimeout):
        door.result("m", timeout=SECOND)
    door.terminate("m", "fire")
    with pytest.raises(ExecutionTerminated, match="fire") as raised:
        door.result("m", timeout=SECOND)
    error = raised.value
    assert [error.execution_id, error.workflow, error.type] == ["m", "naps", "ExecutionTerminated"]
    door.close()


@pytest.mark.parametrize("seconds", [-1, 366 * 86_400])
async def test_a_grace_period_out_of_its_limits_is_refused(client: Client, seconds: int) -> None:
    with pytest.raises(ConfigurationError, match="between nothing and 365 days"):
        await client.cancel("e", grace=timedelta(seconds=seconds))


async def test_two_orders_of_one_moment_are_two(client: Client, host: Host) -> None:
    handle = await client.start(naps, 1)
    for order in (handle.pause, handle.resume, handle.pause, handle.resume, handle.pause):
        await order()
    assert len(host.queue.take_messages()) == 6
