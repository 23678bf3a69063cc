"""The worker as an event source mapping: groups in order, failures again, poison out of the way."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.worker import Poller
from lambda_workflow.model.messages import Request
from lambda_workflow.model.wire import render
from tests.aws.apps import CALLS, app, ten
from tests.aws.deployed import SOON, deploy, put, take, until, until_left, working
from tests.aws.server.process import Server

VISIBILITY_SECONDS = 20


@dataclass
class Recorder:
    """A handler that notes what it gets, and fails what it is told to."""

    fails: Counter[str] = field(default_factory=Counter)
    got: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    under_way: Counter[str] = field(default_factory=Counter)
    overlaps: int = 0
    widest: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, event: Any, seconds_max: float | None = None) -> dict[str, Any]:
        groups = {record["attributes"]["MessageGroupId"] for record in event["Records"]}
        self.under_way.update(groups)
        self.overlaps += any(self.under_way[group] > 1 for group in groups)
        self.began.set()
        self.widest = max(self.widest, self.under_way.total())
        await asyncio.sleep(0.03)  # long enough for other batches to come
        self.under_way.subtract(groups)
        failed: list[dict[str, str]] = []
        broken: set[str] = set()
        for record in event["Records"]:
            group, body = record["attributes"]["MessageGroupId"], record["body"]
            if group in broken or self.fails[body] > 0:
                self.fails[body] -= 1
                broken.add(group)
                failed.append({"itemIdentifier": record["messageId"]})
            else:
                self.got[group].append(body)
        return {"batchItemFailures": failed}

    @property
    def count(self) -> int:
        return sum(map(len, self.got.values()))


@asynccontextmanager
async def polling(
    config: AwsConfig, recorder: Recorder, *, pollers: int = 1
) -> AsyncIterator[None]:
    aws = Aws()
    tasks = [
        asyncio.create_task(Poller(aws, config.queue_url, recorder, wait_seconds=1).run())
        for _ in range(pollers)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await aws.close()


async def fill(config: AwsConfig, groups: int, each: int) -> None:
    for n in range(each):
        for group in range(groups):
            await put(config.queue_url, f"{group}/{n:02}", f"g{group}")


def in_order(groups: int, each: int) -> dict[str, list[str]]:
    return {f"g{group}": [f"{group}/{n:02}" for n in range(each)] for group in range(groups)}


async def test_each_group_is_handled_by_one_batch_at_a_time_and_in_order(server: Server) -> None:
    config = await deploy([], visibility=VISIBILITY_SECONDS)
    await fill(config, 6, 12)
    recorder = Recorder()
    async with polling(config, recorder, pollers=3):
        await until(lambda: recorder.count == 6 * 12)
    assert recorder.got == in_order(6, 12)
    assert recorder.overlaps == 0
    assert recorder.widest > 1, "groups are handled side by side"
    assert await take(config.queue_url) == []


async def test_what_failed_comes_again_and_the_order_is_kept(server: Server) -> None:
    config = await deploy([], visibility=VISIBILITY_SECONDS)
    await fill(config, 3, 8)
    recorder = Recorder(fails=Counter({"0/02": 1, "1/05": 2}))
    async with polling(config, recorder):
        for left in (6 + 3, 3):  # of both groups from the first failure on, then of one
            await until_left(config.queue_url, left)
            server.advance(VISIBILITY_SECONDS + 1)
        await until_left(config.queue_url, 0)
    assert recorder.got == in_order(3, 8)
    assert recorder.fails.total() <= 0
    assert await take(config.dlq_url) == []


async def test_what_always_fails_is_left_to_the_dead_letter_queue(server: Server) -> None:
    config = await deploy([], visibility=VISIBILITY_SECONDS, receives=2)
    await put(config.queue_url, "bad", "g")
    recorder = Recorder(fails=Counter({"bad": 99}))
    async with polling(config, recorder):
        await until(lambda: recorder.fails["bad"] == 98)
        await put(config.queue_url, "good", "g")
        server.advance(VISIBILITY_SECONDS + 1)
        await until(lambda: recorder.fails["bad"] == 97)
        server.advance(VISIBILITY_SECONDS + 1)
        await until(lambda: recorder.got["g"] == ["good"])
    (dead,) = await take(config.dlq_url)
    assert dead["Body"] == "bad"


async def test_poison_is_moved_away_whole_and_everything_else_goes_on(server: Server) -> None:
    config = await deploy(app.adapters, visibility=VISIBILITY_SECONDS)
    poison = [
        "{no json – ü 🚀",
        '{"type":"Unknown","execution_id":"e0"}',
        '{"type":"Update","execution_id":"e0"}',
        '{"type":"Update","execution_id":"e0","task_id":"e1/1","payload":7}',
        "[]",
    ]
    for n, body in enumerate(poison):
        await put(config.queue_url, body, "e0")
        await put(config.queue_url, render(Request(f"e{n}", ten.name, n)), f"e{n}")
    async with working(app, config) as client:
        for n in range(len(poison)):
            assert await client.result(f"e{n}", timeout=SOON) == n + CALLS
    dead = await take(config.dlq_url, wait=5)
    assert [letter["Body"] for letter in dead] == poison
    reasons = [letter["MessageAttributes"]["reason"]["StringValue"] for letter in dead]
    words = (
        "not JSON",
        "expected one of Request",
        "`task_id` is missing",
        "not one of `execution_id`",
        "list",
    )
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))
    assert {letter["Attributes"]["MessageGroupId"] for letter in dead} == {"e0"}
    receives = Counter(letter["Attributes"]["ApproximateReceiveCount"] for letter in dead)
    assert set(receives) == {"1"}, "it was moved at once, by the handler"


async def test_a_stopped_worker_finishes_the_batch_that_it_has(server: Server) -> None:
    config = await deploy([], visibility=VISIBILITY_SECONDS)
    await fill(config, 1, 5)
    recorder = Recorder()
    async with polling(config, recorder):
        await recorder.began.wait()
    assert recorder.got == in_order(1, 5)
    server.advance(VISIBILITY_SECONDS + 1)
    assert await take(config.queue_url) == []
