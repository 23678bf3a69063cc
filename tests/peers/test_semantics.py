"""Semantics that peers get wrong, and that must be right here: each on every backend."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lambda_workflow import (
    CallbackClosed,
    CallbackTimedOut,
    CallFailed,
    Client,
    Context,
    RetryPolicy,
    Service,
    Suspended,
    serve,
)
from tests.peers.family import Family, World
from tests.peers.services import ADAPTERS, NOTE, TRY, Note, Try

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ONCE = RetryPolicy(attempts=1)

BREAK: Service[str, int] = Service("break", str, int, retry=ONCE)


class Broken(Exception):
    """An adapter's own error."""


@serve(BREAK)
async def breaks(key: str) -> int:
    """Fails somewhere deep inside."""

    def deep_inside() -> int:
        raise Broken("in two")

    return deep_inside()


family = Family("semantics", *ADAPTERS, breaks)


# finally runs once, at the real end


@family.workflow
async def tidies(ctx: Context, key: str) -> str:
    try:
        await ctx.sleep(MINUTE)
        async with ctx.scope("inner"):
            try:
                return await ctx.call(NOTE, Note(key, "work"))
            finally:
                await ctx.call(NOTE, Note(key, "inner"))
    finally:
        await ctx.call(NOTE, Note(key, "outer"))


@family.case
async def test_finally_runs_once_at_the_real_end(world: World) -> None:
    """Suspensions unwind the stack as well; a cleanup in `finally` must not be sent then."""
    assert await world.run(tidies, world.key) == "WORK"
    assert world.log == ["work", "inner", "outer"]


# a suspension is nobody's outcome


@family.workflow
async def suspicious(ctx: Context, key: str) -> list[str]:
    caught: list[str] = []
    try:
        await ctx.sleep(MINUTE)
    except BaseException as error:
        caught.append(type(error).__name__)
        raise
    try:
        said = await ctx.call(NOTE, Note(key, "asked"))
    except:
        caught.append("bare")
        raise
    both = await asyncio.gather(
        ctx.call(NOTE, Note(key, "one")), ctx.call(BREAK, key), return_exceptions=True
    )
    assert not any(isinstance(one, Suspended) for one in both)
    return [said, *(one if isinstance(one, str) else type(one).__name__ for one in both), *caught]


@family.case
async def test_a_suspension_is_nobodys_outcome(world: World) -> None:
    """`except BaseException`, bare `except` and `return_exceptions` see results and errors only."""
    assert await world.run(suspicious, world.key) == ["ASKED", "ONE", "CallFailed"]


@family.workflow
async def swallows(ctx: Context, key: str) -> str:
    """Worse: code that swallows whatever it can."""
    for n in range(3):
        try:
            await ctx.sleep(MINUTE)
            await ctx.call(NOTE, Note(key, f"{n}"))
        except BaseException:  # noqa: BLE001  # that is the point
            await ctx.call(NOTE, Note(key, "swallowed"))
    return "done"


@family.case
async def test_even_code_that_swallows_everything_suspends(world: World) -> None:
    """It can neither keep the execution from suspending nor send anything meanwhile."""
    assert await world.run(swallows, world.key) == "done"
    assert world.log == ["0", "1", "2"]


# exceptions keep what they say


@family.workflow
async def told(ctx: Context, key: str) -> list[Any]:
    try:
        await ctx.call(BREAK, key)
    except CallFailed as error:
        first = [error.type, error.message, "deep_inside" in (error.stack or "")]
    try:
        await ctx.call(TRY, Try(key, 9, "Refused", {"code": 51}), retry=ONCE)
    except CallFailed as error:
        second = [error.type, error.message, error.details, error.attempts]
    await ctx.sleep(MINUTE)
    return [*first, *second]


