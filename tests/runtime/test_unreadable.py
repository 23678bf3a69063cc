"""A fact that the code's types cannot read blocks, stays raw, and is read by a later contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lambda_workflow import (
    App,
    BadResponse,
    CallFailed,
    ConfigurationError,
    Context,
    Service,
    Signal,
    Status,
    Update,
    Workflow,
    workflow,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model import messages as m
from lambda_workflow.model.tokens import make_token
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.replayer import replay
from lambda_workflow.runtime.lent import tools_for
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, Host

Code = Callable[[Context, Any], Awaitable[Any]]


@dataclass
class Old:
    cents: int


@dataclass
class New:
    cents: int
    currency: str


New.__name__ = New.__qualname__ = "Old"  # the same class, after a change


def contracts(tp: Any) -> dict[str, Any]:
    """Workflows that read one kind of fact as this type."""
    charge: Service[int, Any] = Service("charge", int, tp)
    signal: Signal[Any] = Signal("pay", tp)

    async def response(ctx: Context, n: int) -> Any:
        try:
            return (await ctx.call(charge, n)).cents
        except CallFailed:
            await ctx.call(DOUBLE, n)  # a refund of what succeeded
            raise

    async def in_a_map(ctx: Context, n: int) -> Any:
        return [value.cents for value in (await ctx.map(charge, [n])).results()]

    async def answer(ctx: Context, n: int) -> Any:
        return (await ctx.callback(tp, name="approval")).cents

    async def child_result(ctx: Context, n: int) -> Any:
        return (await ctx.call(kid, n, id="kid")).cents

    async def told(ctx: Context, n: int) -> Any:
        return (await ctx.wait_signal(signal)).cents

    async def asked(ctx: Context, n: int) -> Any:
        update: Update[Any, int] = Update("pay", tp, int)
        async for call in ctx.updates(update):
            call.respond(call.payload.cents)
            return call.payload.cents

    async def child(ctx: Context, n: int) -> Any:
        return None

    child.__annotations__ = {"ctx": Context, "n": int, "return": tp}
    kid: Workflow[int, Any] = workflow(name="kid")(child)
    found = {f.__name__: f for f in (response, in_a_map, answer, child_result, told, asked)}
    return {**found, "told_in_a_loop": first_of(signal), "kid": kid, "charge": charge}


def first_of(signal: Signal[Any]) -> Code:
    async def told_in_a_loop(ctx: Context, n: int) -> Any:
        async for one in ctx.signals(signal):
            return one.cents

    return told_in_a_loop


def app(tp: Any, kind: str) -> App:
    found = contracts(tp)
    made: Workflow[int, Any] = workflow(name="flow")(found[kind])
    return App("tests", workflows=[made, found["kid"]], services=[DOUBLE, found["charge"]])


RAW = {"cents": 100}


def fact_of(kind: str, host: Host) -> m.Message:
    """The message that brings the fact, as version 1 has made it."""
    operation = next(iter(host.history().open), "")
    if kind == "answer":
        token = host_token(host, operation)
        return m.Update("e", operation, RAW, token=token)
    if kind.startswith("told"):
        return m.Signal("e", "pay", RAW, "s1", checked=True)
    if kind == "asked":
        return m.UpdateRequest("e", "pay", RAW, "u1", checked=True)
    return m.Update("e", operation, RAW)


def host_token(host: Host, operation: str) -> str:

    started = host.history().started
    assert started is not None
    return make_token(started.options.secret, "e", operation)


KINDS = ["response", "in_a_map", "answer", "child_result", "told", "told_in_a_loop", "asked"]
WORDS = {
    "response": "the response to call `charge` (operation 1)",
    "in_a_map": "the response to call `charge` (operation 1.1)",
    "answer": "the answer to callback `approval` (operation 1)",
    "child_result": "the result of child `kid` (operation 1)",
    "told": "signal `pay` (id s1)",
    "told_in_a_loop": "signal `pay` (id s1)",
    "asked": "update `pay` (id u1)",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("live_max", [0, 10])
async def test_a_changed_contract_blocks_and_goes_on_once_it_reads_the_fact(
    make_host: MakeHost, kind: str, live_max: int
) -> None:
    host = make_host(app(Old, kind), live_max=live_max)
    await host.start(host.app.workflows["flow"])
    host.deploy(app(New, kind), live_max=live_max)
    await host.send(fact_of(kind, host))
    assert host.status() is Status.BLOCKED
    last = host.history().turns[-1]
    assert last.commands == ()
    assert last.events[-1].payload == RAW  # type: ignore[union-attr]
    assert last.reason.startswith(f"UnreadableFact: {WORDS[kind]} of execution e cannot be read")
    assert "currency" in last.reason
    assert "100" not in last.reason
    await host.redrive()
    assert host.status() is Status.BLOCKED
    host.deploy(app(Old, kind), live_max=live_max, check=True)
    await host.redrive()
    assert (host.status(), host.outcome()) == (Status.COMPLETED, [100] if "map" in kind else 100)
    assert "double" not in {send.task.service for send in host.queue.tasks}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fact_that_was_read_blocks_the_replay_of_code_that_cannot(
    make_host: MakeHost, kind: str
) -> None:
    host = make_host(waits_after(app(Old, kind)))
    await host.start(host.app.workflows["flow"])
    await host.send(fact_of(kind, host))
    assert host.status() is Status.RUNNING
    host.deploy(waits_after(app(New, kind)))
    await host.send(m.Signal("e", "go", None, "g"))
    assert host.history().turns[-1].reason.startswith(f"UnreadableFact: {WORDS[kind]}")
    host.deploy(waits_after(app(Old, kind)))
    await host.redrive()
    assert host.status() is Status.COMPLETED


def waits_after(made: App) -> App:
    """The same, which then waits for another signal."""
    inner = made.workflows["flow"]

    async def code(ctx: Context, n: int) -> Any:
        value = await inner.function(ctx, n)
        await ctx.wait_signal(Signal("go", object))
        return value

    flow: Workflow[int, Any] = workflow(name="flow")(code)
    others = [one for name, one in made.workflows.items() if name != "flow"]
    return App("tests", workflows=[flow, *others], services=list(made.services.values()))


async def test_a_service_may_raise_instead(make_host: MakeHost) -> None:
    charge: Service[int, New] = Service("charge", int, New, unreadable="raise")

    @workflow
    async def flow(ctx: Context, n: int) -> str:
        try:
            return (await ctx.call(charge, n)).currency
        except BadResponse as error:
            return f"bad response of {error.service}"

    host = make_host(App("tests", workflows=[flow], services=[charge]), check=True)
    await host.start(flow)
    await host.answer("1", RAW)
    assert host.outcome() == "bad response of charge"
    wrong: Any = "no"
    with pytest.raises(ConfigurationError, match="unreadable='no': it must be 'block' or 'raise'"):
        Service("x", int, int, unreadable=wrong)


@pytest.mark.parametrize("semantics", [1, 2])
async def test_an_earlier_history_keeps_its_bad_response(semantics: int) -> None:
    made = app(New, "response")
    flow = made.workflows["flow"]
    begun = e.Started(0, "flow", 1, semantics)
    turns = [
        Turn(1, 0, (begun,), (c.ScheduleCall("1", "charge", 1),)),
        Turn(2, 0, (e.CallSucceeded(0, "1", RAW),), (c.ScheduleCall("2", "double", 1),)),
    ]
    if semantics == 1:
        assert replay(flow, "e", turns, tools_for(made)).commands == ()
    else:
        with pytest.raises(Exception, match="the response to call `charge`"):
            replay(flow, "e", turns, tools_for(made))


def typed(tp: Any, *versions: str) -> App:
    """Workflows of one name that take the request as this type, in these versions."""

    async def code(ctx: Context, request: Any) -> Any:
        if request.cents == 0:
            await ctx.wait_signal(Signal("go", object))
            ctx.continue_as_new(tp(5))
        return request.cents

    code.__annotations__ = {"ctx": Context, "request": tp, "return": int}
    made = [workflow(name="flow", version=version)(code) for version in versions]
    return App("tests", workflows=made)


async def test_a_queued_start_waits_for_a_contract_that_reads_it(make_host: MakeHost) -> None:
    host = make_host(typed(New, ""))
    await host.send(m.Request("e", "flow", RAW))
    assert host.status() is Status.BLOCKED
    assert (
        host.history()
        .turns[-1]
        .reason.startswith(
            "UnreadableFact: the request of execution e cannot be read by workflow `flow`"
        )
    )
    host.deploy(typed(Old, ""), check=True)
    await host.redrive()
    assert host.outcome() == 100


async def test_the_state_of_the_run_before_waits_too(make_host: MakeHost) -> None:
    old, new = typed(Old, "1"), typed(New, "2")
    host = make_host(old)
    await host.send(m.Request("e", "flow", {"cents": 0}))
    host.deploy(App("tests", workflows=[*old.workflows.values(), *new.workflows.values()]))
    await host.send(m.Signal("e", "go", None, "g"))
    assert host.status() is Status.BLOCKED
    reason = host.history().turns[-1].reason
    assert "the request of run 2 (ctx.continue_as_new) of execution e cannot be read" in reason
    assert "`flow` (version 2)" in reason
    mended = typed(Old, "2")
    host.deploy(App("tests", workflows=[*old.workflows.values(), *mended.workflows.values()]))
    await host.redrive()
    assert host.outcome() == 5


def signals_as(tp: Any) -> App:
    """A workflow that adds up what signals tell, until one tells nothing."""

    async def code(ctx: Context, n: int) -> list[Any]:
        told = []
        async for one in ctx.signals(Signal("add", tp)):
            told.append(one)
            if one == tp():
                break
        return told

    return App("tests", workflows=[workflow(name="flow")(code)])


def add(payload: Any, id: str, *, checked: bool = False) -> m.Signal:
    return m.Signal("e", "add", payload, id, checked=checked)


@pytest.mark.parametrize("live_max", [0, 10])
async def test_a_malformed_signal_is_set_aside_and_the_loop_lives(
    make_host: MakeHost, live_max: int
) -> None:
    host = make_host(signals_as(int), live_max=live_max, check=True)
    await host.start(host.app.workflows["flow"])
    await host.send(add(1, "s1"), add("two", "s2"), add(3, "s3"))
    (aside,) = host.history().turns[-1].commands
    assert isinstance(aside, c.SetAside)
    assert (aside.name, aside.id) == ("add", "s2")
    assert aside.reason.startswith("signal add: found str")
    (note,) = host.notes.of("set_aside")
    assert note.fields == {"name": "add", "id": "s2", "reason": aside.reason}
    await host.send(add(0, "s4"))
    assert host.outcome() == [1, 3, 0]


async def test_what_was_set_aside_stays_so_whatever_later_code_reads(make_host: MakeHost) -> None:
    host = make_host(signals_as(int))
    await host.start(host.app.workflows["flow"])
    await host.send(add("two", "s2"))
    host.deploy(signals_as(str), check=True)
    await host.send(add("four", "s4"))
    await host.send(add("", "s5"))
    assert host.history().turns[-1].reason == ""
    assert host.outcome() == ["four", ""]


async def test_a_malformed_update_is_rejected(make_host: MakeHost) -> None:
    host = make_host(app(Old, "asked"), check=True)
    await host.start(host.app.workflows["flow"])
    await host.send(m.UpdateRequest("e", "pay", "all", "u1"))
    (answer,) = host.history().turns[-1].commands
    assert isinstance(answer, c.Answer)
    assert answer.failure is not None
    assert answer.failure.type == "DecodeError"
    host.deploy(app(Old, "asked"))
    await host.send(m.UpdateRequest("e", "pay", RAW, "u2"))
    assert host.outcome() == 100
