"""Heartbeats of adapters: how often they cost a message, what is kept back, and what they tell."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    BackendError,
    Context,
    Service,
    Task,
    TaskCancelled,
    WorkflowError,
    heartbeat,
    heartbeat_sync,
    serve,
    task_info,
    workflow,
)
from lambda_workflow.model.messages import Heartbeat
from lambda_workflow.runtime.heartbeats import UNASKED_MS, Work
from lambda_workflow.runtime.serve import Adapter, perform
from lambda_workflow.runtime.workshop import Unheard, Workshop
from lambda_workflow.testing.memory import MemoryBlobs
from tests.runtime.conftest import MakeHost

WORK: Service[list[int], str] = Service("work", list[int], str)


class Post:
    """Where heartbeats go; time is what the test says."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.now = 0
        self.failing = False

    async def __call__(self, task: Task, message: Heartbeat) -> None:
        """Take a heartbeat."""
        assert message.operation == "1"
        assert message.attempt == task.attempt
        if self.failing:
            raise BackendError("the queue is throttled")
        self.sent.append(message.details)


def task_of(payload: Any, *, heartbeat_ms: int = 10_000, **more: Any) -> Task:
    return Task("e", "e/1", "work", payload, 1, "queue", heartbeat_ms, **more)


async def beaten(post: Post, moments: list[int], heartbeat_ms: int = 10_000) -> Any:
    """The update of an adapter that beats at these moments, in milliseconds."""

    @serve(WORK)
    async def work(moments: list[int]) -> str:
        for moment in moments:
            post.now = moment
            await heartbeat(moment)
        if moments[-1] < 0:
            raise ValueError("failed")
        return "done"

    task = task_of(moments, heartbeat_ms=heartbeat_ms)
    here = Work(task, post, lambda: post.now, asyncio.get_running_loop())
    return await perform(work, task, MemoryBlobs(), work=here)


async def test_a_message_goes_out_at_most_every_half_of_the_timeout() -> None:
    post = Post()
    await beaten(post, [0, 1, 4_999, 5_000, 9_999, 10_001, 60_000])
    assert post.sent == [0, 5_000, 10_001, 60_000]


