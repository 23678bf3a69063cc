"""Calls that fail, are retried, time out, answer wrongly or are given up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    BadResponse,
    CallFailed,
    CallTimedOut,
    Context,
    RetryPolicy,
    Service,
    Status,
    workflow,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.messages import Message, Timer, Update
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER, Host

SECOND = timedelta(seconds=1)
SAID = (
    "service 'steady' failed after 5 attempts with Refused: not today (operation 1 of execution e)"
)
REFUSED = e.Failure("Refused", "not today", True, {"code": 7}, "stack of the service")


@dataclass(frozen=True)
class Report:
    likely: bool
    score: int


STEADY: Service[int, int] = Service(
    "steady", int, int, retry=RetryPolicy(attempts=5, initial=SECOND, cap=3 * SECOND, jitter=0)
)
JITTERY: Service[int, int] = Service(
    "jittery", int, int, retry=RetryPolicy(attempts=4, initial=100 * SECOND, jitter=1)
)
PICKY: Service[int, int] = Service(
    "picky", int, int, retry=RetryPolicy(attempts=9, non_retryable=("CardDeclined",))
)
REPORT: Service[int, Report] = Service("report", int, Report, unreadable="raise")


def words(error: CallFailed) -> list[Any]:
    return [type(error).__name__, error.service, error.type, error.attempts, error.operation]


async def caught(ctx: Context, service: Service[int, Any], n: int, **options: Any) -> list[Any]:
    try:
        return [await ctx.call(service, n, **options)]
    except CallFailed as error:
        return [*words(error), error.message, error.details, error.stack, str(error)]


@workflow
async def steady(ctx: Context, n: int) -> list[Any]:
    return await caught(ctx, STEADY, n)


@workflow
async def jittery(ctx: Context, n: int) -> list[Any]:
    return await caught(ctx, JITTERY, n)


@workflow
async def picky(ctx: Context, n: int) -> list[Any]:
    return await caught(ctx, PICKY, n)


@workflow
async def reported(ctx: Context, n: int) -> list[Any]:
    try:
        report = await ctx.call(REPORT, n, name="fraud-check")
    except BadResponse as error:
        return [*words(error), str(error)]
    return [report.likely, report.score]


@workflow
async def limited(ctx: Context, n: int) -> list[Any]:
    try:
        return [await ctx.call(DOUBLE, n, timeout=timedelta(seconds=n))]
    except TimeoutError as error:
        other = await ctx.call(OTHER, n)
        return [*words(error), other] if isinstance(error, CallTimedOut) else []


@workflow
async def patient(ctx: Context, n: int) -> list[Any]:
    return await caught(ctx, STEADY, n, timeout=timedelta(seconds=n))


@workflow
async def race(ctx: Context, n: int) -> list[int]:
    one, two = ctx.call(DOUBLE, n), ctx.call(OTHER, n)
    await one
    two.cancel()
    return [await ctx.call(DOUBLE, n)]


APP = App(
    "tests",
    workflows=[steady, jittery, picky, reported, limited, patient, race],
    services=[DOUBLE, OTHER, STEADY, JITTERY, PICKY, REPORT],
)
CHECKED = pytest.mark.parametrize("options", [{"check": True}, {"live_max": 0}])


def delays(host: Host) -> list[int]:
    """Milliseconds from each error to the attempt that follows it."""
    return [
        command.due - turn.events[-1].at
        for turn in host.history().turns
        for command in turn.commands
        if isinstance(command, c.StartTimer) and ":retry" in command.operation
    ]


async def exhaust(host: Host, attempts: int, failure: e.Failure = REFUSED) -> None:
    for attempt in range(1, attempts + 1):
        await host.fail("1", failure, attempt)
        if attempt < attempts:
            assert host.timers.next_due is not None
            await host.wait((host.timers.next_due - host.clock.now()) / 1000)


@CHECKED
async def test_retries_wait_exponentially_longer_up_to_the_cap(
    make_host: MakeHost, options: dict[str, Any]
) -> None:
    host = make_host(APP, **options)
    await host.start(steady)
    await exhaust(host, 5)
    assert delays(host) == [1000, 2000, 3000, 3000]
    assert host.sent() == [("1", n) for n in range(1, 6)]
    assert [send.deduplication for send in host.queue.tasks] == [f"e:1:{n}" for n in range(1, 6)]
    assert {task.task_id for task in host.tasks()} == {"e/1"}  # one idempotency key for all


@CHECKED
async def test_the_last_error_reaches_the_workflow_with_all_that_is_known(
    make_host: MakeHost, options: dict[str, Any]
) -> None:
    host = make_host(APP, **options)
    await host.start(steady)
    await exhaust(host, 5)
    assert host.outcome() == [
        "CallFailed", "steady", "Refused", 5, "1", "not today", {"code": 7}, "stack of the service",
        SAID,
    ]  # fmt: skip


async def test_an_attempt_that_succeeds_ends_the_retries(make_host: MakeHost) -> None:
    host = make_host(APP, check=True)
    await host.start(steady)
    await host.fail("1", REFUSED, 1)
    await host.wait(1)
    await host.answer("1", 6, attempt=2)
    assert (host.outcome(), host.timers.next_due) == ([6], None)


async def test_the_jitter_is_the_same_at_every_worker_and_differs_between_executions(
    make_host: MakeHost,
) -> None:
    seen = []
    for options in ({"live_max": 0}, {"check": True}):
        host = make_host(APP, **options)
        await host.start(jittery)
        await exhaust(host, 4)
        seen.append(delays(host))
    assert seen[0] == seen[1]
    bounds = [100_000, 200_000, 300_000]
    assert all(0 <= delay <= bound for delay, bound in zip(seen[0], bounds, strict=True))
    host = make_host(APP)
    first = set()
    for number in range(5):
        await host.start(jittery, execution_id=f"e{number}")
        await host.send(Update(f"e{number}", "1", None, REFUSED, 1))
        timer = host.history(f"e{number}").opening("1:retry1", c.StartTimer)
        assert timer is not None
        first.add(timer.due)
    assert len(first) == 5


@pytest.mark.parametrize(
    "failure",
    [
        e.Failure("CardDeclined", "no"),
        e.Failure("bank.errors.CardDeclined", "no"),
        e.Failure("Other", "no", retryable=False),
    ],
)
async def test_an_error_that_is_not_retryable_is_final_at_once(
    make_host: MakeHost, failure: e.Failure
) -> None:
    host = make_host(APP, check=True)
    await host.start(picky)
    await host.fail("1", failure)
    assert host.outcome()[:5] == ["CallFailed", "picky", failure.type, 1, "1"]
    assert "after 1 attempt with" in host.outcome()[-1]


async def test_a_changed_policy_changes_only_the_attempts_to_come(make_host: MakeHost) -> None:
    other = Service("steady", int, int, retry=RetryPolicy(attempts=2, initial=SECOND, jitter=0))

    @workflow(name="steady")
    async def changed(ctx: Context, n: int) -> list[Any]:
        return await caught(ctx, other, n)

    host = make_host(APP)
    await host.start(steady)
    await exhaust(host, 3)  # more than the new policy allows
    host.deploy(App("tests", workflows=[changed], services=[other]))
    assert host.timers.next_due is not None
    await host.wait((host.timers.next_due - host.clock.now()) / 1000)
    assert host.sent()[-1] == ("1", 4)
    await host.fail("1", REFUSED, 4)
    assert host.outcome()[:4] == ["CallFailed", "steady", "Refused", 4]
    assert host.history().turns[-1].status is Status.COMPLETED


async def test_a_late_error_of_an_earlier_attempt_is_dropped(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    await host.start(steady)
    await exhaust(host, 2)
    turns = len(host.history().turns)
    await host.fail("1", e.Failure("Other", "again"), 1)
    assert len(host.history().turns) == turns
    assert len(host.notes.of("duplicate")) == 1


async def test_a_late_success_of_an_earlier_attempt_is_taken(make_host: MakeHost) -> None:
    host = make_host(APP, check=True)
    await host.start(steady)
    await host.fail("1", REFUSED, 1)
    await host.answer("1", 6, attempt=1)
    assert (host.outcome(), host.timers.next_due) == ([6], None)


@CHECKED
async def test_a_call_times_out_and_its_late_answer_is_dropped(
    make_host: MakeHost, options: dict[str, Any]
) -> None:
    host = make_host(APP, **options)
    await host.start(limited, 30)
    assert await host.wait(29.999) is None
    await host.wait(0.001)
    assert host.sent() == [("1", 1), ("2", 1)]
    await host.answer("1", 60)
    (note,) = host.notes.of("late")
    assert note.fields["expected"]
    await host.answer("2", 7)
    assert host.outcome() == ["CallTimedOut", "double", "CallTimedOut", 1, "1", 7]


async def test_an_answer_in_time_disarms_the_timeout(make_host: MakeHost) -> None:
    host = make_host(APP, check=True)
    await host.start(limited, 30)
    await host.answer("1", 60)
    assert (host.outcome(), host.timers.next_due) == ([60], None)


async def test_a_timeout_bounds_the_retries_too(make_host: MakeHost) -> None:
    host = make_host(APP, check=True)
    await host.start(patient, 2)
    await host.fail("1", REFUSED, 1)
    await host.wait(1)
    await host.fail("1", REFUSED, 2)  # the next one would be in two seconds
    await host.wait(1)
    assert host.outcome()[:5] == ["CallTimedOut", "steady", "CallTimedOut", 2, "1"]
    assert host.timers.next_due is None


async def test_a_timeout_and_an_answer_in_one_batch_go_by_what_came_first(
    make_host: MakeHost,
) -> None:
    for order in (1, -1):
        host = make_host(APP, check=True)
        await host.start(limited, 30)
        await host.memory.advance(30)
        host.queue.take_messages()
        both: list[Message] = [Update("e", "1", 60, attempt=1), Timer("e", "1:timeout", 0)]
        await host.send(*both[::order])
        assert (host.outcome() == [60]) == (order == 1)


@CHECKED
async def test_a_bad_response_names_service_operation_and_field(
    make_host: MakeHost, options: dict[str, Any]
) -> None:
    host = make_host(APP, **options)
    await host.start(reported)
    await host.answer("1", {"likely": True, "score": "high"})
    *known, text = host.outcome()
    assert known == ["BadResponse", "report", "BadResponse", 1, "1"]
    assert text.startswith(
        "the answer to call 1 (fraud-check) of execution e is not what its contract says: "
        "response of report.score: "
    )


async def test_a_good_response_is_of_its_declared_type(make_host: MakeHost) -> None:
    host = make_host(APP, check=True)
    await host.start(reported)
    await host.answer("1", {"likely": False, "score": 3})
    assert host.outcome() == [False, 3]


@CHECKED
async def test_the_result_of_a_cancelled_call_is_dropped(
    make_host: MakeHost, options: dict[str, Any]
) -> None:
    host = make_host(APP, **options)
    await host.start(race)
    await host.answer("1", 2)
    assert c.CancelCall("2") in host.history().turns[-1].commands
    assert (await host.answer("2", 99)).commits == 0
    (note,) = host.notes.of("late")
    assert (note.fields["reason"], note.fields["expected"]) == ("withdrawn by the workflow", True)
    await host.answer("3", 5)
    assert host.outcome() == [5]


async def test_a_payload_of_another_type_is_refused_at_the_call(make_host: MakeHost) -> None:
    @workflow
    async def wrong(ctx: Context, n: int) -> int:
        return await ctx.call(DOUBLE, "one")  # type: ignore[misc]  # the point of it

    host = make_host(App("tests", workflows=[wrong], services=[DOUBLE]))
    await host.start(wrong)
    assert host.status() is Status.BLOCKED
    reason = host.history().turns[-1].reason
    assert "EncodeError at tests/runtime/test_turns_calls.py:" in reason
    assert "payload of double" in reason
    assert host.queue.tasks == []


async def test_an_error_that_the_workflow_lets_through_ends_it_as_failed(
    make_host: MakeHost,
) -> None:
    @workflow
    async def open_(ctx: Context, n: int) -> int:
        return (await asyncio.gather(ctx.call(PICKY, n)))[0]

    host = make_host(App("tests", workflows=[open_], services=[PICKY]), check=True)
    await host.start(open_)
    await host.fail("1", e.Failure("CardDeclined", "no", True, {"card": 3}))
    failure = host.outcome()
    assert host.status() is Status.FAILED
    assert (failure.type, failure.details) == ("CallFailed", {"card": 3})
    assert "test_turns_calls.py" in failure.stack


PROMPT: Service[int, int] = Service(
    "prompt",
    int,
    int,
    attempt_timeout=60 * SECOND,
    retry=RetryPolicy(attempts=3, initial=timedelta(0)),
)


@workflow
async def prompted(ctx: Context, n: int) -> int:
    return await ctx.call(PROMPT, n)


async def test_an_error_of_an_attempt_that_timed_out_costs_no_attempt(make_host: MakeHost) -> None:
    """No error of attempt 1 is recorded: that it is over is known by the retry."""
    host = make_host(App("prompt", workflows=[prompted], services=[PROMPT]))
    await host.start(prompted)
    await host.wait(60)
    await host.wait(0)
    assert host.sent() == [("1", 1), ("1", 2)]
    assert (await host.fail("1", REFUSED, attempt=1)).commits == 0
    assert host.sent() == [("1", 1), ("1", 2)]
    await host.answer("1", 7, attempt=2)
    assert host.outcome() == 7


async def test_a_task_knows_when_its_attempt_is_over(make_host: MakeHost) -> None:
    host = make_host(App("prompt", workflows=[prompted], services=[PROMPT]))
    begin = host.clock.now()
    await host.start(prompted)
    await host.wait(60)
    await host.wait(0)
    deadlines = [task.deadline_ms for task in host.tasks()]
    assert deadlines == [begin + 60_000, begin + 120_000]
