"""Live copies, their eviction, and the checks of development: none of them changes a result."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from lambda_workflow import App, Context, Status, serve, workflow
from lambda_workflow.model import events as e
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER


@workflow
async def chain(ctx: Context, n: int) -> list[int]:
    results: list[int] = []
    for _ in range(3):
        await asyncio.sleep(1)
        results.append(await ctx.call(DOUBLE, n + len(results)))
    return results


@workflow
async def forgetful(ctx: Context, n: int) -> int:
    ctx.call(OTHER, n)
    return await ctx.call(DOUBLE, n)


@workflow
async def prudent(ctx: Context, n: int) -> int:
    given_up = ctx.call(OTHER, n)
    gathered = asyncio.gather(ctx.call(DOUBLE, n), ctx.call(DOUBLE, n))
    given_up.cancel()
    return sum(await gathered)


class Countdown:
    """What no replay repeats: it is another number each time."""

    numbers = itertools.count(1)


@workflow
async def counting(ctx: Context, n: int) -> int:
    return await ctx.call(DOUBLE, next(Countdown.numbers))


@serve(DOUBLE)
def double(n: int) -> int:
    return 2 * n


APP = App(
    "tests", workflows=[chain, counting, forgetful, prudent], adapters=[double], services=[OTHER]
)


async def shown(host: Any, names: list[str]) -> Any:
    """The outcome, and all that was recorded but for the times and the units."""
    records = []
    for name in names:
        turns = host.history(name).turns
        records.append([(turn.commands, [type(x) for x in turn.events]) for turn in turns])
    return [host.outcome(name) for name in names], records


@pytest.mark.parametrize("options", [{"live_max": 1}, {"live_max": 1000}, {"check": True}])
async def test_a_memory_of_any_size_gives_the_same_history(
    make_host: MakeHost, options: dict[str, Any]
) -> None:
    names = ["a", "b", "c"]
    seen = []
    for host in (make_host(APP, live_max=0), make_host(APP, **options)):
        for name in names:
            await host.start(chain, ord(name), execution_id=name)
        for name in names:
            await host.finish(name)
        seen.append(await shown(host, names))
    assert seen[0] == seen[1]
    assert seen[0][0] == [[2 * (ord(name) + i) for i in range(3)] for name in names]


@pytest.mark.parametrize(("live_max", "loads"), [(0, 7), (1, 1), (1000, 1)])
async def test_a_live_copy_spares_the_loads(make_host: MakeHost, live_max: int, loads: int) -> None:
    host = make_host(APP, live_max=live_max)
    await host.start(chain)
    await host.finish()
    assert host.store.loads == loads


async def test_the_least_recently_used_copy_goes_first(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=2)
    for name in "abac":  # the repeated start of a is a use of it
        await host.start(forgetful, execution_id=name)
    host.store.loads = 0
    await host.start(forgetful, execution_id="a")
    await host.start(forgetful, execution_id="c")
    assert host.store.loads == 0
    await host.start(forgetful, execution_id="b")
    assert host.store.loads == 1


async def test_an_evicted_execution_is_unwound_and_goes_on_from_the_store(
    make_host: MakeHost,
) -> None:
    unwound: list[str] = []

    @workflow
    async def tidy(ctx: Context, n: int) -> int:
        try:
            return await ctx.call(DOUBLE, n)
        finally:
            unwound.append("finally")
            await ctx.call(OTHER, n)

    host = make_host(App("tests", workflows=[tidy], services=[DOUBLE, OTHER]))
    await host.start(tidy)
    assert unwound == []
    host.turns.evict("e")
    assert unwound == ["finally"]
    assert host.sent() == [("1", 1)]
    await host.answer("1", 10)
    assert host.sent() == [("1", 1), ("2", 1)]
    await host.answer("2", 0)
    assert host.outcome() == 10


async def test_an_ended_execution_is_not_kept(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(forgetful)
    await host.answer("2", 4)
    host.store.loads = 0
    await host.answer("2", 4)
    assert host.store.loads == 1


async def test_check_finds_at_once_what_no_replay_repeats(make_host: MakeHost) -> None:
    host = make_host(APP, check=True)
    result = await host.start(counting)
    assert result.status is Status.BLOCKED
    reason = host.history().turns[-1].reason
    assert "test_turns_memory.py:" in reason
    assert (
        "calls `double` otherwise than the history has it (operation 1, turn 1, command 1)"
        in reason
    )
    assert host.queue.tasks == []


async def test_without_check_it_is_found_by_the_next_replay(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    await host.start(counting)
    assert host.status() is Status.RUNNING
    await host.answer("1", 10)
    assert host.status() is Status.BLOCKED
    (fact,) = host.history().turns[-1].events
    assert isinstance(fact, e.CallSucceeded)


async def test_strict_fails_on_a_call_that_nobody_awaits(make_host: MakeHost) -> None:
    host = make_host(APP, strict=True)
    await host.start(forgetful)
    await host.answer("2", 4)
    failure = host.outcome()
    assert isinstance(failure, e.Failure)
    assert (failure.type, failure.retryable) == ("UnawaitedCall", False)
    line = forgetful.function.__code__.co_firstlineno + 2
    assert failure.message == (
        f"tests/runtime/test_turns_memory.py:{line} starts `other` (operation 1) and nobody "
        "awaits it: await it, or gather it with the others"
    )


async def test_live_a_call_that_nobody_awaits_is_a_warning(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(forgetful)
    assert host.notes.of("unawaited") == []
    await host.answer("2", 4)
    assert host.outcome() == 4
    (note,) = host.notes.of("unawaited")
    assert (note.fields["operation"], note.fields["name"]) == ("1", "other")


async def test_an_exception_that_nobody_looks_at_is_told_once(make_host: MakeHost) -> None:
    @workflow
    async def careless(ctx: Context, n: int) -> int:
        async def fails() -> None:
            raise ValueError("bad")

        asyncio.ensure_future(fails())  # noqa: RUF006  # that nobody holds it is the case
        await ctx.call(DOUBLE, n)
        return await ctx.call(DOUBLE, n)

    host = make_host(App("tests", workflows=[careless], services=[DOUBLE]), live_max=0)
    await host.start(careless)
    await host.answer("1", 2)
    await host.answer("2", 2)
    assert host.outcome() == 2
    (note,) = host.notes.of("unseen")
    fields = dict(note.fields)
    assert fields.pop("line").startswith("tests/runtime/test_turns_memory.py:")
    assert fields == {
        "message": "the background task 1 has ended in an error",
        "error": "ValueError",
    }


@pytest.mark.parametrize("live_max", [0, 10])
async def test_a_background_task_is_told_of_when_it_dies(
    make_host: MakeHost, live_max: int
) -> None:
    @workflow
    async def careless(ctx: Context, n: int) -> int:
        async def fails() -> None:
            await ctx.call(OTHER, n)
            raise ValueError("bad")

        async def looked_at() -> None:
            raise LookupError("seen")

        kept = asyncio.create_task(fails(), name="listener")
        await asyncio.gather(asyncio.create_task(looked_at()), return_exceptions=True)
        await ctx.call(DOUBLE, n)
        return len(kept.get_name())

    host = make_host(
        App("tests", workflows=[careless], services=[DOUBLE, OTHER]), live_max=live_max
    )
    await host.start(careless)
    await host.answer("1.1", 2)
    (note,) = host.notes.of("unseen")
    assert note.fields["message"] == "the background task listener has ended in an error"
    await host.answer("1", 2)
    assert host.outcome() == 8
    assert len(host.notes.of("unseen")) == 1


async def test_a_call_that_is_gathered_or_given_up_is_not_unawaited(make_host: MakeHost) -> None:
    host = make_host(APP, strict=True, check=True)
    await host.start(prudent)
    assert host.sent() == [("2", 1), ("3", 1)]  # begun and given up in one turn: never sent
    await host.finish()
    assert host.outcome() == 4


async def test_the_guard_blocks_a_clock_in_workflow_code(make_host: MakeHost) -> None:
    import time

    @workflow
    async def clocked(ctx: Context, n: int) -> float:
        await ctx.call(DOUBLE, n)
        return time.time()

    host = make_host(App("tests", workflows=[clocked], services=[DOUBLE]), guard=True)
    await host.start(clocked)
    await host.answer("1", 2)
    assert host.status() is Status.BLOCKED
    assert "ctx.now()" in host.history().turns[-1].reason
