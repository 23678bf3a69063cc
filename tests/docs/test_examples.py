"""Every Python block of README and docs runs, in order, and prints what the page says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.blocks import PAGES, blocks_of, run_page

ON_AWS = {"write-a-service-adapter.md"}  # its examples call AWS, which is the moto server here
LANGUAGES = {"python", "text", "json", "console", "mermaid", "yaml"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_the_examples_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    if page.name in ON_AWS:
        request.getfixturevalue("server")
    module = ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    await run_page(page, module)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_name_their_language_and_json_is_json(page: Path) -> None:
    for block in blocks_of(page):
        assert block.language in LANGUAGES, f"{page.name}:{block.line}"
        if block.language == "json":
            json.loads(block.text)
