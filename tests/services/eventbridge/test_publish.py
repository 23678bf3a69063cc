"""Publishing: what EventBridge gets, and what a refusal becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from lambda_workflow_services.eventbridge import Publish, settings
from lambda_workflow_services.eventbridge.adapter import publish
from lambda_workflow_services.eventbridge.settings import read_buses

from lambda_workflow import ConfigurationError, ServiceError, Task
from tests.services.eventbridge.conftest import Bench

AT_A_BUS = pytest.mark.usefixtures("rule")
PAID = Publish(source="shop", detail_type="Paid", detail={"order": 7}, resources=["order/7"])
ARN = "arn:aws:events:us-east-1:123456789012:event-bus/"


async def arrived(bench: Bench) -> dict[str, Any]:
    """The event that the rule has put on the waits' queue."""
    (message,) = await bench.queues.take(bench.url)
    found: dict[str, Any] = json.loads(message["Body"])
    return found


@AT_A_BUS
async def test_an_event_is_published_with_the_mark_of_its_task(bench: Bench) -> None:
    update = await bench.publish(PAID)
    found = await arrived(bench)
    assert update.payload == {"event_id": found["id"]}
    assert (found["source"], found["detail-type"], found["detail"]) == (
        "shop", "Paid", {"order": 7},
    )  # fmt: skip
    assert found["resources"] == ["order/7", "lambda-workflow:task/e/1"]


@AT_A_BUS
async def test_an_event_has_the_time_that_it_was_given(bench: Bench) -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    await bench.publish(PAID.model_copy(update={"time": time}))
    assert (await arrived(bench))["time"] == "2026-01-02T03:04:05Z"


async def failed(bench: Bench) -> tuple[str, bool, str]:
    """Type, whether it is retried, and message of a failure."""
    failure = (await bench.publish(PAID)).failure
    assert failure is not None
    return failure.type, failure.retryable, failure.message


async def test_an_entry_that_fails_within_an_answer_is_a_failure(bench: Bench) -> None:
    bench.server.fault("events", "PutEvents", "entries")
    kind, is_retried, message = await failed(bench)
    assert (kind, is_retried) == ("InternalFailure", True)
    assert message == "default: InternalFailure: ordered"


@pytest.mark.parametrize(("kind", "is_retried"), [("throttle", True), ("refuse", False)])
async def test_a_request_that_fails_is_a_failure(bench: Bench, kind: str, is_retried: bool) -> None:
    bench.server.fault("events", "PutEvents", kind, count=2)
    assert (await failed(bench))[1] == is_retried


async def test_an_event_of_a_megabyte_is_refused(bench: Bench) -> None:
    large = PAID.model_copy(update={"detail": {"text": "ü" * (512 * 1024)}})
    with pytest.raises(ServiceError, match="into a bucket") as caught:
        await publish(large, Task("e", "e/1", "eventbridge_publish", None, 1))
    assert (caught.value.type, caught.value.retryable) == ("EventTooLarge", False)


@AT_A_BUS
@pytest.mark.parametrize("bus", ["", "second", f"{ARN}second"])
async def test_a_bus_of_the_list_is_published_to(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, bus: str
) -> None:
    first = "default" if bus else "second"
    monkeypatch.setenv("EVENTBRIDGE_PUBLISH_BUSES", f"{ARN}{first}, {ARN}second")
    settings.buses.cache_clear()
    aws = bench.aws
    await aws.call("events", "CreateEventBus", Name="second")
    await bench.publish(PAID.model_copy(update={"bus": bus}))
    assert await bench.queues.take(bench.url) == []  # its rule is the default bus's
    other = await bench.publish(PAID.model_copy(update={"bus": "third"}), 2)
    assert other.failure is not None
    assert (other.failure.type, other.failure.retryable) == ("BusNotAllowed", False)
    assert other.failure.message.endswith(f"has {ARN}{first}, {ARN}second")


def test_no_bus_at_all_is_an_error() -> None:
    assert read_buses({}) == ("default",)
    with pytest.raises(ConfigurationError, match="EVENTBRIDGE_PUBLISH_BUSES"):
        read_buses({"EVENTBRIDGE_PUBLISH_BUSES": " , "})
