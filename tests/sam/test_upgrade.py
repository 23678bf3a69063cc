"""A stack that an earlier version made is updated in place, and what runs in it goes on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from lambda_workflow import App, ExecutionNotFound, Status
from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import variable_of
from lambda_workflow.aws.synth.options import parse_options
from lambda_workflow.aws.synth.plan import plan
from lambda_workflow.aws.synth.sam import to_sam
from lambda_workflow.model.commands import StartTimer
from lambda_workflow.runtime.client import Client
from tests.aws.deployed import SOON, create_queue, until, until_left
from tests.aws.server.process import Server
from tests.sam import parcels
from tests.sam.replacement import replaced, state
from tests.synth.stack import STACK, Deployed, Run, at_work, create, update
from tests.synth.test_deployed import client_config, jump

EARLIER: Final = (Path(__file__).parent / "earlier" / "template.yaml").read_text(encoding="utf-8")
ATTEMPT_SECONDS: Final = 600  # of STAMP
LATE: Final = 60  # seconds: timers began a bit after the jump before
LARGE: Final = "a parcel of 40 KB" + " " * 40_000  # in the bucket


def template(app: App = parcels.app, **options: Any) -> str:
    given = parse_options({**parcels.OPTIONS, **options}, "options")
    return to_sam(plan(app, "tests.sam.parcels:app", given))


@asynccontextmanager
async def working(
    app: App, deployed: Deployed, since: Run | None = None
) -> AsyncIterator[tuple[Client, Run]]:
    """The functions of a stack at work, and a client, by what the stack says.

    Args:
        since: who worked before; it is as late now as it was for them.
    """
    client = client_for(app, client_config(deployed))
    try:
        async with at_work(app, deployed) as run:
            run.clock.shift = since.clock.shift if since else 0
            yield client, run
    finally:
        await client.close()


async def ids_of_state(aws: Aws, text: str) -> dict[str, str]:
    """The physical ids of a stack's tables, queues and buckets, by their logical ones."""
    answer = await aws.call("cloudformation", "DescribeStackResources", StackName=STACK)
    made = [r for r in answer["StackResources"] if "PhysicalResourceId" in r]
    found = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in made}
    return {logical: found[logical] for logical in sorted(state(text))}


async def asleep(client: Client, execution_id: str, timers: int = 1) -> None:
    """Wait until an execution has started so many timers."""

    async def has_started() -> bool:
        try:
            turns = (await client.history(execution_id)).turns
        except ExecutionNotFound:  # its first turn is still to come
            return False
        started = [c for turn in turns for c in turn.commands if isinstance(c, StartTimer)]
        return len(started) >= timers

    await until(has_started)


def without(deployed: Deployed, service: str) -> Deployed:
    """The stack, but the function of a service is not triggered."""
    left = [(arn, name) for arn, name in deployed.triggers if not name.endswith(f"-{service}")]
    assert len(left) == len(deployed.triggers) - 1
    return replace(deployed, triggers=left)


async def test_what_waits_for_a_service_or_a_timer_goes_on_after_the_update(
    server: Server, aws: Aws
) -> None:
    before = await create(aws, EARLIER)
    ids = await ids_of_state(aws, EARLIER)
    async with working(parcels.earlier, before) as (client, run):
        await client.start(parcels.deliver_earlier, "night", execution_id="night")
        await asleep(client, "night", 1)
        await jump(server, run, LATE + parcels.NAP.total_seconds())
        await asleep(client, "night", 2)
        await client.start(parcels.deliver_earlier, LARGE, execution_id="nap")
        await asleep(client, "nap", 1)
    async with working(parcels.earlier, without(before, "pack"), run) as (client, run):
        await client.start(parcels.deliver_earlier, LARGE, execution_id="queue")
        await until_left(before.environments["parcels-workflow"][variable_of("pack")], 1)

    after = await update(aws, template())
    kept = await ids_of_state(aws, template())
    assert {name: kept.get(name) for name in ids if "Stamp" not in name} == {
        name: id_ for name, id_ in ids.items() if "Stamp" not in name
    }
    variables = after.environments["parcels-workflow"]
    assert variables["LAMBDA_WORKFLOW_RETENTION_DAYS"] == "60"

    async with working(parcels.app, after, run) as (client, run):
        await client.start(parcels.deliver, "new", execution_id="new")
        await asleep(client, "new")
        await asleep(client, "queue")
        await jump(server, run, LATE + parcels.NAP.total_seconds())
        for execution_id in ("nap", "queue", "new"):
            await asleep(client, execution_id, 2)
        await jump(server, run, LATE + parcels.NIGHT.total_seconds())
        for execution_id in ("night", "nap", "queue", "new"):
            assert await client.result(execution_id, timeout=SOON) == "packed"


