"""Pages whose examples call AWS have the moto server."""

from __future__ import annotations

from tests.aws.conftest import server, server_of_session

__all__ = ["server", "server_of_session"]