async def test_without_a_timeout_it_is_once_in_a_while() -> None:
    post = Post()
    await beaten(post, [0, 20_000, UNASKED_MS // 2, UNASKED_MS], heartbeat_ms=0)
    assert post.sent == [0, UNASKED_MS // 2, UNASKED_MS]


async def test_what_was_kept_back_is_sent_before_an_error() -> None:
    post = Post()
    update = await beaten(post, [0, 100, -1])
    assert update.failure.type == "ValueError"
    assert post.sent == [0, -1]


async def test_a_heartbeat_that_cannot_be_sent_is_tried_again_with_the_next() -> None:
    post = Post()

    @serve(WORK)
    async def work(moments: list[int]) -> str:
        post.failing = True
        await heartbeat("lost")
        post.failing = False
        await heartbeat("kept")
        return "done"

    task = task_of([])
    here = Work(task, post, lambda: 0, asyncio.get_running_loop())
    update = await perform(work, task, MemoryBlobs(), work=here)
    assert update.failure is None
    assert post.sent == ["kept"]


async def test_details_without_a_json_form_are_kept_as_words() -> None:
    post = Post()

    @serve(WORK)
    def work(moments: list[int]) -> str:
        heartbeat_sync(Post)
        return f"{task_info().task_id} {task_info().attempt}"

    here = Work(task_of([]), post, lambda: 0, asyncio.get_running_loop())
    update = await perform(work, here.task, MemoryBlobs(), work=here)
    assert update.payload == "e/1 1"
    assert "Post" in post.sent[0]


async def test_outside_of_a_task_there_is_nothing_to_say_or_to_know() -> None:
    await heartbeat({"any": "thing"})
    await asyncio.to_thread(heartbeat_sync)
    with pytest.raises(WorkflowError, match="at work on a task"):
        task_info()


@workflow
async def beats_itself(ctx: Context, n: int) -> str:
    try:
        await heartbeat()
    except WorkflowError as error:
        return str(error)
    return ""


async def test_a_workflow_is_told_that_it_needs_none(make_host: MakeHost) -> None:
    host = make_host(App("beats", workflows=[beats_itself]))
    await host.start(beats_itself)
    assert "a workflow needs none" in host.outcome()


# the workshop


def shop() -> Workshop:
    return Workshop(MemoryBlobs, Post(), lambda: 0)


def waiting(notes: list[str]) -> Adapter[list[int], str]:
    @serve(WORK)
    async def work(moments: list[int]) -> str:
        notes.append("begins")
        try:
            await asyncio.Event().wait()
        finally:
            notes.append("ends")
        return ""

    @work.on_cancel
    def told(task: Task) -> None:
        notes.append(f"told {task.payload}")
        if len(notes) == 1:
            raise ConnectionError("cannot tell")

    return work


async def begun(notes: list[str]) -> None:
    while not notes:  # noqa: ASYNC110  # an adapter's first words
        await asyncio.sleep(0)


async def test_a_host_that_breaks_work_off_is_not_told_that_it_was_withdrawn() -> None:
    notes: list[str] = []
    doing = asyncio.create_task(shop().do(waiting(notes), task_of([1])))
    await begun(notes)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert notes == ["begins", "ends"]


async def test_every_delivery_of_a_withdrawn_task_is_broken_off() -> None:
    notes: list[str] = []
    here, adapter = shop(), waiting(notes)
    doing = [asyncio.create_task(here.do(adapter, task_of([1]))) for _ in range(2)]
    while notes.count("begins") < 2:  # noqa: ASYNC110  # both are at work
        await asyncio.sleep(0)
    assert await here.do(adapter, task_of(None, cancelled=True, reply=False)) is None
    assert await asyncio.gather(*doing) == [None, None]
    assert notes == ["begins", "begins", "ends", "ends"]


async def test_a_withdrawal_that_cannot_be_handled_comes_again_and_its_task_is_not_begun() -> None:
    notes: list[str] = []
    here, adapter = shop(), waiting(notes)
    withdrawal = task_of(None, cancelled=True, reply=False)
    with pytest.raises(ConnectionError):
        await here.do(adapter, withdrawal)
    assert await here.do(adapter, task_of([1])) is None
    assert await here.do(adapter, withdrawal) is None
    assert notes == ["told None", "told None"]


async def test_a_result_that_an_adapter_insists_on_is_dropped_once_it_is_withdrawn() -> None:
    notes: list[str] = []

    @serve(WORK)
    async def stubborn(moments: list[int]) -> str:
        notes.append("begins")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            notes.append("goes on")
        with pytest.raises(TaskCancelled):
            await heartbeat()
        return "here it is"

    here = shop()
    doing = asyncio.create_task(here.do(stubborn, task_of([1])))
    await begun(notes)
    await here.do(stubborn, task_of(None, cancelled=True, reply=False))
    assert await doing is None
    assert notes == ["begins", "goes on"]


async def test_who_fails_where_nobody_waits_tells_the_host() -> None:
    @serve(WORK)
    async def fails(moments: list[int]) -> str:
        raise ValueError("no")

    with pytest.raises(Unheard, match=r"ValueError$") as told:
        await shop().do(fails, task_of([1], reply=False))
    assert not told.value.is_final
    with pytest.raises(Unheard, match="BadRequest") as told:
        await shop().do(fails, task_of("no list", reply=False))
    assert told.value.is_final


async def test_limits_of_time_are_refused_where_they_make_no_sense() -> None:
    with pytest.raises(WorkflowError, match="heartbeats of service"):
        Service("odd", int, int, heartbeat_timeout=timedelta(0))
