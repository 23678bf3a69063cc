"""`outcomes`: a family's cases, run once on each backend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.host import Host
from tests.operations.host_memory import MemoryHost
from tests.operations.host_sqlite import SqliteHost
from tests.peers.family import Family, Outcomes


@pytest.fixture(scope="session")
def server_of_session() -> Iterator[None]:
    """Keeps the AWS backend's server up from one family to the next."""
    from tests.aws.server.process import shared_server

    with shared_server():
        yield


@pytest.fixture(
    params=("memory", "sqlite", pytest.param("aws", marks=pytest.mark.thorough)), scope="module"
)
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What became of the cases of the module's `family`; only those are run that are asked for."""
    module = request.module
    family: Family = module.family
    chosen = {
        getattr(item, "originalname", item.name)
        for item in request.session.items
        if getattr(item, "module", None) is module
    }
    host = _host(request, tmp_path_factory.mktemp(family.name))
    return asyncio.run(family.run(host, chosen))


def _host(request: pytest.FixtureRequest, folder: Path) -> Host:
    if request.param == "memory":
        return MemoryHost()
    if request.param == "sqlite":
        return SqliteHost(folder)
    request.getfixturevalue("server_of_session")
    from tests.operations.host_aws import AwsHost

    return AwsHost()
