"""Messages to executions: in order, whatever a queue refuses of a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.sqs import SqsQueue
from lambda_workflow.model.messages import Signal
from lambda_workflow.model.wire import parse
from lambda_workflow.ports import SendMessage
from tests.aws.deployed import deploy, take
from tests.aws.server.process import Server


@pytest.fixture
async def aws(server: Server) -> AsyncIterator[Aws]:
    client = Aws()
    yield client
    await client.close()


@pytest.fixture
async def config(server: Server) -> AwsConfig:
    return await deploy((), scheduler=False)


def sends(groups: Sequence[str]) -> list[SendMessage]:
    """A signal to each of these executions, numbered over all."""
    return [
        SendMessage(Signal(group, "word", n, f"{group}{n}"), f"{group}{n}", "")
        for n, group in enumerate(groups)
    ]


@pytest.mark.parametrize("fails", [[0], [1], [2], [0, 1]])
async def test_what_is_for_one_execution_keeps_its_order_when_a_part_of_a_batch_fails(
    server: Server, aws: Aws, config: AwsConfig, fails: list[int]
) -> None:
    server.fault("sqs", "SendMessageBatch", "entries", name="in.fifo", positions=fails)
    await SqsQueue(aws, config).send_messages(sends("aababc"))
    came = [parse(message["Body"]) for message in await take(config.queue_url)]
    by_group = {
        group: [
            one.payload for one in came if isinstance(one, Signal) and one.execution_id == group
        ]
        for group in "abc"
    }
    assert by_group == {"a": [0, 1, 3], "b": [2, 4], "c": [5]}


async def test_what_is_for_many_executions_goes_in_as_few_requests_as_may_be(
    server: Server, aws: Aws, config: AwsConfig
) -> None:
    await SqsQueue(aws, config).send_messages(sends([str(n // 2) for n in range(40)]))
    assert len(server.requests("sqs", "SendMessageBatch")) == 4
