"""What a workflow may ask of its context is the same on every replay, and its mistakes are told."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from lambda_workflow import (
    App,
    ConfigurationError,
    Context,
    EncodeError,
    LimitExceeded,
    Service,
    Status,
    UnknownService,
    UnreadableFact,
    WorkflowBug,
    WorkflowError,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.replayer import replay
from lambda_workflow.runtime.lent import tools_for
from tests.replay.driving import DOUBLE, START, Code, drive, flow, replays, result, tools

HOUR = timedelta(hours=1)


async def asks_for_chance(ctx: Context, n: int) -> Any:
    before = [str(ctx.uuid()), ctx.random.random()]
    await ctx.call(DOUBLE, n)
    return [*before, str(ctx.uuid()), ctx.random.randint(0, 10**9)]


def test_chance_is_the_same_on_every_replay_and_another_in_every_execution() -> None:
    made = flow(asks_for_chance)
    turns = drive(made)
    replays(made, turns)
    events = [event for turn in turns for event in turn.events]
    outcomes = [replay(made, name, [], tools(made), events=events).outcome for name in "ef"]
    assert outcomes[0] == turns[-1].commands[-1]
    assert outcomes[0] != outcomes[1]
    first, _, second, _ = result(turns)
    assert first != second
    assert first[14] == second[14] == "4"  # the version of the uuid


async def asks_the_time(ctx: Context, n: int) -> Any:
    times = [ctx.now()]
    await asyncio.sleep(60)
    times.append(ctx.now())
    await ctx.call(DOUBLE, n)
    times.append(ctx.now())
    return [time.isoformat() for time in times]


def test_the_time_is_that_of_the_fact_that_woke_it() -> None:
    made = flow(asks_the_time)
    turns = drive(made)
    replays(made, turns)
    at = datetime.fromtimestamp(START / 1000, UTC)
    later = at + timedelta(seconds=60)
    last = later + timedelta(milliseconds=10)
    assert result(turns) == [at.isoformat(), later.isoformat(), last.isoformat()]


def started(code: Code, event: e.Started | None = None) -> Execution:
    made = flow(code)
    execution = Execution(made, "e", tools(made))
    execution.advance([event or e.Started(START, "flow", 3, 1)])
    return execution


def test_its_own_facts_are_known_to_it() -> None:
    async def asks(ctx: Context, n: int) -> Any:
        info = ctx.info
        return [
            ctx.execution_id, ctx.request, info.execution_id, info.workflow, info.attempt,
            info.version, info.started_at.isoformat(),
        ]  # fmt: skip

    execution = started(asks, e.Started(START, "flow", 3, 1, "v7", 2))
    expected = ["e", 3, "e", "flow", 2, "v7", "2026-01-01T00:00:00+00:00"]
    assert execution.outcome == c.Complete(expected)


@pytest.mark.parametrize(
    ("until", "due"),
    [
        (HOUR, START + 3_600_000),
        (timedelta(microseconds=1), START + 1),
        (datetime(2026, 1, 1, 1, tzinfo=UTC), START + 3_600_000),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(HOUR)), None),
        (datetime(2025, 1, 1, tzinfo=UTC), None),
        (timedelta(0), None),
        (-HOUR, None),
        (timedelta(days=366), START + 366 * 86_400_000),
    ],
)
def test_a_sleep_is_a_timer_or_over_at_once(until: Any, due: int | None) -> None:
    async def sleeps(ctx: Context, n: int) -> int:
        await ctx.sleep(until)
        return n

    (command,) = started(sleeps).ledger.settle()
    expected = c.StartTimer("1", due, "", due - START, "sleep") if due else c.Complete(3)
    assert command == expected


REFUSED: list[tuple[Any, type[WorkflowError], str]] = [
    (
        lambda ctx: ctx.sleep(datetime(2026, 1, 1)),  # noqa: DTZ001  # the point of it
        WorkflowError,
        "it needs a time zone: tzinfo=UTC",
    ),
    (lambda ctx: ctx.sleep(timedelta(days=367)), LimitExceeded, "more than 366 days"),
    (lambda ctx: ctx.call(DOUBLE, "x"), EncodeError, "payload of double"),
    (lambda ctx: ctx.call(DOUBLE, 1, name=7), ConfigurationError, "call name is 7: give text"),
    (lambda ctx: ctx.call(DOUBLE, 1, timeout=timedelta(0)), ConfigurationError, "above 0"),
    (lambda ctx: ctx.call(DOUBLE, 1, timeout=-HOUR), ConfigurationError, "call of 'double'"),
]


@pytest.mark.parametrize(("ask", "kind", "told"), REFUSED)
def test_what_cannot_be_asked_is_refused_there(
    ask: Any, kind: type[WorkflowError], told: str
) -> None:
    async def asks(ctx: Context, n: int) -> Any:
        try:
            await ask(ctx)
        except kind as error:
            return str(error)

    execution = started(asks)
    (command,) = execution.ledger.settle()
    assert isinstance(command, c.Complete)
    assert told in str(command.payload)


def test_a_service_that_the_app_does_not_list_fails_with_the_line_to_add() -> None:
    hidden = Service("hidden", int, int)

    async def calls(ctx: Context, n: int) -> int:
        try:
            return await ctx.call(hidden, n)
        except Exception:  # noqa: BLE001  # it cannot be swallowed
            return 0

    with pytest.raises(UnknownService) as told:
        started(calls)
    assert str(told.value) == (
        "workflow 'flow' calls service 'hidden', which its App does not list: add it, "
        "App(…, services=[…, HIDDEN]) (tests/replay/test_context.py:"
        f"{calls.__code__.co_firstlineno + 2}; execution e of workflow `flow` of App `tests`)"
    )


def test_another_service_of_the_same_name_is_not_the_app_s() -> None:
    twin = Service("double", int, int)

    async def calls(ctx: Context, n: int) -> int:
        return await ctx.call(twin, n)

    with pytest.raises(UnknownService):
        started(calls)


async def logs(ctx: Context, n: int) -> int:
    ctx.logger.info("before %s", n, extra={"n": n})
    doubled = await ctx.call(DOUBLE, n)
    ctx.logger.warning("after %s", doubled)
    return doubled


def test_a_line_is_logged_once_and_not_on_replay(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lambda_workflow.workflow.flow")
    made = flow(logs)
    turns = drive(made)
    assert [record.getMessage() for record in caplog.records] == ["before 3", "after 6"]
    first = vars(caplog.records[0])
    assert (first["execution_id"], first["workflow"], first["n"]) == ("e", "flow", 3)
    caplog.clear()
    replay(made, "e", turns, tools(made))
    assert caplog.records == []
    replay(made, "e", turns[:1], tools(made), events=turns[1].events)
    assert [record.getMessage() for record in caplog.records] == ["after 6"]


def test_a_request_of_another_type_blocks_the_execution() -> None:
    async def takes(ctx: Context, n: int) -> int:
        return n

    begun = e.Started(START, "flow", "three", 1)
    with pytest.raises(UnreadableFact, match="the request of execution e cannot be read") as raised:
        started(takes, begun)
    assert "request: found str" in str(raised.value)
    failed = Turn(1, START, (begun,), (c.Fail(e.Failure("DecodeError", "no")),), Status.FAILED)
    assert replay(flow(takes), "e", [failed], tools(flow(takes))).commands == ()


def test_a_result_of_another_type_blocks_the_execution() -> None:
    async def gives(ctx: Context, n: int) -> int:
        return object()  # type: ignore[return-value]  # the point of it

    with pytest.raises(WorkflowBug, match=r"EncodeError at tests.*: result of flow") as raised:
        started(gives)
    assert isinstance(raised.value.__cause__, EncodeError)


def test_a_loop_that_waits_for_nothing_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_workflow.replay.loop.STEPS_PER_DRAIN_MAX", 1000)

    async def spins(ctx: Context, n: int) -> int:
        while True:  # noqa: ASYNC110  # the point of it
            await asyncio.sleep(0)

    with pytest.raises(LimitExceeded, match="ran 1000 steps without waiting for anything"):
        started(spins)


def test_an_execution_of_too_many_operations_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_workflow.replay.ledger.OPERATIONS_MAX", 10)

    async def calls(ctx: Context, n: int) -> int:
        return sum(await asyncio.gather(*(ctx.call(DOUBLE, i) for i in range(11))))

    execution = started(calls)
    assert isinstance(execution.outcome, c.Fail)
    assert execution.outcome.failure.type == "LimitExceeded"
    assert "split the work over several executions" in execution.outcome.failure.message


def test_an_app_lends_its_services() -> None:
    app = App("tests", workflows=[flow(logs)], services=[DOUBLE])
    services = tools_for(app).services
    assert services is not None
    assert dict(services) == {"double": DOUBLE}
