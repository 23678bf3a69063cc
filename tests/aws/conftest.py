"""The moto server of this test session, empty for each test, and the way to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.server.process import Server, shared_server


@pytest.fixture(scope="session")
def server_of_session() -> Iterator[Server]:
    with shared_server() as server:
        yield server


@pytest.fixture
def server(server_of_session: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, value in server_of_session.environment.items():
        monkeypatch.setenv(name, value)
    server_of_session.reset()
    yield server_of_session
    server_of_session.reset()