@family.case
async def test_errors_keep_type_message_details_and_stack(world: World) -> None:
    """On the first run and after the replay."""
    first, *rest = await world.run(told, world.key)
    assert first.endswith("Broken")
    assert rest == ["in two", True, "Refused", "attempt 1", {"code": 51}, 1]


class OutOfStock(LookupError):
    """A step's own error."""


def find(item: str) -> str:
    raise OutOfStock(f"no {item}")


@family.workflow
async def own_class(ctx: Context, item: str) -> list[str]:
    try:
        await ctx.step(find, item)
    except OutOfStock as error:
        seen = [type(error).__name__, str(error)]
    await ctx.sleep(MINUTE)
    try:
        await ctx.step(find, item)
    except LookupError as error:
        seen += [type(error).__name__, str(error)]
    return seen


@family.case
async def test_a_steps_own_exception_class_is_raised_again(world: World) -> None:
    """So that `except` clauses, of base classes too, work as they do without the engine."""
    assert await world.run(own_class, "lamp") == ["OutOfStock", "no lamp"] * 2


# values come back as what they were declared to be


@dataclass(frozen=True)
class Parcel:
    """A value of every awkward kind."""

    counts: dict[int, str]
    size: tuple[int, float]
    tags: frozenset[str]
    at: datetime
    parts: list[tuple[str, int]]


PACK: Service[Parcel, Parcel] = Service("pack", Parcel, Parcel)
PARCEL = Parcel(
    {1: "one", -2: "two"},
    (3, 0.5),
    frozenset({"a", "b"}),
    datetime(2026, 2, 28, 12, 30, 0, 123456, tzinfo=UTC),
    [("x", 1)],
)


@serve(PACK)
async def pack(parcel: Parcel) -> Parcel:
    """Gives back what it gets."""
    return parcel


def packed(parcel: Parcel) -> Parcel:
    return parcel


family.adapters = (*family.adapters, pack)
SEEN: dict[str, list[list[bool]]] = {}


@family.workflow
async def child(ctx: Context, parcel: Parcel) -> Parcel:
    return parcel


@family.workflow
async def ships(ctx: Context, request: tuple[str, Parcel]) -> int:
    key, parcel = request
    answer = ctx.callback(Parcel)
    await ctx.call(NOTE, Note(key, answer.token))
    values = [
        parcel,
        await ctx.step(packed, PARCEL),
        await ctx.call(PACK, PARCEL),
        await ctx.call(child, PARCEL),
        await answer,
        *(await ctx.map(PACK, [PARCEL])).results(),
    ]
    SEEN.setdefault(key, []).append([value == PARCEL for value in values])
    await ctx.sleep(MINUTE)
    SEEN[key].append([repr(value) == repr(values[0]) for value in values])
    return len(values)


@family.case
async def test_values_are_of_their_declared_types_on_first_run_and_replay(world: World) -> None:
    """Int keys stay ints, tuples tuples, sets sets: what JSON alone makes of them is no matter."""
    handle = await world.start(ships, (world.key, PARCEL))
    await world.client.complete_callback(world.log[0], PARCEL)
    assert await world.result(handle) == 6
    assert all(all(seen) for seen in SEEN[world.key])


# callbacks at awkward moments

CLIENTS: dict[str, Client] = {}


async def answer_at_once(key: str, token: str) -> str:
    await CLIENTS[key].complete_callback(token, "at once")
    return "answered"


@family.workflow
async def answered_in_its_turn(ctx: Context, key: str) -> list[str]:
    answer = ctx.callback(str)
    return [await ctx.step(answer_at_once, key, answer.token), await answer]


@family.case
async def test_a_callback_may_be_answered_in_the_turn_that_opens_it(world: World) -> None:
    """The one who gets the token is quicker than the worker that gave it out."""
    CLIENTS[world.key] = world.client
    assert await world.run(answered_in_its_turn, world.key) == ["answered", "at once"]


