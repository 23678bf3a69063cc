"""The stage of each test: the service's table and a workflow's queue on the moto server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from lambda_workflow_services.approval import adapter

from lambda_workflow.aws.backend import SystemClock
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.present import PRESENT
from tests.aws.server.process import Server
from tests.services.approval.stage import HOST, TABLE, Clock, Stage, set_up


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("APPROVAL_TABLE", TABLE)
    monkeypatch.setenv("APPROVAL_URL", f"https://{HOST}/")
    adapter.settings.cache_clear()
    yield
    adapter.settings.cache_clear()


@pytest.fixture
async def stage(server: Server, settings: None) -> AsyncIterator[Stage]:
    aws = Aws()
    present = PRESENT.set(aws)
    yield await set_up(aws, Clock(SystemClock().now()))
    PRESENT.reset(present)
    await aws.close()
