"""Step Functions on the moto server, which really runs state machines, and the variables for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from lambda_workflow_services.stepfunctions.settings import settings

from lambda_workflow.aws.client import Aws
from tests.aws.server.process import Server

ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:"
ROLE = "arn:aws:iam::123456789012:role/machine"

RENDER: dict[str, Any] = {
    "StartAt": "Known",
    "States": {
        "Known": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.film", "StringEquals": "Metropolis", "Next": "Done"}],
            "Default": "Unknown",
        },
        "Done": {"Type": "Pass", "Result": {"file": "Metropolis.mp4"}, "End": True},
        "Unknown": {"Type": "Fail", "Error": "NoSuchFilm", "Cause": "there is no such film"},
    },
}
ENDLESS: dict[str, Any] = {
    "StartAt": "Wait",
    "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}},
}


@pytest.fixture
async def machines(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    run_machines(server)
    monkeypatch.setenv("STEPFUNCTIONS_MACHINES", f"{ARN}render, {ARN}endless,{ARN}quick")
    settings.cache_clear()
    await make("render", RENDER)
    await make("endless", ENDLESS)
    yield server
    settings.cache_clear()


def run_machines(server: Server) -> None:
    """Let moto run state machines, where it would else only keep their executions."""
    told = {"stepfunctions": {"execute_state_machine": True}}
    kind = {"Content-Type": "application/json"}
    urlopen(Request(f"{server.url}/moto-api/config", json.dumps(told).encode(), kind)).close()


async def make(name: str, definition: dict[str, Any], **more: Any) -> None:
    aws = Aws()
    text = json.dumps(definition)
    await aws.call(
        "stepfunctions", "CreateStateMachine", name=name, definition=text, roleArn=ROLE, **more
    )
    await aws.close()
