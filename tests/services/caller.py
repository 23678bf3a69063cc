"""The calling App's side of a service that is deployed alone: its queue, and the tasks it sends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import Service, Task
from lambda_workflow.aws.client import Aws
from lambda_workflow.model.messages import Update
from lambda_workflow.model.wire import parse, render_task
from tests.aws.deployed import put, take
from tests.aws.server.process import Server
from tests.synth.asked import ACCOUNT, asked
from tests.synth.stack import Deployed, Run, queue_url
from tests.synth.template_text import read
from tests.synth.test_deployed import jump

TEMPLATES = Path(__file__).parents[2] / "infra" / "services"
EXECUTION = "order-7"
QUEUE = "shop-workflow.fifo"
QUEUE_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{QUEUE}"
QUEUE_URL = queue_url(QUEUE_ARN)
LOOKS_MAX = 60


@dataclass
class Caller:
    """See the module.

    Attributes:
        patch: undone when the test ends.
        folder: for files of this test.
        run: the service's functions at work.
    """

    server: Server
    aws: Aws
    patch: pytest.MonkeyPatch
    folder: Path
    deployed: Deployed
    run: Run

    async def send(
        self, service: Service[Any, Any], request: Any, number: int = 1, **more: Any
    ) -> None:
        """Put a task onto the service's queue, as a workflow does."""
        payload = service.request_codec.encode(request, service.payload_label)
        task_id = f"{EXECUTION}/{number}"
        beat = service.heartbeat_ms or 0
        fields = {"attempt": 1, "callback_queue_url": QUEUE_URL, "heartbeat_ms": beat, **more}
        task = Task(EXECUTION, task_id, service.name, payload, **fields)
        ends = f"-service-{service.name}"
        (arn,) = {one for one in self.deployed.outputs.values() if one.endswith(ends)}
        await put(queue_url(arn), render_task(task))

    async def update(self, pace: float = 0) -> Update:
        """What comes next, while time goes on by so many seconds from look to look."""
        for _ in range(LOOKS_MAX):
            for message in await take(QUEUE_URL):
                assert message["Attributes"]["MessageGroupId"] == EXECUTION
                if isinstance(found := parse(message["Body"]), Update):
                    return found  # and heartbeats come before it
            if pace:
                await jump(self.server, self.run, pace)
            await asyncio.sleep(0.1)
        raise AssertionError("the service does not answer")

    async def call(
        self, service: Service[Any, Any], request: Any, number: int = 1, pace: float = 0
    ) -> Any:
        """Send a task; what the contract reads in the answer to it."""
        await self.send(service, request, number)
        found = await self.update(pace)
        assert (found.operation, found.failure) == (str(number), None)
        return service.response_codec.decode(found.payload)

    async def refusal(self, service: Service[Any, Any], request: Any, number: int = 1) -> str:
        """Send a task; the type of the error that it is answered with."""
        await self.send(service, request, number)
        found = await self.update()
        assert found.failure is not None
        return found.failure.type

    @contextmanager
    def overhear(self, session: Any) -> Iterator[None]:
        """Take down what the stack's one function calls by botocore itself."""
        (calls,) = self.run.calls.values()

        def hear(params: dict[str, Any], model: Any, **_: Any) -> None:
            calls.update(asked(model.service_model.signing_name, model.name, params))

        session.register("provide-client-params", hear)
        try:
            yield
        finally:
            session.unregister("provide-client-params", hear)

    def has_called(self, action: str, what: str = "") -> bool:
        """Whether a function has called something; `what` is in its ARN."""
        found = {call for calls in self.run.calls.values() for call in calls}
        return any(one == action and what in arn for one, arn in found)


def check(text: str, parameters: dict[str, str]) -> None:
    """See that CloudFormation would take the parameters, which moto does not check."""
    declared = read(text)["Parameters"]
    assert set(parameters) <= set(declared)
    for name, one in declared.items():
        value = parameters.get(name, one.get("Default"))
        assert value is not None, f"{name} must be given"
        items = value.split(",") if one["Type"] == "CommaDelimitedList" else [value]
        pattern = one.get("AllowedPattern", "")
        assert all(re.search(pattern, item) for item in items), f"{name}: {value}"
