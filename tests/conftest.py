"""What every test shares: async tests run on asyncio, the loop that the hosts run on."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
