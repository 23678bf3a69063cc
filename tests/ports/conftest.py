"""Runs the port suite over every backend of tests/ports/backends_*.py."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ports.harness import BACKENDS, Harness, Opener


@pytest.fixture(params=BACKENDS)
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    opener: Opener = importlib.import_module(f"tests.ports.backends_{request.param}").open_backend
    async with opener(tmp_path) as opened:
        yield opened