async def test_a_service_that_is_taken_out_too_early_blocks_what_waits_for_it_until_it_is_back(
    server: Server, aws: Aws
) -> None:
    """Its queue goes with it, and the task in it; the call's next attempt is another."""
    before = await create(aws, EARLIER)
    url = before.environments["parcels-workflow"][variable_of("stamp")]
    async with working(parcels.earlier, without(before, "stamp")) as (client, run):
        await client.start(parcels.write_earlier, "letter", execution_id="letter")
        await until_left(url, 1)

    after = await update(aws, template())
    assert url not in (await aws.call("sqs", "ListQueues"))["QueueUrls"]
    assert not [name for name in after.environments if name.endswith("-stamp")]
    async with working(parcels.app, after, run) as (client, run):
        await jump(server, run, LATE + ATTEMPT_SECONDS)
        await until(lambda: is_blocked(client, "letter"))
        described = await client.describe("letter")
        assert "calls `pack` where the history has `stamp`" in described.reason

    await update(aws, EARLIER)
    await create_queue(aws, url.rpartition("/")[2])  # moto makes nothing twice in a stack's life
    async with working(parcels.earlier, before, run) as (client, run):
        await client.redrive("letter")
        assert await client.result("letter", timeout=SOON) == "letter stamped"


async def is_blocked(client: Client, execution_id: str) -> bool:
    return (await client.describe(execution_id)).status is Status.BLOCKED


def test_nothing_of_an_earlier_template_is_replaced_but_what_the_app_lost() -> None:
    found = replaced(EARLIER, template())
    assert "ServiceStampQueue: gone" in found
    assert [one for one in found if not re.fullmatch(r"ServiceStamp\w+: gone", one)] == []


def test_the_same_app_keeps_all_that_it_had() -> None:
    assert replaced(EARLIER, template(parcels.earlier)) == []


CHOICES: Final[dict[str, Any]] = {
    "retention_days": 21, "log_days": 7, "deduplicate": True, "kms": True, "recovery": False,
    "deletion_protection": True, "python": "3.12", "callers": ["shop"],
    "workflow": {**parcels.HANDLERS["workflow"], "memory": 1024, "timeout": 60, "concurrency": 5},
}  # fmt: skip


@pytest.mark.parametrize("option", CHOICES)
def test_an_option_is_changed_in_place(option: str) -> None:
    changed = template(**{option: CHOICES[option]})
    assert changed != template()
    assert replaced(template(), changed) == []


@pytest.mark.parametrize(
    ("was", "becomes", "found"),
    [
        ("'${Name}-workflow.fifo'", "'${Name}-wake.fifo'", "WorkflowQueue: QueueName"),
        ("'${Name}-histories'", "'${Name}-table'", "Table: TableName"),
        ("'${Name}-workflow'", "'${Name}-turns'", "WorkflowFunction: FunctionName"),
        ("KeyType: RANGE", "KeyType: OTHER", "Table: KeySchema"),
    ],
)  # fmt: skip
def test_a_change_that_replaces_is_noticed(was: str, becomes: str, found: str) -> None:
    assert was in EARLIER
    assert replaced(EARLIER, EARLIER.replace(was, becomes)) == [found]
