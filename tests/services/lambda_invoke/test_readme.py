"""The README's workflows run, and an event's function answers the callback."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lambda_workflow_services import lambda_invoke
from lambda_workflow_services.lambda_invoke.adapter import lambda_invoke as adapter
from lambda_workflow_services.lambda_invoke.settings import settings

from lambda_workflow import App
from lambda_workflow.local import Engine
from tests.aws.deployed import until
from tests.docs.blocks import run_page
from tests.patience import patience
from tests.services.lambda_invoke.lambdas import Lambdas

README = Path(lambda_invoke.__file__).parent / "README.md"


class NoSuchPicture(Exception):
    """What the README's function raises."""


def resize(event: Any, context: Any) -> str:
    if event["picture"] != "cat.png":
        raise NoSuchPicture(event["picture"])
    return f"cat-{event['wide']}.png"


@pytest.fixture
async def page(lambdas: Lambdas, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMBDA_INVOKE_FUNCTIONS", "resize:live,transcode")
    settings.cache_clear()
    lambdas.functions["resize:live"] = resize
    module = ModuleType("page_lambda_invoke")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    await run_page(README, module)
    return module


async def test_the_readme_says_what_happens(page: ModuleType, lambdas: Lambdas) -> None:
    assert [invoked.event["picture"] for invoked in lambdas.invoked] == ["cat.png", "dog.png"]


async def test_a_function_that_got_an_event_answers_the_callback(
    page: ModuleType, lambdas: Lambdas, tmp_path: Path
) -> None:
    app = App("films", workflows=[page.transcode], adapters=[adapter])
    async with Engine(app, tmp_path / "films.db") as engine:
        handle = await engine.client.start(page.transcode, "film.mov")
        await until(lambda: lambdas.invoked[-1].kind == "Event")
        token = lambdas.invoked[-1].event["payload"]["token"]
        await engine.client.complete_callback(token, "film.mp4")
        async with asyncio.timeout(patience(30)):
            assert await handle.result() == "film.mp4"
