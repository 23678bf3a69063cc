"""`host`: each test runs on every backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.host import Host
from tests.operations.host_memory import MemoryHost
from tests.operations.host_sqlite import SqliteHost

HOSTS = ("memory", "sqlite", "aws")


@pytest.fixture(scope="session")
def server_of_session() -> Iterator[None]:
    """Keeps the AWS backend's server up from one test to the next."""
    from tests.aws.server.process import shared_server

    with shared_server():
        yield


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    """See `tests/operations/host.py`."""
    if request.param == "memory":
        return MemoryHost()
    if request.param == "sqlite":
        return SqliteHost(tmp_path)
    request.getfixturevalue("server_of_session")
    from tests.operations.host_aws import AwsHost

    return AwsHost()


LONG_ON_AWS = (
    "test_attempts", "test_later", "test_parent_close", "test_pause", "test_schedules",
    "test_start_options", "test_updates", "test_versions",
)  # fmt: skip
"""What waits much there; memory and SQLite run it always, AWS with `--thorough`."""


def pytest_itemcollected(item: pytest.Item) -> None:
    room = item.path.stem
    if room in LONG_ON_AWS and "[aws" in item.name:
        item.add_marker(pytest.mark.thorough)
