"""The README's example runs, on the embedded engine as it says, and on AWS as it is deployed."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import ModuleType

import lambda_workflow_services.eventbridge as package
import pytest

from tests.aws.deployed import until, working
from tests.docs.blocks import run_page
from tests.services.eventbridge.conftest import Bench

README = Path(package.__file__).parent / "README.md"


@pytest.mark.usefixtures("rule")
async def test_the_readmes_workflow_publishes_and_waits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ModuleType("page_eventbridge")
    monkeypatch.setitem(sys.modules, page.__name__, page)
    await run_page(README, page)
    async with working(page.app, bench.config) as client:
        handle = await client.start(page.ship, "order-7")

        async def is_waiting() -> bool:
            return len(await bench.rows("waiter")) == 1

        await until(is_waiting)
        entries = [
            {
                "Source": "carrier",
                "DetailType": "Left",
                "Detail": json.dumps(
                    {"order": order, "weight": {"grams": 50}, "parcel": f"of {order}"}
                ),
            }
            for order in ("order-6", "order-7")
        ]
        await bench.aws.call("events", "PutEvents", Entries=entries)
        async with asyncio.timeout(60):
            assert await handle.result() == "parcel of order-7"
