"""Sites on loopback, and a sender that may call them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network

import pytest
from lambda_workflow_services.http.sender import Sender
from lambda_workflow_services.http.settings import Settings

from tests.services.http.certificates import Certificates, make
from tests.services.http.site import Site, running_site

LOOPBACK = Settings(allow_private=(ip_network("127.0.0.0/8"),), secret_prefix="shop/http/")


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def safe_site(tls: Certificates) -> Iterator[Site]:
    with running_site(tls.server) as site:
        yield site


async def to_loopback(host: str, port: int) -> Sequence[str]:
    """Every name is a site of this test."""
    return ["127.0.0.1"]


@pytest.fixture
async def sender(tls: Certificates) -> Sender:
    return Sender(LOOPBACK, resolve=to_loopback, tls=tls.client)
