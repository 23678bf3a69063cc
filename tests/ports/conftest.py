"""Runs the port suite over every backend of tests/ports/backends_*.py."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.ports.harness import BACKENDS, Harness, Opener


@pytest.fixture(scope="session")
def server_of_session() -> Iterator[None]:
    """Keeps the AWS backend's server up from one test to the next."""
    from tests.aws.server.process import shared_server

    with shared_server():
        yield


@pytest.fixture(params=BACKENDS)
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    if request.param == "aws":
        request.getfixturevalue("server_of_session")
    opener: Opener = importlib.import_module(f"tests.ports.backends_{request.param}").open_backend
    async with opener(tmp_path) as opened:
        yield opened
