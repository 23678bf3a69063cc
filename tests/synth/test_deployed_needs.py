"""What adapters say in needs.toml is in the stack, works there, and is all that they may do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambda_workflow import Client
from lambda_workflow.aws.backend import aws_backend
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX
from lambda_workflow.aws.synth.sam import to_sam
from tests.aws.deployed import until
from tests.aws.server.process import Server
from tests.patience import patient
from tests.synth.apps import stack_of
from tests.synth.comparing import refused, unused
from tests.synth.needy.adapter import HURRY, app, aside, buy, follow, wanted
from tests.synth.needy.page import respond
from tests.synth.stack import Deployed, Recorder, Run, at_work, create, policy_of, url_of
from tests.synth.test_deployed import client_config, jump, provoke

HERE = "us-east-1"


@pytest.fixture
async def aws(server: Server) -> AsyncIterator[Aws]:
    opened = Aws()
    yield opened
    await opened.close()


async def secrets(aws: Aws, count: int) -> str:
    """The ARNs of secrets that were made, with commas between."""
    made = [await aws.call("secretsmanager", "CreateSecret", Name=f"s{n}", SecretString="shh")
            for n in range(count)]  # fmt: skip
    return ",".join(secret["ARN"] for secret in made)


def request(method: str, id_: str, body: str = "") -> dict[str, Any]:
    """An event of a Lambda function URL."""
    return {
        "version": "2.0",
        "rawPath": "/",
        "queryStringParameters": {"id": id_},
        "requestContext": {"http": {"method": method, "path": "/"}},
        "body": body,
        "isBase64Encoded": False,
    }


async def asked(table: str) -> str:
    """The id of the question that the adapter has kept."""
    aws = Aws()
    while not (found := (await aws.call("dynamodb", "Scan", TableName=table))["Items"]):  # noqa: ASYNC110  # the server tells nobody
        await asyncio.sleep(0.1)
    await aws.close()
    return str(found[0]["id"]["S"])


async def hear(server: Server, aws: Aws, run: Run, client: Client) -> None:
    """A call that is put aside, and answered by an event on the bus."""
    handle = await client.start(follow, "tea", execution_id="follow-1")
    await until(lambda: "tea" in aside)
    await jump(server, run, 1000)  # on the way to when it was to come back
    entry = {"Source": "prices", "DetailType": "moved", "Detail": json.dumps({"tea": 3})}
    await aws.call("events", "PutEvents", Entries=[entry])
    result = await handle.result(timeout=patient(120))
    assert result == "tea is 3 in 123456789012. " * 5000


async def use(server: Server, deployed: Deployed, run: Run, client: Client) -> None:
    """A question, its answer on the page, and another that is answered at once."""
    environment = deployed.environments["needy-service-ask-page"]
    page = Recorder(calls=run.calls["needy-service-ask-page"])
    handle = await client.start(buy, "a" * 50_000, execution_id="buy-1")
    id_ = await asked(environment["ASK_TABLE"])
    await jump(server, run, 700)  # the adapter comes back Later, more than once
    shown = await respond(request("GET", id_), page, environment)
    assert shown["body"] == "May I buy " + "a" * 50_000
    await handle.signal(HURRY, "!" * 50_000)
    assert await handle.query(wanted) == 50_000
    assert [header.execution_id for header in (await client.list(buy.name)).headers] == ["buy-1"]
    assert (await handle.describe()).workflow == buy.name
    await respond(request("POST", id_, "of course"), page, environment)
    assert await handle.result(timeout=patient(120)) == "of course"
    await page.close()


@pytest.mark.parametrize(("count", "given"), [(0, {}), (2, {"bucket": True})], ids=str)
async def test_what_adapters_need_is_there_and_used_and_nothing_else_is(
    server: Server,
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    given: dict[str, Any],
) -> None:
    aside.clear()
    wording = f"/{HERE}/asking/wording"
    await aws.call("ssm", "PutParameter", Name=wording, Value="May I buy ", Type="String")
    arns = await secrets(aws, count)
    stack = to_sam(stack_of(app, starters=True, **given))
    deployed = await create(aws, stack, StampSender="ada", SecretArns=arns)
    for name, value in deployed.environments["needy-service-ask"].items():
        if not name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("PRICES_SHOP", deployed.environments["needy-service-prices"]["PRICES_SHOP"])
    assert deployed.environments["needy-service-ask"]["ASK_PAGE"] == url_of("ServiceAskPageUrl")
    assert deployed.outputs["ServiceAskPageUrl"] == url_of("ServiceAskPageUrl")
    starter = Recorder()
    client = Client(app, aws_backend(app, client_config(deployed), starter), close=starter.close)
    try:
        async with at_work(app, deployed) as run:
            await use(server, deployed, run, client)
            await hear(server, aws, run, client)
            await provoke(server, deployed, run)
    finally:
        await client.close()
    for name in run.calls.keys() - {"needy-workflow"}:
        assert refused(deployed.rights[name], run.calls[name]) == set(), name
        assert unused(deployed.rights[name], run.calls[name]) == set(), name
    statements = await policy_of(aws, deployed.outputs["StarterPolicyArn"])
    assert refused(statements, starter.calls) == set()
    assert unused(statements, starter.calls) == set()
