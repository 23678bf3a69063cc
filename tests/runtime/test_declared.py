"""What code declares of the signals and updates that it waits for, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Client,
    Context,
    EncodeError,
    Signal,
    Status,
    Update,
    Workflow,
    workflow,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model import messages as m
from lambda_workflow.model.payload_schema import contract_of
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.replayer import replay
from lambda_workflow.runtime.lent import tools_for
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import Host


@dataclass
class Item:
    """Of a cart."""

    name: str
    cents: int


@dataclass
class Priced:
    """The same, after a change of the contract."""

    name: str
    cents: int
    currency: str


@dataclass
class Wider:
    """The same, which takes more."""

    name: str | None
    cents: int


@dataclass
class Renamed:
    """Another class of the same contract."""

    name: str
    cents: int


@dataclass
class Huge:
    """More than a history has room for."""

    __annotations__ = {f"field_of_a_long_name_{n}": int for n in range(200)}


def collecting(*types: Any) -> App:
    """Adds up what `add` tells, read by each of these types in turn, until five are there."""

    async def code(ctx: Context, n: int) -> list[str]:
        found: list[str] = []
        while len(found) < n:
            found.append(str(await ctx.wait_signal(Signal("add", types[len(found) % len(types)]))))
        return found

    flow: Workflow[int, Any] = workflow(name="flow")(code)
    return App("tests", workflows=[flow])


def serving(tp: Any) -> App:
    """Answers the updates `put`."""

    async def code(ctx: Context, n: int) -> int:
        async for call in ctx.updates(Update("put", tp, int)):
            call.respond(n)
            n -= 1
            if n == 0:
                break
        return n

    flow: Workflow[int, Any] = workflow(name="flow")(code)
    return App("tests", workflows=[flow])


def declared(host: Host) -> list[c.Declare]:
    turns = host.history().turns
    return [x for turn in turns for x in turn.commands if isinstance(x, c.Declare)]


def add(payload: Any, id: str) -> m.Signal:
    return m.Signal("e", "add", payload, id)


ITEM = {"name": "tea", "cents": 450}


@pytest.mark.parametrize("live_max", [0, 10])
async def test_a_type_is_declared_once(make_host: MakeHost, live_max: int) -> None:
    host = make_host(collecting(Item), live_max=live_max, check=True)
    await host.start(host.app.workflows["flow"], 3)
    for known in ("s1", "s2", "s3"):
        await host.send(add(ITEM, known))
    assert host.status() is Status.COMPLETED
    schema, contract = contract_of(Item)
    assert declared(host) == [c.Declare("signal", "add", schema, contract)]
    assert host.history().turns[0].commands == tuple(declared(host))


@pytest.mark.parametrize("live_max", [0, 10])
async def test_a_changed_type_is_declared_again(make_host: MakeHost, live_max: int) -> None:
    host = make_host(collecting(Item), live_max=live_max)
    await host.start(host.app.workflows["flow"], 4)
    host.deploy(collecting(Renamed), live_max=live_max, check=True)
    await host.send(add(ITEM, "s1"))
    assert len(declared(host)) == 1
    host.deploy(collecting(Wider), live_max=live_max, check=True)
    await host.send(add({"name": None, "cents": 1}, "s2"))
    host.deploy(collecting(Any), live_max=live_max, check=True)
    await host.send(add(3, "s3"))
    contracts = [contract_of(Item)[1], contract_of(Wider)[1], ""]
    assert [x.contract for x in declared(host)] == contracts
    assert declared(host)[-1].schema is None
    await host.send(add(7, "s4"))
    assert host.status() is Status.COMPLETED


@pytest.mark.parametrize("tp", [Any, object, dict, list[Any], None, Huge])
async def test_what_says_little_or_too_much_is_not_declared(make_host: MakeHost, tp: Any) -> None:
    host = make_host(collecting(tp), check=True)
    await host.start(host.app.workflows["flow"])
    found = declared(host)
    assert found == ([c.Declare("signal", "add", *contract_of(None))] if tp is None else [])


async def test_a_name_of_several_types_is_of_any_of_them(make_host: MakeHost) -> None:
    host = make_host(collecting(Item, int), check=True)
    await host.start(host.app.workflows["flow"], 4)
    for n, payload in enumerate((ITEM, 2, ITEM, 4)):
        await host.send(add(payload, f"s{n}"))
    assert host.status() is Status.COMPLETED
    assert [x.schema is None for x in declared(host)] == [False, True]


def test_what_is_written_for_people_is_no_change_of_a_contract() -> None:
    assert contract_of(Item)[1] == contract_of(Renamed)[1]
    assert contract_of(str)[0] == contract_of(date)[0]
    assert contract_of(str)[1] != contract_of(date)[1]


async def test_an_earlier_history_declares_nothing_in_replay() -> None:
    app = collecting(Item)
    for semantics in (1, 2):
        turns = [Turn(1, 0, (e.Started(0, "flow", 3, semantics),), ())]
        made = replay(app.workflows["flow"], "e", turns, tools_for(app))
        assert made.commands == ()
    told = e.Signalled(0, "add", ITEM, "s1")
    made = replay(app.workflows["flow"], "e", turns, tools_for(app), events=[told])
    assert [type(x) for x in made.commands] == [c.Declare]


# an unchecked payload that the code cannot read


async def test_what_fitted_the_contract_when_it_came_blocks(make_host: MakeHost) -> None:
    host = make_host(collecting(Item))
    await host.start(host.app.workflows["flow"], 1)
    host.deploy(collecting(Priced))
    await host.send(add(ITEM, "s1"))
    assert host.status() is Status.BLOCKED
    assert "signal `add` (id s1)" in host.history().turns[-1].reason
    host.deploy(collecting(Item), check=True)
    await host.redrive()
    assert host.outcome() == ["Item(name='tea', cents=450)"]


@pytest.mark.parametrize(
    ("old", "new", "payload"),
    [
        (Item, Priced, {"name": "tea"}),  # it never fitted
        (date, date, "the 40th"),  # fits the schema, but the code has not changed
        (Any, Item, "tea"),  # nothing was declared
    ],
)
async def test_what_did_not_is_set_aside(
    make_host: MakeHost, old: Any, new: Any, payload: Any
) -> None:
    host = make_host(collecting(old))
    await host.start(host.app.workflows["flow"], 1)
    host.deploy(collecting(new), check=True)
    await host.send(add(payload, "s1"))
    assert host.status() is Status.RUNNING
    assert any(isinstance(x, c.SetAside) for x in host.history().turns[-1].commands)


async def test_a_change_that_the_schema_does_not_show_blocks_too(make_host: MakeHost) -> None:
    host = make_host(collecting(str))
    await host.start(host.app.workflows["flow"], 1)
    host.deploy(collecting(date))
    await host.send(add("tomorrow", "s1"))
    assert host.status() is Status.BLOCKED


async def test_an_update_that_fitted_blocks_and_another_is_rejected(make_host: MakeHost) -> None:
    host = make_host(serving(Item))
    await host.start(host.app.workflows["flow"], 2)
    host.deploy(serving(Priced))
    await host.send(m.UpdateRequest("e", "put", {"name": "tea"}, "u1"))
    assert host.status() is Status.RUNNING  # it was rejected
    host.deploy(serving(Item))
    await host.send(m.UpdateRequest("e", "put", ITEM, "u2"))
    host.deploy(serving(Priced))
    await host.send(m.UpdateRequest("e", "put", ITEM, "u3"))
    assert host.status() is Status.BLOCKED


# before it is sent


Send = Callable[[Client, Any, str], Any]


async def signal(client: Client, payload: Any, id: str) -> None:
    await client.signal("e", Signal("add", object), payload, id=id)


async def update(client: Client, payload: Any, id: str) -> None:
    await client.update("e", Update("put", object, object), payload, id=id)


@pytest.mark.parametrize(("make", "send"), [(collecting, signal), (serving, update)])
async def test_a_client_without_the_type_refuses_what_does_not_fit(
    make_host: MakeHost, make: Callable[[Any], App], send: Send
) -> None:
    host = make_host(make(Item), check=True)
    await host.start(host.app.workflows["flow"], 3)
    client = Client(App("elsewhere", workflows=[]), host.memory.backend)
    sent = len(host.queue.messages)
    with pytest.raises(EncodeError, match=r"\.cents: found string, allowed integer; nothing is"):
        await send(client, {"name": "tea", "cents": "four"}, "x1")
    assert len(host.queue.messages) == sent


async def test_what_was_sent_before_may_be_sent_again(make_host: MakeHost) -> None:
    host = make_host(collecting(Item), check=True)
    await host.start(host.app.workflows["flow"], 3)
    await host.send(add("tea", "s1"))  # it is set aside
    client = Client(App("elsewhere", workflows=[]), host.memory.backend)
    await signal(client, "tea", "s1")
    with pytest.raises(EncodeError):
        await signal(client, "tea", "s3")
