"""What is sent arrives, on every backend."""

from __future__ import annotations

import pytest

from lambda_workflow.model.events import BlobRef, Callback, Failure
from lambda_workflow.model.messages import Message, Redrive, Request, Response, Task, Timer, Update
from lambda_workflow.model.payload import Json
from lambda_workflow.ports import SendMessage, SendResponse, SendTask
from tests.ports.harness import Harness
from tests.ports.made import LONG_ID, ODD_ID, message_send, task_send

REF = BlobRef("e/1-abc", "abc", 400_000)
FAILURE = Failure("Broke", "no – 世界", False, {"code": [1, None]}, "line 1\nline 2")


async def test_tasks_arrive_at_their_services_in_batches_of_any_size(harness: Harness) -> None:
    sends = [task_send(n, "mail" if n % 3 else "ledger") for n in range(37)]
    await harness.backend.queue.send_tasks(sends)
    for service in ("mail", "ledger"):
        arrived = {task.task_id: task for task in await harness.tasks(service)}
        assert arrived == {s.task.task_id: s.task for s in sends if s.task.service == service}


@pytest.mark.parametrize("payload", [None, 0, "ü🚀\u2028", {"a": [1.5, {}]}, REF], ids=type)
async def test_a_task_arrives_as_it_was(harness: Harness, payload: Json | BlobRef) -> None:
    task = Task(ODD_ID, f"{ODD_ID}/2.1", "mail", payload, 3, "https://example.com/q")
    await harness.backend.queue.send_tasks([SendTask(task, "one")])
    assert await harness.tasks("mail") == [task]


async def test_sending_nothing_is_allowed(harness: Harness) -> None:
    await harness.backend.queue.send_tasks([])
    await harness.backend.queue.send_messages([])
    await harness.backend.queue.send_responses([])
    assert await harness.messages() == []


async def test_messages_of_one_execution_arrive_in_order(harness: Harness) -> None:
    for first in (0, 25):
        sends = [message_send("abc"[n % 3], n) for n in range(first, first + 25)]
        await harness.backend.queue.send_messages(sends)
    arrived = await harness.messages()
    for execution_id in "abc":
        numbers = [
            int(message.operation)
            for message in arrived
            if isinstance(message, Timer) and message.execution_id == execution_id
        ]
        assert numbers == [n for n in range(50) if "abc"[n % 3] == execution_id]


@pytest.mark.parametrize(
    "message",
    [
        Request(LONG_ID, "flow", {"a": "世界"}, Callback("https://example.com/q", "p", "p/1"), 2),
        Request(ODD_ID, "flow", REF),
        Update(ODD_ID, "2.1", [1, 2, {"x": None}], None, 2),
        Update("e", "2.1", None, FAILURE, 1),
        Update("e", "2.1", REF),
        Timer("e", "2.1:timeout", 1_770_000_000_123),
        Redrive("e"),
    ],
    ids=lambda message: type(message).__name__,
)
async def test_a_message_arrives_as_it_was(harness: Harness, message: Message) -> None:
    await harness.backend.queue.send_messages([SendMessage(message, "one")])
    assert await harness.messages() == [message]


async def test_a_repeated_send_arrives_again_at_most(harness: Harness) -> None:
    send = message_send("e", 1)
    for _ in range(2):
        await harness.backend.queue.send_messages([send])
    arrived = await harness.messages()
    assert arrived == [send.message] * (1 if harness.deduplicates else len(arrived))
    assert 1 <= len(arrived) <= 2


async def test_equal_messages_under_two_ids_are_two(harness: Harness) -> None:
    sends = [message_send("e", 1, deduplication=name) for name in ("first", "second")]
    await harness.backend.queue.send_messages(sends)
    assert len(await harness.messages()) == 2


async def test_messages_go_to_the_queue_that_they_name(harness: Harness) -> None:
    if not harness.other_url:
        pytest.skip("this host has no queue but its own")
    sends = [message_send("e", n, queue_url=harness.other_url if n % 2 else "") for n in range(24)]
    sends.append(message_send("e", 24, queue_url=harness.backend.inbox_url))
    await harness.backend.queue.send_messages(sends)
    own = [send.message for send in sends if send.queue_url != harness.other_url]
    other = [send.message for send in sends if send.queue_url == harness.other_url]
    assert await harness.messages() == own
    assert await harness.messages(harness.other_url) == other


async def test_outcomes_arrive_at_the_response_queue(harness: Harness) -> None:
    responses = [Response(f"e{n}", "flow", "COMPLETED", {"n": n}) for n in range(12)]
    responses.append(Response(ODD_ID, "flow", "FAILED", None, FAILURE))
    responses.append(Response("big", "flow", "COMPLETED", REF))
    sends = [SendResponse(response, response.execution_id) for response in responses]
    await harness.backend.queue.send_responses(sends)
    arrived = {response.execution_id: response for response in await harness.responses()}
    assert arrived == {response.execution_id: response for response in responses}


async def test_the_outcome_of_what_replaced_an_execution_arrives(harness: Harness) -> None:
    outcomes = [Response("e", "flow", "TERMINATED", None, FAILURE), Response("e", "flow", "FAILED")]
    for number, response in enumerate(outcomes):
        await harness.backend.queue.send_responses([SendResponse(response, f"e:{number}")])
    assert (await harness.responses())[-1] == outcomes[-1]
