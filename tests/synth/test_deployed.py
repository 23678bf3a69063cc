"""A stack made of a template works; its functions' roles allow what they do, and nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import App, Context, ExecutionFailed, Service, serve, workflow
from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.client import ATTEMPTS_MAX, Aws
from lambda_workflow.aws.config import PREFIX, AwsConfig, read_config
from lambda_workflow.aws.synth.options import read_options
from lambda_workflow.aws.synth.plan import plan
from lambda_workflow.aws.synth.sam import to_sam
from lambda_workflow.cli.loading import load_app
from lambda_workflow.runtime.client import Client
from tests.aws.deployed import put, take, until, until_left
from tests.aws.server.process import Server
from tests.synth.apps import stack_of, timed
from tests.synth.comparing import refused, unused
from tests.synth.stack import ACCOUNT, Deployed, Run, at_work, create, queue_url

ROOT = Path(__file__).parents[2]
ELSEWHERE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:elsewhere"
SHARED = "of-all-stacks"
BUCKET = "SharedBucketName"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/of-the-test"

MILL = Service("mill", str, str)
PRESS = Service("press", str, str, timeout=timedelta(hours=2))
STAMP = Service("stamp", str, str)


@workflow
async def rest(ctx: Context, sheet: str) -> str:
    await ctx.sleep(timedelta(hours=1))
    return sheet


@workflow
async def make(ctx: Context, sheet: str) -> str:
    """One use of everything that a workflow on AWS may do."""
    large = await ctx.call(MILL, sheet * 50_000)
    pressed = await ctx.call(PRESS, large)
    ctx.send(STAMP, pressed[:10])
    await ctx.sleep(timedelta(seconds=1))
    return await ctx.call(rest, pressed[:10])


@serve(MILL)
async def mill(sheet: str) -> str:
    return sheet.upper()


@serve(PRESS)
async def press(sheet: str) -> str:
    return sheet


app = App("paper", workflows=[make, rest], adapters=[mill, press], services=[STAMP])


@pytest.fixture
async def aws(server: Server) -> AsyncIterator[Aws]:
    opened = Aws()
    yield opened
    await opened.close()


def client_config(deployed: Deployed) -> AwsConfig:
    """What a client needs, from the outputs alone."""
    outputs = deployed.outputs
    given = {"TABLE": outputs["TableName"], "QUEUE_URL": outputs["WorkflowQueueUrl"]}
    given["BUCKET"] = outputs.get("BucketName", "")
    return read_config({PREFIX + name: value for name, value in given.items()})


async def jump(server: Server, run: Run, seconds: float) -> None:
    run.clock.shift += int(seconds * 1000)
    server.advance(seconds)


async def provoke(server: Server, deployed: Deployed, run: Run) -> None:
    """An unreadable message in each queue; the dead-letter queue answers the second time."""
    for arn, function in deployed.triggers:
        url, queue = queue_url(arn), arn.rpartition(":")[2]
        dead = deployed.environments[function][f"{PREFIX}DLQ_URL"].rpartition("/")[2]
        server.fault("sqs", "SendMessage", "error", count=ATTEMPTS_MAX, name=dead)
        await put(url, "unreadable", *(("all", queue) if queue.endswith(".fifo") else ()))
        await until(lambda queue=queue: is_hurried(server, queue))  # type: ignore[misc]  # a default
        await jump(server, run, 5)
        await until_left(url, 0)


def is_hurried(server: Server, queue: str) -> bool:
    return bool(server.requests("sqs", "ChangeMessageVisibilityBatch", queue))


async def use(server: Server, client: Client, run: Run) -> str:
    """Run the workflow through, time and all."""
    handle = await client.start(make, "a", execution_id="sheet-1")
    result = asyncio.create_task(handle.result(timeout=timedelta(hours=3)))
    while not result.done():
        await asyncio.sleep(0.2)
        await jump(server, run, 300)
    return await result


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"shared_bucket": True},
        {"bucket": True, "responses": True, "deduplicate": True, "kms": True},
    ],
    ids=["defaults", "shared bucket", "everything"],
)
async def test_rights_are_those_that_are_used(server: Server, aws: Aws, given: Any) -> None:
    await aws.call("sqs", "CreateQueue", QueueName=ELSEWHERE.rpartition(":")[2])
    parameters = {"ServiceStampQueueArn": ELSEWHERE}
    if "kms" in given:
        parameters["KmsKeyArn"] = KEY
    if "shared_bucket" in given:
        parameters[BUCKET] = SHARED
        await aws.call("s3", "CreateBucket", Bucket=SHARED)
    deployed = await create(aws, to_sam(stack_of(app, **given)), **parameters)
    config = client_config(deployed)
    client = client_for(app, replace(config, bucket=config.bucket or parameters.get(BUCKET, "")))
    try:
        async with at_work(app, deployed) as run:
            assert await use(server, client, run) == "A" * 10
            assert len(await take(queue_url(ELSEWHERE))) == 1
            await provoke(server, deployed, run)
    finally:
        await client.close()
    if "responses" in given:
        assert len(await outcomes(deployed)) == 2
    for name, calls in run.calls.items():
        assert refused(deployed.rights[name], calls) == set(), name
        assert unused(deployed.rights[name], calls) == set(), name
    assert {name.rpartition("-")[2] for name in run.calls} == {"workflow", "mill", "press"}


@pytest.mark.parametrize("given", [{}, {"bucket": True}], ids=["defaults", "bucket"])
async def test_a_deployment_may_make_the_schedules(server: Server, aws: Aws, given: Any) -> None:
    deployed = await create(aws, to_sam(stack_of(timed, **given)))
    statements = deployed.rights["timed-workflow"]
    asked = {"apply_schedules": {"weekly": "a digest"}}
    async with at_work(timed, deployed) as run:
        handle = run.handlers["timed-workflow"]
        assert await handle(asked) == {"weekly": "created"}
        calls = run.calls["timed-workflow"]
        await until(lambda: "scheduler:CreateSchedule" in {action for action, _ in calls})
        assert await handle(asked) == {"weekly": "unchanged"}
    assert refused(statements, calls) == set()
    assert "dynamodb:GetItem" not in {action for action, _ in unused(statements, calls)}


EXPENSE = {"employee": "ada", "purpose": "a train", "amount": 240, "manager": "grace"}
EXAMPLES: dict[str, tuple[str, Any]] = {
    "bank_transaction": ("transfer", {"source": "alice", "target": "bob", "amount": "250.00"}),
    "expense_approval": ("approve_expense", {**EXPENSE, "director": "alan"}),
    "greeter": ("greet", ["Ada", "Grace"]),
    "remind_user": ("remind", {"user": "ada", "text": "water the plants"}),
    "trip_saga": ("book_trip", {"traveller": "ada", "city": "Zermatt", "nights": 3}),
}
RESULTS = {
    "bank_transaction": "amount=Decimal('250.00')",
    "expense_approval": "Decision(approved=True, by='grace', note='bon voyage')",
    "greeter": "Hello, Ada! Hello, Grace!",
    "remind_user": "2",
}


OUTCOMES = {
    "bank_transaction": ("COMPLETED", '"amount":"250.00"'),
    "expense_approval": ("COMPLETED", '"note":"bon voyage"'),
    "trip_saga": ("FAILED", "no cars in Zermatt"),
}
# What an ordinary day does not need, but failures, large payloads and other timers: `make` has them
SELDOM = {
    ("sqs:SendMessage", "dead letters"), ("sqs:ChangeMessageVisibility", "queue"),
    ("dynamodb:GetItem", "table"), ("dynamodb:PutItem", "table"),
    ("s3:GetObject", "payloads"), ("s3:PutObject", "payloads"),
    ("scheduler:CreateSchedule", "timers"), ("scheduler:DeleteSchedule", "timers"),
    ("iam:PassRole", "role"), ("sqs:SendMessage", "queue"), ("sqs:DeleteMessage", "delay"),
    ("sqs:SendMessage", "delay"), ("sqs:ChangeMessageVisibility", "delay"),
}  # fmt: skip
KINDS = {
    "-dead(.fifo)?$": "dead letters", "-delay$": "delay", ":sqs:": "queue", ":role/": "role",
    ":table/": "table", ":schedule/": "timers", "/payloads/": "payloads",
}  # fmt: skip


def kind_of(arn: str) -> str:
    """What is there, in any stack."""
    return next((kind for pattern, kind in KINDS.items() if re.search(pattern, arn)), arn)


def committed(name: str) -> str:
    """The template of an example."""
    return (ROOT / "infra" / name / "template.yaml").read_text(encoding="utf-8")


async def go_through(
    server: Server, aws: Aws, capsys: pytest.CaptureFixture[str], name: str, *, template: str
) -> Deployed:
    """Run an example on a template, and compare what its functions call with what they may."""
    started, request = EXAMPLES[name]
    example = load_app(f"examples.{name}.app:app")
    deployed = await create(
        aws, template, **({"KmsKeyArn": KEY} if "KmsKeyArn" in template else {})
    )
    client = client_for(example, client_config(deployed))
    chosen = example.workflow(started)
    decoded = chosen.request_codec.decode(request, "the request")
    try:
        async with at_work(example, deployed) as run:
            handle = await client.start(chosen, decoded, execution_id="example-1")
            if name == "expense_approval":
                token = await told(capsys, "token: ")
                await client.complete_callback(token, {"approved": True, "note": "bon voyage"})
            result = asyncio.create_task(handle.result(timeout=timedelta(days=3)))
            while not result.done():
                await asyncio.sleep(0.2)
                await jump(server, run, 3000)
            if name == "trip_saga":
                with pytest.raises(ExecutionFailed, match="no cars in Zermatt"):
                    await result
            else:
                assert RESULTS[name] in str(await result)
    finally:
        await client.close()
    if name == "trip_saga":
        said = capsys.readouterr().err.splitlines()  # twice, if time jumped while it was at work
        assert len({line for line in said if line.startswith("cancelled: ")}) == 2
    for function, calls in run.calls.items():
        statements = deployed.rights[function]
        assert refused(statements, calls) == set(), function
        left = {(action, kind_of(arn)) for action, arn in unused(statements, calls)}
        assert left <= SELDOM, function
    return deployed


async def outcomes(deployed: Deployed) -> set[str]:
    """What stands on the response queue, which may have it twice.

    Time jumps while a turn is under way: then its message comes again, and what it sent, too.
    """
    return {message["Body"] for message in await take(deployed.outputs["ResponseQueueUrl"])}


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_runs_on_its_committed_template(
    server: Server, aws: Aws, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    deployed = await go_through(server, aws, capsys, name, template=committed(name))
    if name == "remind_user":
        (answer,) = await outcomes(deployed)
        assert "example-1" in answer


@pytest.mark.parametrize("name", OUTCOMES)
async def test_an_example_s_outcome_is_on_the_response_queue_of_its_stack(
    server: Server, aws: Aws, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    address = f"examples.{name}.app:app"
    options = replace(read_options(ROOT / "infra" / name / "synth.toml"), responses=True)
    template = to_sam(plan(load_app(address), address, options))
    deployed = await go_through(server, aws, capsys, name, template=template)
    (answer,) = await outcomes(deployed)
    status, said = OUTCOMES[name]
    response = json.loads(answer)
    assert (response["execution_id"], response["status"]) == ("example-1", status)
    assert said in answer


async def told(capsys: pytest.CaptureFixture[str], label: str) -> str:
    """The word that an adapter has printed behind a label."""
    printed = ""

    def is_there() -> bool:
        nonlocal printed
        printed += capsys.readouterr().err
        return label in printed

    await until(is_there)
    return printed.partition(label)[2].split()[0]
