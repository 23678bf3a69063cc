"""The README's example runs in the stack that it has."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import lambda_workflow_services.s3_object as package
import pytest

from lambda_workflow import Client
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.synth.sam import to_sam
from tests.aws.server.process import Server
from tests.docs.blocks import run_page
from tests.patience import patient
from tests.synth.apps import stack_of
from tests.synth.comparing import refused
from tests.synth.stack import Deployed, at_work, create
from tests.synth.test_deployed import client_config

README = Path(package.__file__).parent / "README.md"
OBJECTS = {
    "S3Sources": "arn:aws:s3:::orders/in/*",
    "S3Targets": "arn:aws:s3:::orders/out/*,arn:aws:s3:::archive/*",
    "S3Buckets": "arn:aws:s3:::orders,arn:aws:s3:::archive",
}


@pytest.fixture
async def page(server: Server, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("page_s3_object")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    await run_page(README, made)
    return made


async def body(aws: Aws, bucket: str, key: str) -> bytes:
    return bytes((await aws.call("s3", "GetObject", Bucket=bucket, Key=key))["Body"])


async def test_the_readmes_workflow_takes_an_order_in(server: Server, page: ModuleType) -> None:
    aws = Aws()
    for bucket in ("orders", "archive"):
        await aws.call("s3", "CreateBucket", Bucket=bucket)
    rows = b"a,1\nb,2\n"
    await aws.call("s3", "PutObject", Bucket="orders", Key="in/7.csv", Body=rows)
    deployed: Deployed = await create(aws, to_sam(stack_of(page.app)), **OBJECTS)
    client = Client(page.app, aws_backend(page.app, client_config(deployed), aws), close=aws.close)
    try:
        async with at_work(page.app, deployed) as run:
            handle = await client.start(page.take_in, "7")
            assert await handle.result(patient(60)) == "8 bytes, 2 rows"
        assert await body(aws, "archive", "7.csv") == rows
        assert await body(aws, "orders", "out/7.txt") == b"2 rows\n"
    finally:
        await client.close()
    for name in ("copy", "get", "put", "wait"):
        function = f"orders-service-s3_{name}"
        assert refused(deployed.rights[function], run.calls[function]) == set()
