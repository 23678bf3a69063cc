"""Waiting for events: which end a wait has, whatever comes first, twice, late or not at all."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lambda_workflow_services.eventbridge import WAIT, Wait
from lambda_workflow_services.eventbridge.settings import read_waiting

from lambda_workflow import BusEvent, ConfigurationError
from lambda_workflow.aws.backend import blobs_for
from lambda_workflow.model.bus_events import render_bus_event as render
from lambda_workflow.model.messages import Update
from lambda_workflow.runtime.offload import fetch
from tests.services.eventbridge.conftest import Bench, event


def wanted(order: Any = 7, **more: Any) -> Wait:
    return Wait(source="shop", detail_type="Paid", match={"order": order}, **more)


def events_of(updates: list[Update]) -> list[BusEvent]:
    assert [update.failure for update in updates if update.failure] == []
    return [WAIT.response_codec.decode(update.payload, "result") for update in updates]


async def test_an_event_that_comes_later_ends_the_wait(bench: Bench) -> None:
    await bench.give(bench.task(1, wanted()))
    assert await bench.results() == []
    await bench.give(event(8, id_="other"), event(7, id_="ours"))
    assert events_of(await bench.results()) == [event(7, id_="ours")]
    assert await bench.rows("waiter") == []


async def test_an_event_that_came_before_ends_the_wait_at_once(bench: Bench) -> None:
    await bench.give(event(8, id_="other"), event(7, id_="b", second=2), event(7, id_="a"))
    await bench.give(bench.task(1, wanted()))
    assert events_of(await bench.results()) == [event(7, id_="a")]


async def test_the_first_that_matches_is_the_end_however_often_what_is_delivered(
    bench: Bench,
) -> None:
    task = bench.task(1, wanted())
    await bench.give(task)
    await bench.give(event(id_="first"))
    await bench.give(event(id_="second"))
    for _ in range(2):
        bench.server.advance(301)  # or SQS would drop the repeated result
        await bench.give(event(id_="second"), task, event(id_="first"))
    bench.server.advance(301)
    await bench.give(replace(task, attempt=2))
    found = await bench.results()
    assert {update.attempt for update in found} == {1, 2}
    assert {e.id for e in events_of(found)} == {"first"}


async def test_an_event_ends_all_waits_that_it_matches(bench: Bench) -> None:
    tasks = [bench.task(n, wanted(order)) for n, order in enumerate([7, 8, [6, 7]])]
    await bench.give(*tasks)
    await bench.give(event(7))
    assert [update.operation for update in await bench.results()] == ["0", "2"]
    assert len(await bench.rows("waiter")) == 1


async def test_events_of_before_since_do_not_count(bench: Bench) -> None:
    since = event(second=5).time + timedelta(milliseconds=700)  # events have whole seconds
    await bench.give(event(id_="kept", second=4))
    await bench.give(bench.task(1, wanted(since=since)))
    await bench.give(event(id_="late", second=4))
    assert await bench.results() == []
    await bench.give(event(id_="then", second=5))
    assert [e.id for e in events_of(await bench.results())] == ["then"]


async def test_a_wait_looks_again_at_its_end_and_has_timed_out(bench: Bench) -> None:
    task = bench.task(1, wanted(timeout=timedelta(minutes=20)))
    await bench.give(task)
    name = "ApproximateNumberOfMessagesDelayed"
    queue = await bench.aws.call(
        "sqs", "GetQueueAttributes", QueueUrl=bench.url, AttributeNames=[name]
    )
    assert queue["Attributes"][name] == "1"  # it comes back Later
    (row,) = await bench.rows("waiter")
    now = time.time() * 1000
    assert now + 19 * 60_000 < int(row["u"]["N"]) < now + 21 * 60_000
    state = {"until": int(row["u"]["N"])}
    await bench.give(replace(task, state=state))  # 15 minutes later
    assert await bench.results() == []
    await bench.give(replace(task, state={"until": int(now) - 1}))
    (update,) = await bench.results()
    assert update.failure is not None
    assert (update.failure.type, update.failure.retryable) == ("WaitTimedOut", False)
    assert "'Paid' of 'shop'" in update.failure.message
    bench.server.advance(301)
    await bench.give(event(), task)
    assert [u.failure and u.failure.type for u in await bench.results()] == ["WaitTimedOut"]


async def test_a_wait_that_comes_again_is_not_prolonged(bench: Bench) -> None:
    await bench.give(bench.task(1, wanted(timeout=timedelta(minutes=20))))
    (before,) = await bench.rows("waiter")
    await bench.give(bench.task(1, wanted(timeout=timedelta(days=20)), attempt=2))
    (after,) = await bench.rows("waiter")
    assert (after["u"], after["x"]) == (before["u"], before["x"])
    await bench.give(event())
    assert [update.attempt for update in await bench.results()] == [2]


async def test_an_event_that_is_no_longer_kept_does_not_count(bench: Bench) -> None:
    await bench.give(event())
    (row,) = await bench.rows("event")
    assert abs(int(row["x"]["N"]) - time.time() - 3_600) < 60
    await bench.change(row, x=int(time.time()) - 1)  # DynamoDB may take days to delete it
    await bench.give(bench.task(1, wanted()))
    assert await bench.results() == []


@pytest.mark.parametrize("is_first", [True, False], ids=["event first", "wait first"])
async def test_an_event_of_almost_a_megabyte_arrives_whole(bench: Bench, is_first: bool) -> None:
    large = event(text=os.urandom(450_000).hex())
    task = bench.task(1, wanted())
    await bench.give(*((large, task) if is_first else (task, large)))
    (update,) = await bench.results()
    payload = await fetch(update.payload, blobs_for(bench.aws, bench.config))
    assert WAIT.response_codec.decode(payload, "result") == large


async def test_an_event_comes_again_if_an_answer_cannot_be_sent_now(bench: Bench) -> None:
    await bench.give(bench.task(1, wanted()))
    bench.server.fault("sqs", "SendMessageBatch", "error", name="in.fifo", count=2)
    await bench.queues.put(bench.url, render(event()))
    assert len(await bench.handled()) == 1
    assert await bench.results() == []
    bench.server.advance(3)
    await bench.handled()
    assert [e.id for e in events_of(await bench.results())] == ["1"]


async def test_an_answer_that_cannot_be_sent_at_all_does_not_keep_the_event(bench: Bench) -> None:
    gone = f"{bench.config.queue_url.rpartition('/')[0]}/gone.fifo"
    await bench.give(
        replace(bench.task(1, wanted()), callback_queue_url=gone), bench.task(2, wanted())
    )
    await bench.give(event())
    assert [update.operation for update in await bench.results()] == ["2"]


def test_settings_are_checked_all_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_waiting({"EVENTBRIDGE_WAIT_KEEP_SECONDS": "soon"})
    assert "EVENTBRIDGE_WAIT_TABLE is not set" in str(caught.value)
    assert "'soon'" in str(caught.value)