@family.workflow
async def asks(ctx: Context, key: str) -> list[str]:
    answer = ctx.callback(str, timeout=10 * MINUTE)
    await ctx.call(NOTE, Note(key, answer.token))
    try:
        got = await answer
    except CallbackTimedOut:
        got = "nobody"
    await ctx.sleep(HOUR)
    return [got]


@family.case
async def test_a_callback_is_answered_once(world: World) -> None:
    """Two answers at one moment: one counts; one after it is refused to its sender."""
    handle = await world.start(asks, world.key)
    token = world.log[0]
    answers = [world.client.complete_callback(token, text) for text in ("first", "second")]
    await asyncio.gather(*answers)
    await world.settled()
    await world.refused(world.client.complete_callback(token, "third"), CallbackClosed)
    assert await world.result(handle) in (["first"], ["second"])


@family.case
async def test_an_answer_after_the_timeout_is_refused(world: World) -> None:
    """And changes nothing."""
    handle = await world.start(asks, world.key)
    await world.at(20 * MINUTE)
    await world.refused(world.client.complete_callback(world.log[0], "late"), CallbackClosed)
    assert await world.result(handle) == ["nobody"]


@family.case
async def test_an_answer_races_the_timeout_and_one_wins(world: World) -> None:
    """At the very moment: whichever is recorded first counts, in the replay as well."""
    handle = await world.start(asks, world.key)
    history = await world.client.history(handle.execution_id)
    due = min(timer.due for timer in history.open.values() if hasattr(timer, "due"))
    await world.until(due)
    try:
        await world.client.complete_callback(world.log[0], "in time")
    except CallbackClosed:
        assert await world.result(handle) == ["nobody"]
    else:
        assert await world.result(handle) in (["in time"], ["nobody"])


# timers at one moment


@family.workflow
async def photo_finish(ctx: Context, key: str) -> list[str]:
    winners = []
    for _ in range(3):
        racers = {asyncio.ensure_future(asyncio.sleep(60)): name for name in ("a", "b", "c")}
        done, pending = await asyncio.wait(racers, return_when=asyncio.FIRST_COMPLETED)
        winners.append("".join(sorted(racers[task] for task in done)))
        for task in pending:
            task.cancel()
    return winners


@family.case
async def test_timers_of_one_moment_have_the_same_winner_on_replay(world: World) -> None:
    """Law 4 of the family replays it."""
    winners = await world.run(photo_finish, world.key)
    assert len(winners) == 3
    assert all(winners)


@family.workflow
async def late_result(ctx: Context, key: str) -> list[str]:
    """A result and a timeout in one turn: the code decides by the order of the records."""
    outcomes = []
    for seconds in (60.0, 59.999, 60.001):
        try:
            async with asyncio.timeout(60):
                await asyncio.sleep(seconds)
            outcomes.append("slept")
        except TimeoutError:
            outcomes.append("timed out")
    return outcomes


@family.case
async def test_a_timeout_and_what_it_limits_end_at_one_moment(world: World) -> None:
    """To the millisecond; of two at the same one, either may win, but once and for all."""
    same, before, after = await world.run(late_result, world.key)
    assert {same, before} <= {"slept", "timed out"}
    assert after == "timed out" or world.host.name == "aws"
    assert before == "slept" or world.host.name == "aws"  # a queue knows seconds only


@family.workflow
async def milliseconds(ctx: Context, _: None) -> list[int]:
    order: list[int] = []

    async def after(ms: int) -> None:
        await asyncio.sleep(ms / 1000)
        order.append(ms)

    await asyncio.gather(*(after(ms) for ms in (30, 1, 250, 2, 10)))
    return order


@family.case
async def test_timers_of_milliseconds_fire_in_order(world: World) -> None:
    """On AWS a queue may mix timers of one second, if they come in different batches."""
    order = await world.run(milliseconds, None)
    assert sorted(order) == [1, 2, 10, 30, 250]
    assert order == sorted(order) or world.host.name == "aws"
