"""The client of code without an event loop, over the server."""

from __future__ import annotations

import asyncio

from lambda_workflow import Status
from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.config import AwsConfig
from tests.aws.apps import app, ten
from tests.aws.deployed import deploy, working
from tests.aws.server.process import Server
from tests.patience import patient


def use(config: AwsConfig) -> tuple[int, Status]:
    """What a script would do, one call after another."""
    client = client_for(app, config)
    started = client.sync.start(ten, 1)
    result = client.sync.result(started, timeout=patient(60))
    status = client.sync.describe(started).status
    client.sync.close()
    return result, status


async def test_a_script_starts_an_execution_and_gets_its_result(server: Server) -> None:
    config = await deploy(app.services)
    async with working(app, config):
        result, status = await asyncio.to_thread(use, config)
    assert (result, status) == (11, Status.COMPLETED)
