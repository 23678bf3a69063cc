"""What ten sequential calls cost: the server's own log against the runtime's count and the target.

A long poll that ends empty is not counted: how many there are depends on how long nothing happens.
"""

from __future__ import annotations

import json

import pytest

from lambda_workflow.aws.backend import client_for
from lambda_workflow.model.events import Run, Started
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import Usage
from tests.aws.apps import CALLS, app, ten
from tests.aws.deployed import deploy, take, working
from tests.aws.server.process import Server
from tests.ports.made import commit_of, turn

TURNS = CALLS + 1  # the request, and a result each
WRITE_UNITS_MAX = 13


async def run_ten(server: Server) -> Usage:
    """Run it without a look at the table that the workflow itself does not take."""
    config = await deploy(app.adapters)
    async with working(app, config) as client:
        handle = await client.start(ten, 0)
        (response,) = await take(config.response_queue_url, wait=20)
        assert json.loads(response["Body"])["result"] == CALLS
    reads = [r for r in server.requests("dynamodb") if r.read_units]
    assert len(reads) == 1, "the first turn looks whether there is such an execution"
    assert reads[0].entries == 0
    return (await client.describe(handle.execution_id)).usage


async def test_ten_calls_stay_within_their_price(server: Server) -> None:
    await run_ten(server)
    writes = server.requests("dynamodb", "PutItem") + server.requests("dynamodb", "UpdateItem")
    assert sum(request.write_units for request in writes) <= WRITE_UNITS_MAX
    assert sum(request.index_units for request in writes) <= 3  # one enters, and moves once
    assert len(server.requests("sqs", "SendMessageBatch", "service-add")) == CALLS
    inbox = server.requests("sqs", name="in.fifo")
    receives = [r for r in inbox if r.operation == "ReceiveMessage" and r.entries]
    deletes = [r for r in inbox if r.operation == "DeleteMessageBatch"]
    assert len(receives) <= TURNS
    assert len(deletes) <= TURNS
    assert {r.operation for r in inbox} == {
        "CreateQueue", "SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch",
    }  # fmt: skip


async def test_the_runtime_counts_what_the_server_counts(server: Server) -> None:
    usage = await run_ten(server)
    writes = server.requests("dynamodb", "PutItem") + server.requests("dynamodb", "UpdateItem")
    sends = [
        request
        for name in ("service-add", "out")
        for request in server.requests("sqs", "SendMessageBatch", name)
    ]
    inbox = server.requests("sqs", name="in.fifo")
    assert usage.writes == sum(request.write_units for request in writes)
    assert usage.reads == sum(r.read_units for r in server.requests("dynamodb", "Query"))
    assert usage.sends == len(sends)
    assert usage.receives == sum(r.operation == "ReceiveMessage" and r.entries > 0 for r in inbox)
    assert usage.deletes == sum(r.operation == "DeleteMessageBatch" for r in inbox)
    puts = sum(request.bytes for request in server.requests("dynamodb", "PutItem"))
    assert abs(usage.bytes - puts) <= 64 * TURNS, "keys and names are counted by a round figure"


@pytest.mark.parametrize("letter", ["a", "é", "漢"])
async def test_the_store_says_what_a_load_has_cost(server: Server, letter: str) -> None:
    store = client_for(app, await deploy([])).backend.store
    for number in range(1, 41):
        await store.commit(commit_of("e", turn(number, 1, letter * 37 * number)))
    loaded = await store.load("e")
    assert len(loaded.texts) == 40
    (query,) = server.requests("dynamodb", "Query")
    assert loaded.read_units == query.read_units > 7


@pytest.mark.parametrize(("turns", "queries"), [(64, 1), (65, 2), (600, 2)])
async def test_an_execution_of_one_run_is_read_in_few_queries(
    server: Server, turns: int, queries: int
) -> None:
    store = client_for(app, await deploy([])).backend.store
    for number in range(1, turns + 1):
        await store.commit(commit_of("e", turn(number, number)))
    assert len((await store.load("e")).texts) == turns
    assert len(server.requests("dynamodb", "Query")) == queries


async def test_of_two_hundred_runs_one_is_read_in_one_query(server: Server) -> None:
    store = client_for(app, await deploy([])).backend.store
    for number in range(1, 401, 2):
        begins = Started(number, "flow", "", 1, run=Run((number + 1) // 2, 1))
        await store.commit(commit_of("e", Turn(number, number, (begins,), ())))
        await store.commit(commit_of("e", turn(number + 1, 1, "-" + "x" * 300)))
    loaded = await store.load("e")
    assert len(loaded.texts) == 2
    (query,) = server.requests("dynamodb", "Query")
    assert loaded.read_units == query.read_units <= 6
