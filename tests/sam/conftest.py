"""The moto server, and the bank as SAM builds it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lambda_workflow.aws.client import Aws
from tests.aws.conftest import server, server_of_session
from tests.aws.server.process import Server
from tests.sam.artefact import build

__all__ = ["aws", "bank", "base", "server", "server_of_session"]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of a test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def bank(base: Path) -> Path:
    """What `sam build` makes of the bank transaction: a folder for each function."""
    return build("bank_transaction", base)


@pytest.fixture
async def aws(server: Server) -> AsyncIterator[Aws]:
    opened = Aws()
    yield opened
    await opened.close()
