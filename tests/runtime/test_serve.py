"""Service adapters: whatever they do, their task ends in one Update."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from lambda_workflow import (
    App,
    BackendError,
    ConfigurationError,
    Service,
    ServiceError,
    Task,
    serve,
    workflow,
)
from lambda_workflow.model.events import BlobRef, Failure
from lambda_workflow.model.limits import ERROR_STACK_CHARACTERS_MAX
from lambda_workflow.model.messages import Update
from lambda_workflow.model.references import key_of
from lambda_workflow.runtime.offload import INLINE_BYTES_MAX, fetch
from lambda_workflow.runtime.serve import Adapter, perform
from lambda_workflow.testing.memory import MemoryBlobs


@dataclass(frozen=True)
class Order:
    number: int


CHECK: Service[Order, str] = Service("check", Order, str)
LARGE = "x" * INLINE_BYTES_MAX


def task(payload: Any = None, attempt: int = 2) -> Task:
    sent = {"number": 3} if payload is None else payload
    return Task("e", "e/2.1", "check", sent, attempt, "memory://inbox")


async def done(adapter: Adapter[Any, Any], payload: Any = None) -> Update:
    update = await perform(adapter, task(payload), MemoryBlobs())
    assert (update.execution_id, update.operation, update.attempt) == ("e", "2.1", 2)
    return update


async def failed(adapter: Adapter[Any, Any], payload: Any = None) -> Failure:
    failure = (await done(adapter, payload)).failure
    assert failure is not None
    return failure


async def test_a_function_runs_in_a_thread_and_a_coroutine_on_the_loop() -> None:
    @serve(CHECK)
    def in_thread(order: Order) -> str:
        return f"{order.number} {threading.current_thread() is threading.main_thread()}"

    @serve(CHECK)
    async def on_loop(order: Order, task: Task) -> str:
        return f"{order.number} {task.task_id} {task.attempt}"

    assert (await done(in_thread)).payload == "3 False"
    assert (await done(on_loop)).payload == "3 e/2.1 2"


async def test_an_adapter_can_be_called_as_the_function_it_is() -> None:
    @serve(CHECK)
    def check(order: Order) -> str:
        """Checks."""
        return str(order.number)

    assert (check(Order(5)), check.__doc__, check.service) == ("5", "Checks.", CHECK)


async def test_what_it_raises_becomes_an_error_with_its_stack() -> None:
    @serve(CHECK)
    def breaks(order: Order) -> str:
        raise ValueError("bad order")

    failure = await failed(breaks)
    assert (failure.type, failure.message, failure.retryable) == ("ValueError", "bad order", True)
    assert failure.stack is not None
    assert "test_serve.py" in failure.stack
    assert len(failure.stack) <= ERROR_STACK_CHARACTERS_MAX


async def test_a_service_error_says_type_details_and_whether_to_retry() -> None:
    @serve(CHECK)
    async def refuses(order: Order) -> str:
        raise ServiceError("no funds", type="Declined", retryable=False, details={"code": 7})

    assert await failed(refuses) == Failure("Declined", "no funds", False, {"code": 7})


async def test_a_payload_that_is_not_the_contract_s_is_a_bad_request() -> None:
    @serve(CHECK)
    def check(order: Order) -> str:
        return "never"

    failure = await failed(check, {"number": "three"})
    assert (failure.type, failure.retryable) == ("BadRequest", False)
    assert "payload of check.number" in failure.message


async def test_a_result_that_is_not_the_contract_s_is_a_bad_response() -> None:
    @serve(CHECK)
    def check(order: Order) -> str:
        return 5  # type: ignore[return-value]  # the point of it

    failure = await failed(check)
    assert (failure.type, failure.retryable) == ("BadResponse", False)
    assert "response of check" in failure.message


async def test_large_payloads_are_fetched_and_stored() -> None:
    service: Service[str, str] = Service("check", str, str)

    @serve(service)
    def echo(text: str) -> str:
        return text + "!"

    blobs = MemoryBlobs()
    content = f'"{LARGE}"'.encode()
    key = key_of("workflow", "e", content)
    await blobs.put(key, content)
    update = await perform(echo, task(BlobRef(key, "digest", len(content))), blobs)
    assert isinstance(update.payload, BlobRef)
    assert update.payload.key.startswith("service/check/")
    assert await fetch(update.payload, blobs) == LARGE + "!"


async def test_a_payload_that_cannot_be_fetched_leaves_the_task_to_come_again() -> None:
    @serve(CHECK)
    def check(order: Order) -> str:
        return "never"

    with pytest.raises(BackendError, match="no blob has the key 'gone'"):
        await perform(check, task(BlobRef("gone", "digest", 9)), MemoryBlobs())


def test_an_adapter_takes_the_payload_and_may_take_the_task() -> None:
    with pytest.raises(ConfigurationError, match="adapter 'none' of service 'check' takes 0"):

        @serve(CHECK)  # type: ignore[arg-type]  # the point of it
        def none() -> str:
            return ""


@workflow
async def flow(ctx: Any, n: int) -> int:
    return n


@serve(CHECK)
def check(order: Order) -> str:
    return ""


def test_an_app_has_each_name_once() -> None:
    app = App("bank", workflows=[flow], services=[CHECK], adapters=[check])
    assert (dict(app.services), dict(app.adapters)) == ({"check": CHECK}, {"check": check})
    with pytest.raises(ConfigurationError, match="two workflows are named 'flow'"):
        App("bank", workflows=[flow, flow])
    with pytest.raises(ConfigurationError, match="two services are named 'check'"):
        App("bank", workflows=[], services=[Service("check", int, int)], adapters=[check])
    alike = [Service("check-it", int, int), Service("check_it", int, int)]
    with pytest.raises(ConfigurationError, match="share the variable CHECK_IT of their queues"):
        App("tests", workflows=[], services=alike)
    with pytest.raises(ConfigurationError, match="two adapters are named 'check'"):
        App("bank", workflows=[], adapters=[check, check])
    with pytest.raises(ConfigurationError, match="app name 'my bank'"):
        App("my bank", workflows=[])
