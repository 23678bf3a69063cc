"""The laws of the simulated SQS: it must be as strict and as loose as AWS is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TypeVar

import pytest

from lambda_workflow.errors import BackendError
from lambda_workflow.testing.clock import VirtualLoop
from lambda_workflow.testing.simulation.queues import Delivery, FifoQueue, StandardQueue

Q = TypeVar("Q", FifoQueue, StandardQueue)


def play(queue: Q, scene: Callable[[Q], object]) -> None:
    """Run an async scene on the queue's own loop."""
    loop = queue.loop
    try:
        loop.run_until_complete(scene(queue))  # type: ignore[arg-type]  # scenes are coroutines
    finally:
        loop.close()


def fifo(seed: int = 0, *, max_receives: int = 1_000) -> FifoQueue:
    return FifoQueue("fifo", VirtualLoop(), Random(seed), max_receives=max_receives)


def standard(seed: int = 0) -> StandardQueue:
    return StandardQueue("standard", VirtualLoop(), Random(seed))


def bodies(deliveries: list[Delivery]) -> list[str]:
    return [delivery.body for delivery in deliveries]


async def receive_all(queue: FifoQueue) -> list[Delivery]:
    """Receive until nothing is free any more."""
    found: list[Delivery] = []
    while batch := queue.receive(10, 30):
        found += batch
    return found


@pytest.mark.parametrize("seed", range(20))
def test_a_group_is_received_in_order_and_by_one_at_a_time(seed: int) -> None:
    async def scene(queue: FifoQueue) -> None:
        for number in range(30):
            queue.send(f"{'abc'[number % 3]}{number:02}", "abc"[number % 3], str(number))
        seen: dict[str, list[str]] = {"a": [], "b": [], "c": []}
        while queue.messages:
            flying = await receive_all(queue)
            for delivery in flying:
                seen[delivery.group].append(delivery.body)
            assert queue.receive(10, 30) == []
            for delivery in flying:
                queue.delete(delivery.receipt)
        assert all(group == sorted(group) and len(group) == 10 for group in seen.values())

    play(fifo(seed), scene)


def test_what_is_not_deleted_comes_again_in_order_when_its_visibility_ends() -> None:
    async def scene(queue: FifoQueue) -> None:
        for number in range(3):
            queue.send(str(number), "g", str(number))
        first = await receive_all(queue)
        await asyncio.sleep(29.9)
        assert queue.receive(10, 30) == []
        await asyncio.sleep(0.1)
        again = queue.receive(10, 30)
        assert bodies(again) == bodies(first)[: len(again)]
        assert again[0].receives == first[0].receives + 1

    play(fifo(), scene)


def test_a_stale_or_expired_receipt_deletes_nothing() -> None:
    async def scene(queue: FifoQueue) -> None:
        queue.send("m", "g", "1")
        (first,) = queue.receive(10, 30)
        await asyncio.sleep(31)
        with pytest.raises(BackendError, match="stale"):
            queue.delete(first.receipt)
        (second,) = queue.receive(10, 30)
        with pytest.raises(BackendError, match="stale"):
            queue.delete(first.receipt)
        with pytest.raises(BackendError, match="stale"):
            queue.hide(first.receipt, 0)
        queue.delete(second.receipt)
        assert queue.messages == []

    play(fifo(), scene)


def test_deduplication_lasts_five_minutes_even_past_the_deletion() -> None:
    async def scene(queue: FifoQueue) -> None:
        queue.send("first", "g", "same")
        queue.send("second", "g", "same")
        assert bodies(queue.receive(10, 1)) == ["first"]
        queue.delete(queue.messages[0].receipt)
        await asyncio.sleep(299)
        queue.send("third", "g", "same")
        assert queue.messages == []
        await asyncio.sleep(1)
        queue.send("fourth", "g", "same")
        assert bodies(queue.receive(10, 1)) == ["fourth"]

    play(fifo(), scene)


def test_the_receive_after_the_last_moves_a_message_to_the_dead_letter_queue() -> None:
    async def scene(queue: FifoQueue) -> None:
        queue.send("m", "g", "1")
        for _ in range(3):
            assert bodies(queue.receive(10, 1)) == ["m"]
            await asyncio.sleep(1)
        assert queue.receive(10, 1) == []
        assert [letter.body for letter in queue.dead] == ["m"]
        assert queue.messages == []

    play(fifo(max_receives=3), scene)


def test_a_hidden_message_can_be_shown_again_early() -> None:
    async def scene(queue: FifoQueue) -> None:
        queue.send("m", "g", "1")
        (first,) = queue.receive(10, 300)
        queue.hide(first.receipt, 2)
        await asyncio.sleep(2)
        assert bodies(queue.receive(10, 300)) == ["m"]

    play(fifo(), scene)


def test_a_receiver_who_waits_is_woken_by_a_send_and_by_the_end_of_visibility() -> None:
    async def scene(queue: FifoQueue) -> None:
        queue.loop.call_later(7, queue.send, "m", "g", "1")
        await queue.wait_message()
        assert queue.loop.time() == 7
        (first,) = queue.receive(10, 30)
        queue.send("n", "g", "2")
        await queue.wait_message()
        assert queue.loop.time() == 37
        assert bodies(queue.receive(1, 30)) == [first.body]

    play(fifo(), scene)


def test_a_standard_queue_delays_reorders_and_repeats() -> None:
    async def scene(queue: StandardQueue) -> None:
        for number in range(100):
            queue.send(f"{number:03}", 900)
        assert queue.receive(10, 30) == []
        await asyncio.sleep(1_000)
        seen = []
        while queue.messages:
            for delivery in queue.receive(10, 30):
                seen.append(delivery.body)
                queue.delete(delivery.receipt)
            await asyncio.sleep(1)
        assert set(seen) == {f"{number:03}" for number in range(100)}
        assert len(seen) > 100
        assert seen != sorted(seen)

    play(standard(), scene)


def test_a_standard_queue_refuses_a_delay_past_its_limit() -> None:
    async def scene(queue: StandardQueue) -> None:
        with pytest.raises(BackendError, match="900"):
            queue.send("m", 901)

    play(standard(), scene)
