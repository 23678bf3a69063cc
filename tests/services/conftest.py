"""Services are tested against the moto server where they call AWS."""

from __future__ import annotations

from tests.aws.conftest import server, server_of_session

__all__ = ["server", "server_of_session"]
