"""The README's example runs, on the embedded engine as it says, and in the stack that it has."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import lambda_workflow_services.eventbridge as package
import pytest
from lambda_workflow_services.eventbridge import settings

from lambda_workflow import Client
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX
from lambda_workflow.aws.synth.sam import to_sam
from tests.aws.deployed import ARN, until
from tests.aws.server.process import Server
from tests.docs.blocks import run_page
from tests.patience import patient
from tests.synth.apps import stack_of
from tests.synth.comparing import refused, unused
from tests.synth.stack import Deployed, at_work, create
from tests.synth.test_deployed import client_config

ACCOUNT = ARN.split(":")[4]
README = Path(package.__file__).parent / "README.md"
BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
PATTERN = json.dumps({"source": ["carrier"]})


@pytest.fixture
async def page(server: Server, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("page_eventbridge")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    await run_page(README, made)
    return made


@pytest.fixture
async def deployed(page: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    aws = Aws()
    # Moto takes a rule's pattern as an object alone, and a parameter is a text.
    options = {"eventbridge_wait": {"events": {"pattern": PATTERN}}}
    made = await create(aws, to_sam(stack_of(page.app, service=options)), EventBuses=BUS)
    await aws.close()
    for environment in made.environments.values():
        for name, value in environment.items():
            if not name.startswith(PREFIX):
                monkeypatch.setenv(name, value)
    settings.waiting.cache_clear()
    settings.buses.cache_clear()
    return made


async def left(aws: Aws, *orders: str) -> None:
    """The carrier says that the parcels of orders have left."""
    details = [
        {"order": order, "weight": {"grams": 50}, "parcel": f"of {order}"} for order in orders
    ]
    await aws.call(
        "events",
        "PutEvents",
        Entries=[
            {"Source": "carrier", "DetailType": "Left", "Detail": json.dumps(detail)}
            for detail in details
        ],
    )


async def test_the_readmes_workflow_publishes_and_waits(
    server: Server, page: ModuleType, deployed: Deployed
) -> None:
    aws = Aws()
    client = Client(page.app, aws_backend(page.app, client_config(deployed), aws), close=aws.close)
    waits = "shop-service-eventbridge_wait"
    try:
        async with at_work(page.app, deployed) as run:
            handle = await client.start(page.ship, "order-7")
            await until(lambda: len(server.requests("dynamodb", "UpdateItem", waits)) == 1)
            await left(aws, "order-6", "order-7")
            assert await handle.result(patient(60)) == "parcel of order-7"
    finally:
        await client.close()
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{waits}"
    for name in (waits, "shop-service-eventbridge_publish"):
        assert refused(deployed.rights[name], run.calls[name]) == set(), name
        in_vain = unused(deployed.rights[name], run.calls[name])
        assert {one for one in in_vain if one[1] in (table, BUS)} == set(), name
