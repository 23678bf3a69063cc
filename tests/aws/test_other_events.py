"""Events that are none of SQS's, given to the handlers of the functions."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_workflow import App, MessageError, Service, serve
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.handlers import records_of, task_handler, workflow_handler

DOUBLE = Service("double", int, int)


@serve(DOUBLE)
async def double(n: int) -> int:
    return 2 * n


CONFIG = AwsConfig(queue_url="https://sqs.us-east-1.amazonaws.com/1/q.fifo", table="t")
EVENTS: tuple[tuple[Any, str], ...] = (
    ({}, "an event with nothing in it"),
    ([1], "a JSON value of type list"),
    ("secret", "a JSON value of type str"),
    ({"key1": "secret"}, "an event with key1"),
    ({"source": "aws.events", "detail": "secret"}, "an event of aws.events with detail, source"),
    ({"Records": [{"eventSource": "aws:s3", "s3": "secret"}]}, "an event of aws:s3 with Records"),
    ({"Records": [{"EventSource": "aws:sns", "Sns": 1}]}, "an event of aws:sns with Records"),
    ({"Records": "secret"}, "an event with Records"),
    ({"Records": [{"messageId": "1"}]}, "an event with Records"),
    ({"requestContext": {}, "rawPath": "/secret"}, "an event with rawPath, requestContext"),
)


@pytest.mark.parametrize(("event", "told"), EVENTS)
async def test_what_came_and_what_is_taken_is_said(
    event: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for handle, kind in (
        (workflow_handler(App("a", workflows=[]), CONFIG), "workflow"),
        (task_handler(double, config=CONFIG), "service"),
    ):
        with pytest.raises(MessageError) as refused:
            await handle(event)
        words = str(refused.value)
        assert words.startswith(f"the {kind} function was invoked with {told}; it takes SQS's")
        assert "secret" not in words
        assert ("ResponseURL" in words) is (kind == "workflow")


def test_no_messages_are_no_wrong_event() -> None:
    assert records_of({"Records": []}, "service") == []
