"""Tasks on AWS: heartbeats, withdrawals, and work that nobody waits for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import MessageError, Service, ServiceError, Task, heartbeat, serve
from lambda_workflow.aws.handlers import task_handler
from lambda_workflow.model.messages import Heartbeat, Update
from lambda_workflow.model.wire import parse, render_task
from tests.aws.deployed import deploy, event_of, put, take
from tests.aws.server.process import Server
from tests.aws.test_services import Bench
from tests.patience import patience

LONG: Service[str, str] = Service("work", str, str, heartbeat_timeout=timedelta(seconds=30))


class Site:
    """What an adapter of a test shares with it."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.go = asyncio.Event()
        site = self

        @serve(LONG)
        async def work(what: str) -> str:
            site.notes.append(what)
            await heartbeat({"at": what})
            if what == "fails":
                raise ValueError("not now")
            if what == "never":
                raise ServiceError("no such thing", retryable=False)
            if what == "waits":
                await site.go.wait()
            return what

        @work.on_cancel
        async def told(task: Task) -> None:
            site.notes.append(f"told of {task.task_id}")
            if site.notes.count(f"told of {task.task_id}") == 1:
                raise ConnectionError("not now")

        self.adapter = work


@pytest.fixture
async def bench(server: Server) -> Bench:
    return Bench(server, await deploy(["work"]))


@pytest.fixture
async def site() -> Site:
    return Site()


async def hand(bench: Bench, payload: Any, **more: Any) -> None:
    """A task on the service's queue."""
    url = more.pop("url", bench.config.queue_url)
    task = Task("e", "e/1", "work", payload, 1, url, 30_000, **more)
    await put(bench.url, render_task(task))


async def sent(bench: Bench) -> list[Any]:
    """What was sent to the execution."""
    return [parse(message["Body"]) for message in await take(bench.config.queue_url)]


async def test_a_heartbeat_goes_where_the_result_goes(bench: Bench, site: Site) -> None:
    await hand(bench, "a")
    assert await bench.handled(task_handler(site.adapter, config=bench.config)) == []
    assert await sent(bench) == [
        Heartbeat("e", "1", {"at": "a"}, 1), Update("e", "1", "a", None, 1),
    ]  # fmt: skip


async def test_a_task_that_nobody_waits_for_needs_no_queue_and_posts_nothing(
    bench: Bench, site: Site
) -> None:
    await hand(bench, "a", url="", reply=False)
    assert await bench.handled(task_handler(site.adapter, config=bench.config)) == []
    assert site.notes == ["a"]
    assert await sent(bench) == []


async def test_a_task_whose_answer_has_no_queue_is_a_dead_letter(bench: Bench, site: Site) -> None:
    await hand(bench, "a", url="")
    assert await bench.handled(task_handler(site.adapter, config=bench.config)) == []
    assert site.notes == []
    [letter] = await bench.dead()
    assert "callback_queue_url" in letter["MessageAttributes"]["reason"]["StringValue"]


async def test_what_fails_and_nobody_waits_for_comes_again(bench: Bench, site: Site) -> None:
    await hand(bench, "fails", url="", reply=False)
    assert len(await bench.handled(task_handler(site.adapter, config=bench.config))) == 1
    assert await bench.dead() == []


async def test_what_can_never_be_done_is_a_dead_letter_at_once(bench: Bench, site: Site) -> None:
    await hand(bench, "never", url="", reply=False)
    assert await bench.handled(task_handler(site.adapter, config=bench.config)) == []
    [letter] = await bench.dead()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "ServiceError"  # no values


async def test_what_nobody_waits_for_is_done_once_where_results_are_kept(
    bench: Bench, site: Site
) -> None:
    config = replace(bench.config, deduplicate=True)
    for _ in range(2):
        await hand(bench, "a", url="", reply=False)
        assert await bench.handled(task_handler(site.adapter, config=config)) == []
    assert site.notes == ["a"]
    assert await sent(bench) == []


async def test_a_withdrawal_in_another_event_breaks_off_what_is_at_work(
    bench: Bench, site: Site
) -> None:
    handle = task_handler(site.adapter, config=bench.config)
    await hand(bench, "waits")
    working = asyncio.create_task(bench.handled(handle))
    async with asyncio.timeout(patience(30)):
        while not site.notes:  # noqa: ASYNC110  # until the adapter is at work
            await asyncio.sleep(0.01)
    await hand(bench, None, url="", reply=False, cancelled=True)
    assert await bench.handled(handle) == []
    assert await working == []
    assert site.notes == ["waits"]
    assert [message for message in await sent(bench) if isinstance(message, Update)] == []


async def test_a_withdrawal_that_its_handler_fails_at_comes_again(bench: Bench, site: Site) -> None:
    handle = task_handler(site.adapter, config=bench.config)
    await hand(bench, None, url="", reply=False, cancelled=True)
    assert len(await bench.handled(handle)) == 1
    bench.server.advance(600)
    assert await bench.handled(handle) == []
    assert site.notes == ["told of e/1"] * 2


async def test_a_task_that_the_function_has_no_time_for_comes_again(
    bench: Bench, site: Site
) -> None:
    handle = task_handler(site.adapter, config=bench.config)
    await hand(bench, "waits")
    messages = await take(bench.url)
    answer = await handle(event_of("service-work", messages), 0.2)
    assert len(answer["batchItemFailures"]) == 1
    assert [message for message in await sent(bench) if isinstance(message, Update)] == []


async def test_a_withdrawal_whose_handler_reads_something_wrong_comes_again(bench: Bench) -> None:
    @serve(LONG)
    async def work(what: str) -> str:
        return what

    @work.on_cancel
    async def told(task: Task) -> None:
        raise MessageError("what was kept is no task")

    await hand(bench, None, url="", reply=False, cancelled=True)
    assert len(await bench.handled(task_handler(work, config=bench.config))) == 1
    assert await bench.dead() == []


async def test_an_adapter_that_awaits_what_was_cancelled_harms_no_other_task(bench: Bench) -> None:
    @serve(LONG)
    async def work(what: str) -> str:
        other = asyncio.ensure_future(asyncio.sleep(60))
        if what == "cancels":
            other.cancel()
            await other
        other.cancel()
        return what

    await bench.task(1, "cancels")
    await bench.task(2, "b")
    assert await bench.handled(task_handler(work, config=bench.config)) == []
    updates = {update.operation: update for update in await bench.results()}
    assert updates["2"].payload == "b"
    assert updates["1"].failure is not None
    assert "awaited what was cancelled" in updates["1"].failure.message
