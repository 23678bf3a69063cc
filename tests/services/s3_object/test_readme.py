"""The README's example runs as it is deployed: its adapters by their queues."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType

import lambda_workflow_services.s3_object as package
import pytest

from tests.aws.deployed import deploy, working
from tests.docs.blocks import run_page
from tests.services.s3_object.conftest import Bench

README = Path(package.__file__).parent / "README.md"


async def test_the_readmes_workflow_takes_an_order_in(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ModuleType("page_s3_object")
    monkeypatch.setitem(sys.modules, page.__name__, page)
    await run_page(README, page)
    for bucket in ("orders", "archive"):
        await bench.aws.call("s3", "CreateBucket", Bucket=bucket)
    config = await deploy(page.app.adapters)
    async with working(page.app, config) as client:
        put = {"Bucket": "orders", "Key": "in/7.csv", "Body": b"a,1\nb,2\n"}
        await bench.aws.call("s3", "PutObject", **put)
        handle = await client.start(page.take_in, "7")
        async with asyncio.timeout(60):
            assert await handle.result() == "8 bytes, 2 rows"
    assert await bench.body("archive", "7.csv") == b"a,1\nb,2\n"
    assert await bench.body("orders", "out/7.txt") == b"2 rows\n"
