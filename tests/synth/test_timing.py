"""Timeouts, visibility, receive counts and retention fit each other, whatever is chosen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import App, Service, serve
from lambda_workflow.aws.dynamodb import HORIZON_DAYS
from lambda_workflow.aws.handlers import RETRY_SECONDS_MAX
from lambda_workflow.aws.synth.resources import Alarm, Bucket, Queue, Stack, Trigger
from lambda_workflow.aws.synth.values import plain
from tests.synth.apps import fold, functions, stack_of

TIMEOUTS = [1, 30, 900]


def queues(stack: Stack) -> dict[str, Queue]:
    return {found.id: found for found in stack.resources if isinstance(found, Queue)}


def fed(stack: Stack) -> list[tuple[Queue, int]]:
    """Each queue that feeds a function, and that function's timeout."""
    return [
        (queues(stack)[trigger.queue],
         functions(stack)[trigger.function].timeout_seconds.value)
        for trigger in stack.resources
        if isinstance(trigger, Trigger)
    ]  # fmt: skip


@pytest.mark.parametrize("seconds", TIMEOUTS)
def test_a_message_is_hidden_until_its_function_is_surely_dead(seconds: int) -> None:
    stack = stack_of(workflow={"timeout": seconds}, services={"timeout": min(seconds, 120)})
    assert len(fed(stack)) == 4
    for queue, timeout in fed(stack):
        assert plain(queue.visibility_seconds) == 6 * timeout
        assert plain(queue.visibility_seconds) <= 12 * 3600  # SQS's limit


@pytest.mark.parametrize("seconds", TIMEOUTS)
def test_a_message_reaches_the_dead_letter_queue_before_it_expires(seconds: int) -> None:
    for queue, _ in fed(stack_of(workflow={"timeout": seconds})):
        longest = plain(queue.receives) * max(RETRY_SECONDS_MAX, plain(queue.visibility_seconds))
        assert longest < queue.retention_seconds.value


def test_every_fed_queue_has_a_dead_letter_queue_of_its_kind_that_keeps_longer() -> None:
    stack = stack_of()
    for queue, _ in fed(stack):
        dead = queues(stack)[queue.dead_letters]
        assert dead.fifo == queue.fifo
        assert dead.retention_seconds.value > queue.retention_seconds.value


def test_an_outage_of_an_hour_fills_no_dead_letter_queue() -> None:
    queue = queues(stack_of())["workflow-queue"]
    waits = [min(RETRY_SECONDS_MAX, 2**n) for n in range(1, plain(queue.receives))]
    assert sum(waits) >= 3600
    assert sum(waits[:-1]) < 3600


def test_a_service_function_runs_as_long_as_an_attempt_may_take() -> None:
    def seconds_of(**contract: Any) -> int:
        service = Service("press", str, str, **contract)

        @serve(service)
        async def press(shirt: str) -> str:
            return shirt

        stack = stack_of(App("laundry", workflows=[fold], adapters=[press]))
        found: int = functions(stack)["service-press-function"].timeout_seconds.value
        return found

    assert seconds_of() == 60
    assert seconds_of(attempt_timeout=timedelta(minutes=2)) == 121
    assert seconds_of(attempt_timeout=timedelta(hours=1)) == 900  # Lambda's limit
    assert seconds_of(timeout=timedelta(seconds=10)) == 11
    assert seconds_of(timeout=timedelta(days=3)) == 60


def test_the_alarm_about_waiting_messages_leaves_room_for_one_death() -> None:
    stack = stack_of(workflow={"timeout": 100})
    alarms = {found.id: found for found in stack.resources if isinstance(found, Alarm)}
    assert plain(alarms["workflow-queue-age-alarm"].threshold) == 2 * 600
    assert plain(alarms["delay-queue-age-alarm"].threshold) == 900 + 2 * 600


def test_a_task_that_an_adapter_put_off_raises_no_alarm() -> None:
    stack = stack_of(service={"wash": {"later": True, "timeout": 10}})
    (alarm,) = (found for found in stack.resources if found.id == "service-wash-queue-age-alarm")
    assert isinstance(alarm, Alarm)
    assert plain(alarm.threshold) == 900 + 2 * 60


def test_payloads_live_as_long_as_what_refers_to_them() -> None:
    (bucket,) = (r for r in stack_of(bucket=True).resources if isinstance(r, Bucket))
    assert bucket.expiry_days.value == HORIZON_DAYS
