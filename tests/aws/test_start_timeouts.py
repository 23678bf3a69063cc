"""`start_timeout` on AWS: the receive count tells whether a late task may have begun."""

from __future__ import annotations

import pytest

from lambda_workflow import Service, Task, serve
from lambda_workflow.aws.handlers import task_handler
from lambda_workflow.model.messages import Heartbeat
from lambda_workflow.model.wire import parse, render_task
from tests.aws.deployed import VISIBILITY_SECONDS, ShiftedClock, deploy, lease, put, take
from tests.aws.server.process import Server
from tests.aws.test_services import Bench

WORK: Service[int, int] = Service("work", int, int)
visits: list[int] = []


@serve(WORK)
async def work(number: int) -> int:
    visits.append(number)
    return 2 * number


@pytest.fixture
async def bench(server: Server) -> Bench:
    visits.clear()
    return Bench(server, await deploy(["work"]))


async def test_a_late_task_is_dropped_unless_it_was_received_before(bench: Bench) -> None:
    clock = ShiftedClock()
    handle = task_handler(work, config=bench.config, clock=clock)

    async def send(number: int) -> None:
        due = clock.now() + 60_000
        url = bench.config.queue_url
        task = Task("e", f"e/{number}", "work", number, 1, url, details="page 3", start_by_ms=due)
        await put(bench.url, render_task(task))

    await send(1)
    assert await bench.handled(handle) == []
    messages = [parse(message["Body"]) for message in await take(bench.config.queue_url)]
    assert messages[0] == Heartbeat("e", "1", "page 3", 1)
    assert len(messages) == 2
    await send(2)
    clock.shift += 121_000
    assert await bench.handled(handle) == []
    assert visits == [1]
    await send(3)
    async with lease(bench.url):  # by a process that dies
        pass
    clock.shift += 121_000
    bench.server.advance(VISIBILITY_SECONDS + 1)
    assert await bench.handled(handle) == []
    assert visits == [1, 3]
