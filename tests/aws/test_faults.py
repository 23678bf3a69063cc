"""AWS fails: throttles, errors, answers that get lost, batches of which a part fails.

Each fault hits the first calls of an operation that fit, more of them than one request is tried
again for where the message itself has to come again.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.model.events import CallSucceeded
from tests.aws.apps import CALLS, EFFECTS, app, ten
from tests.aws.deployed import deploy, take, until, working
from tests.aws.server.process import Server

EXECUTIONS = 3
ATTEMPTS = 6  # of one request, in the client


@dataclass(frozen=True)
class Case:
    """A fault to order."""

    service: str
    operation: str
    kind: str
    more: dict[str, Any]

    def __str__(self) -> str:
        fields = "-".join(f"{key}{value}" for key, value in self.more.items())
        return f"{self.operation}-{self.kind}-{fields}"


def case(service: str, operation: str, kind: str, **more: Any) -> Case:
    return Case(service, operation, kind, more)


CASES = [
    case("dynamodb", "PutItem", "throttle", count=4, skip=5),
    case("dynamodb", "PutItem", "error", count=ATTEMPTS, skip=5),
    case("dynamodb", "PutItem", "drop", count=4, skip=5),
    case("dynamodb", "PutItem", "drop", count=1, skip=5, after=True),
    case("dynamodb", "PutItem", "error", count=ATTEMPTS, skip=5, after=True),
    case("dynamodb", "UpdateItem", "drop", count=1, after=True),
    case("dynamodb", "UpdateItem", "error", count=ATTEMPTS),
    case("dynamodb", "Query", "throttle", count=4),
    case("sqs", "SendMessageBatch", "throttle", count=4, skip=7),
    case("sqs", "SendMessageBatch", "drop", count=2, skip=7, after=True),
    case("sqs", "SendMessageBatch", "error", count=ATTEMPTS, skip=7, name="service-add"),
    case("sqs", "SendMessageBatch", "error", count=ATTEMPTS, skip=7, name="in.fifo"),
    case("sqs", "SendMessageBatch", "error", count=ATTEMPTS, name="out", after=True),
    case("sqs", "SendMessageBatch", "entries", count=3, skip=7),
    case("sqs", "SendMessageBatch", "entries", count=5, skip=4, name="in.fifo"),
    case("sqs", "ReceiveMessage", "error", count=4, skip=3),
    case("sqs", "ReceiveMessage", "drop", count=2, skip=3, after=True, name="in.fifo"),
    case("sqs", "DeleteMessageBatch", "error", count=ATTEMPTS, skip=3),
    case("sqs", "DeleteMessageBatch", "drop", count=2, skip=3, after=True),
    case("sqs", "DeleteMessageBatch", "entries", count=1, skip=3),
]


EACH = [  # one in two says most; `--thorough` takes all
    pytest.param(fault, id=str(fault), marks=[pytest.mark.thorough] if number % 2 else [])
    for number, fault in enumerate(CASES)
]


@pytest.mark.parametrize("fault", EACH)
async def test_executions_end_right_whatever_fails(
    server: Server, fault: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = tmp_path / "effects"
    monkeypatch.setenv(EFFECTS, str(effects))
    config = await deploy(app.adapters, visibility=20, receives=20)
    async with working(app, config) as client:
        server.fault(fault.service, fault.operation, fault.kind, **fault.more)
        for n in range(EXECUTIONS):
            await client.start(ten, n)
        ended = await results_of(server, config, EXECUTIONS)
        page = await client.list("ten")
        found = [await client.history(header.execution_id) for header in page.headers]
    assert any(request.fault for request in server.requests()), "the fault hit nothing"
    assert ended == [n + CALLS for n in range(EXECUTIONS)]
    assert len(found) == EXECUTIONS
    performed = Counter(effects.read_text().split())
    for history in found:
        facts = [event for turn in history.turns for event in turn.events]
        results = [event for event in facts if isinstance(event, CallSucceeded)]
        assert len({event.operation for event in results}) == len(results) == CALLS
        assert all(performed[f"{history.execution_id}/{event.operation}"] for event in results)
    assert await take(config.dlq_url) == []


async def results_of(server: Server, config: AwsConfig, count: int) -> list[int]:
    """Wait for the outcomes; what waits to be tried again need not wait for real."""
    seen: dict[str, int] = {}

    async def are_all_there() -> bool:
        for message in await take(config.response_queue_url):
            response = json.loads(message["Body"])
            seen[response["execution_id"]] = response["result"]
        server.advance(1)
        return len(seen) >= count

    await until(are_all_there)
    return sorted(seen.values())
