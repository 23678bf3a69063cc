"""A bug of the code is no outcome: it blocks, says where it is, and goes on once corrected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    BUGS,
    App,
    CallFailed,
    ConfigurationError,
    Context,
    EncodeError,
    RetryPolicy,
    ServiceError,
    Status,
    UsageError,
    Workflow,
    workflow,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER, Host

Code = Callable[[Context, int], Awaitable[Any]]


def app(code: Code, *, own: Any = None, **options: Any) -> App:
    made: Workflow[int, Any] = workflow(name="flow", bugs=own)(code)  # type: ignore[arg-type]
    return App("tests", workflows=[made], services=[DOUBLE, OTHER], **options)


async def fixed(ctx: Context, n: int) -> Any:
    return await ctx.call(DOUBLE, n)


async def attribute(ctx: Context, n: int) -> Any:
    doubled: Any = await ctx.call(DOUBLE, n)
    return doubled.nope


async def key(ctx: Context, n: int) -> Any:
    return {-1: "never"}[await ctx.call(DOUBLE, n)]


async def number_for_a_duration(ctx: Context, n: int) -> Any:
    await ctx.sleep(await ctx.call(DOUBLE, n))  # type: ignore[arg-type]


async def dict_for_a_number(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    return await ctx.call(OTHER, {"n": n})  # type: ignore[misc]


async def no_json(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    return object()


async def thread(ctx: Context, n: int) -> Any:
    return await asyncio.to_thread(int, await ctx.call(DOUBLE, n))


async def no_name(ctx: Context, n: int) -> Any:
    return await ctx.call(DOUBLE, n) + undefined_name  # type: ignore[name-defined]  # noqa: F821


async def no_module(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    import no_such_module  # type: ignore[import-not-found]  # noqa: F401


async def recursion(ctx: Context, n: int) -> Any:
    async def again(n: int) -> int:
        return await again(n + 1)

    return await again(await ctx.call(DOUBLE, n))


async def to_do(ctx: Context, n: int) -> Any:
    await ctx.call(DOUBLE, n)
    raise NotImplementedError


async def asserted(ctx: Context, n: int) -> Any:
    assert await ctx.call(DOUBLE, n) == -1, "not minus one"


async def in_a_group(ctx: Context, n: int) -> Any:
    async def waits() -> None:
        await ctx.call(OTHER, n)

    async with asyncio.TaskGroup() as group:
        group.create_task(waits())
        group.create_task(attribute(ctx, n))


async def in_a_map(ctx: Context, n: int) -> Any:
    batch = await ctx.map(attribute, [n, n + 1])
    return len(batch.errors)


async def in_a_branch(ctx: Context, n: int) -> Any:
    batch = await ctx.parallel([lambda ctx: attribute(ctx, n), lambda ctx: fixed(ctx, n)])
    return len(batch.errors)


async def in_a_retried_block(ctx: Context, n: int) -> Any:
    policy = RetryPolicy(attempts=3, initial=timedelta(seconds=1))
    return await ctx.retry(attribute, n, policy=policy)


async def in_a_saga(ctx: Context, n: int) -> Any:
    async with ctx.saga() as saga:
        saga.on_rollback(OTHER, n)
        await attribute(ctx, n)


async def in_a_compensation(ctx: Context, n: int) -> Any:
    async with ctx.saga() as saga:
        saga.on_rollback(attribute, n)
        raise ValueError("undo it")


async def in_a_condition(ctx: Context, n: int) -> Any:
    left = [await ctx.call(DOUBLE, n)]

    async def take() -> None:
        await ctx.call(DOUBLE, n)
        left.pop()

    task = asyncio.create_task(take())
    await ctx.wait_until(lambda: left[0] < 0)
    await task


BROKEN: list[tuple[Code, str]] = [
    (attribute, "AttributeError"),
    (key, "KeyError"),
    (number_for_a_duration, "ConfigurationError"),
    (dict_for_a_number, "EncodeError"),
    (no_json, "EncodeError"),
    (thread, "UsageError"),
    (no_name, "NameError"),
    (no_module, "ModuleNotFoundError"),
    (recursion, "RecursionError"),
    (to_do, "NotImplementedError"),
    (asserted, "AssertionError"),
    (in_a_group, "AttributeError"),
    (in_a_map, "AttributeError"),
    (in_a_branch, "AttributeError"),
    (in_a_retried_block, "AttributeError"),
    (in_a_saga, "AttributeError"),
    (in_a_compensation, "AttributeError"),
    (in_a_condition, "IndexError"),
]


def commands_of(host: Host) -> list[Any]:
    return [command for turn in host.history().turns for command in turn.commands]


async def serve_until_it_stops(host: Host) -> None:
    """Answer every task with its double, until nothing is sent any more."""
    answered = 0
    for _ in range(6):
        sends = host.queue.tasks[answered:]
        answered += len(sends)
        for send in sends:
            operation = send.task.task_id.partition("/")[2]
            if send.task.service == "double":
                await host.answer(operation, 2 * send.task.payload)  # type: ignore[operator]


@pytest.mark.parametrize(("broken", "kind"), BROKEN)
@pytest.mark.parametrize("check", [False, True])
async def test_a_bug_blocks_with_its_place_and_nothing_of_its_turn_is_sent(
    make_host: MakeHost, broken: Code, kind: str, check: bool
) -> None:
    host = make_host(app(broken), check=check)
    await host.start(host.app.workflows["flow"])
    await serve_until_it_stops(host)
    assert host.status() is Status.BLOCKED
    last = host.history().turns[-1]
    assert last.commands == ()
    assert isinstance(last.events[-1], e.CallSucceeded)
    assert last.reason.startswith(f"WorkflowBug: {kind} at tests/runtime/test_bugs.py:")
    assert "in workflow `flow`, execution e" in last.reason
    assert "redrive" in last.reason
    assert "lambda_workflow/" not in last.reason
    assert "asyncio/" not in last.reason
    assert not any(isinstance(command, c.Fail) for command in commands_of(host))
    assert "other" not in {send.task.service for send in host.queue.tasks} or broken is in_a_group
    # the same code again: blocked still, and nothing is made of it
    await host.redrive()
    assert host.status() is Status.BLOCKED
    assert host.history().turns[-1].reason == last.reason


@pytest.mark.parametrize("broken", [attribute, key, no_json, thread, asserted])
async def test_it_goes_on_from_there_once_the_code_is_corrected(
    make_host: MakeHost, broken: Code
) -> None:
    host = make_host(app(broken))
    await host.start(host.app.workflows["flow"])
    await host.answer("1", 2)
    assert host.status() is Status.BLOCKED
    host.deploy(app(fixed))
    await host.redrive()
    assert (host.status(), host.outcome()) == (Status.COMPLETED, 2)
    assert host.sent() == [("1", 1)]


async def test_the_reason_is_that_of_the_last_try(make_host: MakeHost) -> None:
    host = make_host(app(attribute))
    await host.start(host.app.workflows["flow"])
    await host.answer("1", 2)
    host.deploy(app(key))
    await host.redrive()
    assert "KeyError" in host.history().turns[-1].reason
    assert [note.fields["reason"][:28] for note in host.notes.of("blocked")] == [
        "WorkflowBug: AttributeError ",
        "WorkflowBug: KeyError at tes",
    ]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("where", ["app", "workflow"])
async def test_without_bugs_every_exception_ends_it(
    make_host: MakeHost, where: str, check: bool
) -> None:
    made = app(attribute, bugs=()) if where == "app" else app(attribute, own=())
    host = make_host(made, check=check)
    await host.start(host.app.workflows["flow"])
    await host.answer("1", 2)
    assert host.outcome().type == "AttributeError"
    # what is recorded as its end stays its end, whatever the set of bugs is now
    host.deploy(app(attribute), check=True)
    await host.redrive()
    assert host.status() is Status.FAILED


async def test_the_workflow_s_own_set_counts_first(make_host: MakeHost) -> None:
    async def divides(ctx: Context, n: int) -> Any:
        return 1 / (await ctx.call(DOUBLE, n))

    host = make_host(app(divides, own=(*BUGS, ZeroDivisionError), bugs=()))
    await host.start(host.app.workflows["flow"])
    await host.answer("1", 0)
    assert host.status() is Status.BLOCKED


async def _broken_step(ctx: Context, how: str) -> Any:
    def look() -> int:
        raise KeyError("id")

    if how == "plain":
        return await ctx.step(look)
    if how == "raised again":
        try:
            await ctx.step(look)
        except KeyError as error:
            raise error
    if how == "group":
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.step(look))  # type: ignore[arg-type]
    if how == "saga":
        async with ctx.saga() as saga:
            saga.on_rollback(DOUBLE, 1)
            await ctx.step(look)
    if how == "map":
        (await ctx.map(lambda ctx, n: ctx.step(look), [1])).raise_if_failed()
    if how == "retry":
        policy = RetryPolicy(attempts=2, initial=timedelta(seconds=1))
        return await ctx.retry(lambda ctx: ctx.step(look), policy=policy)
    return None


@pytest.mark.parametrize("how", ["plain", "raised again", "group", "saga", "map", "retry"])
async def test_what_an_operation_raised_is_its_outcome(make_host: MakeHost, how: str) -> None:
    async def code(ctx: Context, n: int) -> Any:
        return await _broken_step(ctx, how)

    host = make_host(app(code), check=True)
    await host.start(host.app.workflows["flow"])
    if how == "saga":
        await host.answer("1.1", 2) if "1.1" in host.history().open else None
        for operation in list(host.history().open):
            await host.answer(operation, 2)
    if how == "retry":
        await host.wait(2)
    assert host.status() is Status.FAILED


@pytest.mark.parametrize(
    "error", [ValueError("no"), ServiceError("no"), CallFailed("no"), RuntimeError("no")]
)
async def test_what_is_raised_on_purpose_ends_it(make_host: MakeHost, error: Exception) -> None:
    async def raises(ctx: Context, n: int) -> Any:
        raise error

    host = make_host(app(raises))
    await host.start(host.app.workflows["flow"])
    assert host.status() is Status.FAILED


async def test_what_the_code_catches_is_no_end(make_host: MakeHost) -> None:
    async def catches(ctx: Context, n: int) -> Any:
        try:
            await ctx.call(DOUBLE, "one")  # type: ignore[misc]
        except EncodeError:
            return "caught"

    host = make_host(app(catches), check=True)
    await host.start(host.app.workflows["flow"])
    assert host.outcome() == "caught"


@pytest.mark.parametrize("bugs", [ValueError, [ValueError], ("ValueError",), (1,)])
def test_what_is_no_set_of_bugs_is_refused(bugs: Any) -> None:
    with pytest.raises(ConfigurationError, match="give a tuple of exception classes"):
        App("tests", bugs=bugs)
    with pytest.raises(ConfigurationError, match="bugs of workflow 'fixed'"):
        workflow(bugs=bugs)(fixed)


def test_misuse_is_a_bug() -> None:
    assert issubclass(UsageError, BUGS)
    assert not issubclass(CallFailed, BUGS)
