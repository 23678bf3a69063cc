"""The page about the service: what it shows runs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import lambda_workflow_services.approval
import pytest

from tests.docs.blocks import blocks_of, run

README = Path(lambda_workflow_services.approval.__file__).with_name("README.md")


async def readme(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the page's blocks define, after they have run."""
    module = ModuleType("readme_of_approval")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in blocks_of(README):
        assert block.language == "python"
        assert await run(block, module, README) == ""
    return module


async def test_the_examples_of_the_page_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set((await readme(monkeypatch)).app.adapters) == {"approval", "email"}
