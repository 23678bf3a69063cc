"""The moto server, for tests that create stacks."""

from __future__ import annotations

from tests.aws.conftest import server, server_of_session

__all__ = ["server", "server_of_session"]
