"""A deployment makes the schedules: a custom resource of CloudFormation, Terraform's invocation."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from lambda_workflow import App, Context, workflow
from lambda_workflow.aws.backend import SystemClock
from lambda_workflow.aws.client import ATTEMPTS_MAX, Aws
from lambda_workflow.aws.config import AwsConfig
from lambda_workflow.aws.deployment import PAUSES, reason_of
from lambda_workflow.aws.handlers import workflow_handler
from lambda_workflow.runtime.schedule import Schedule
from tests.aws.deployed import deploy, working
from tests.aws.server.process import Server

ASKED = {
    "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/shop/1",
    "RequestId": "r-1",
    "LogicalResourceId": "Schedules",
}


@workflow
async def report(ctx: Context, hour: str) -> str:
    return hour


def app_with(hours: int) -> App:
    schedules = [Schedule("s", report, "now", every=timedelta(hours=hours))]
    return App("tests", workflows=[report], schedules=schedules)


class Hurried(SystemClock):
    """A clock whose pauses are over at once."""

    async def sleep(self, seconds: float) -> None:
        """Do not wait."""


class CloudFormation(BaseHTTPRequestHandler):
    """Where the answers are put; like S3 it refuses a content type that was not signed."""

    answers: list[dict[str, Any]]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answers.append(json.loads(body))
        self.send_response(403 if self.headers["Content-Type"] else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    CloudFormation.answers = []
    with HTTPServer(("127.0.0.1", 0), CloudFormation) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/answer"
        listening.shutdown()
        thread.join()


async def invoke(app: App, config: AwsConfig, event: dict[str, Any]) -> dict[str, Any]:
    aws = Aws()
    try:
        return await workflow_handler(app, config, aws, clock=Hurried())(event)
    finally:
        await aws.close()


async def test_a_stack_makes_its_schedules_and_changes_those_that_have_changed(
    server: Server, url: str
) -> None:
    config = await deploy([])
    event = {"RequestType": "Create", "ResponseURL": url, **ASKED}
    async with working(app_with(1), config) as client:
        assert await invoke(app_with(1), config, event) == {"s": "created"}
        assert (await client.schedules.describe("s")).timetable.every == timedelta(hours=1)
        event["RequestType"] = "Update"
        assert await invoke(app_with(1), config, event) == {"s": "unchanged"}
        assert await invoke(app_with(2), config, event) == {"s": "updated"}
        event["RequestType"] = "Delete"
        assert await invoke(app_with(2), config, event) == {}
    answered = {"Status": "SUCCESS", "PhysicalResourceId": "schedules", **ASKED}
    assert CloudFormation.answers == [answered] * 4


async def test_a_deployment_fails_with_the_reason(server: Server, url: str) -> None:
    config = await deploy([])
    event = {"RequestType": "Create", "ResponseURL": url, **ASKED}
    server.fault("dynamodb", "GetItem", "error", count=ATTEMPTS_MAX * (len(PAUSES) + 1))
    assert await invoke(app_with(1), config, event) == {}
    (answer,) = CloudFormation.answers
    assert answer["Status"] == "FAILED"
    assert "dynamodb GetItem" in answer["Reason"]


@pytest.mark.parametrize("words", ["refused", "é" * 5000, '"' * 5000, "⏰ " * 5000])
def test_a_reason_fits_the_answer_that_cloudformation_takes(words: str) -> None:
    reason = reason_of(ValueError(words))
    assert f"ValueError: {words}".startswith(reason)
    assert len(json.dumps({"Reason": reason})) < 2100
    assert len(json.dumps({"Reason": reason})) > 1700 or reason.endswith("refused")


async def test_rights_that_are_not_known_at_once_are_waited_for(server: Server, url: str) -> None:
    config = await deploy([])
    event = {"RequestType": "Create", "ResponseURL": url, **ASKED}
    server.fault("dynamodb", "GetItem", "error", count=ATTEMPTS_MAX * len(PAUSES))
    assert await invoke(app_with(1), config, event) == {"s": "created"}


async def test_terraform_reads_what_was_done(server: Server) -> None:
    config = await deploy([])
    async with working(app_with(1), config):
        assert await invoke(app_with(1), config, {"apply_schedules": "digest"}) == {"s": "created"}
