"""Shapes that are told and asked: signals, updates, conditions, and what they say of themselves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.signal import Signal, Update
from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import workflow
from lambda_workflow.testing.simulation.corpus.contracts import DOUBLE
from lambda_workflow.testing.simulation.corpus.plain import few
from lambda_workflow.testing.simulation.outside import Guest
from lambda_workflow.testing.simulation.shape import Outcome, Shape, returns

NUMBER = Signal("number", int)
WORD = Signal("word", str)
ADD: Update[int, int] = Update("add", int, int)


def number_senders(guest: Guest, count: int) -> None:
    """So many numbers, in any order."""
    for number in range(count):
        guest.signal("number", number)


def told(outcome: Outcome, name: str = "number") -> list[object]:
    """What was recorded of a signal, in order."""
    facts = [event for turn in outcome.turns for event in turn.events]
    return [x.payload for x in facts if isinstance(x, e.Signalled) and x.name == name]


@workflow
async def told_numbers(ctx: Context, count: int) -> list[int]:
    return [await ctx.wait_signal(NUMBER) for _ in range(count)]


@workflow
async def told_before(ctx: Context, count: int) -> list[int]:
    """They come while nobody waits."""
    await ctx.sleep(timedelta(hours=1))
    numbers = []
    async for number in ctx.signals(NUMBER):
        numbers.append(number)
        await ctx.call(DOUBLE, number)
        if len(numbers) == count:
            return numbers
    return []


def _in_order(count: int, outcome: Outcome) -> bool:
    numbers = told(outcome)
    return (
        outcome.status is Status.COMPLETED
        and outcome.result == numbers
        and sorted(map(str, numbers)) == [str(number) for number in range(count)]
    )


@workflow
async def told_two_kinds(ctx: Context, count: int) -> list[object]:
    async def numbers() -> int:
        return sum([await ctx.wait_signal(NUMBER) for _ in range(count)])

    async def words() -> str:
        return "".join(sorted([await ctx.wait_signal(WORD) for _ in range(2)]))

    return list(await asyncio.gather(numbers(), words()))


def _both_kinds(guest: Guest, count: int) -> None:
    number_senders(guest, count)
    guest.signal("word", "a")
    guest.signal("word", "b")
    guest.signal("unheard", "of")


@workflow
async def told_or_not(ctx: Context, count: int) -> int:
    """Waits for as long as it likes; what comes later is nobody's."""
    heard = 0
    try:
        async with asyncio.timeout(300):
            async for _ in ctx.signals(NUMBER):
                heard += 1
                await ctx.call(DOUBLE, heard)
    except TimeoutError:
        pass
    return heard


def _no_more_than_told(count: int, outcome: Outcome) -> bool:
    heard = outcome.result
    return (
        outcome.status is Status.COMPLETED
        and isinstance(heard, int)
        and heard <= len(told(outcome)) <= count
    )


@workflow
async def balanced(ctx: Context, count: int) -> int:
    """A condition over what signals and calls have brought."""
    total = 0

    async def listen() -> None:
        nonlocal total
        async for number in ctx.signals(NUMBER):
            total += await ctx.call(DOUBLE, number)

    listening = asyncio.create_task(listen())
    await ctx.wait_until(lambda: total >= count * (count - 1))
    listening.cancel()
    return total


@workflow
async def impatient(ctx: Context, count: int) -> bool:
    seen: dict[int, int] = {}

    async def listen() -> None:
        async for number in ctx.signals(NUMBER):
            seen[number] = await ctx.call(DOUBLE, number)

    listening = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(120):
            await ctx.wait_until(lambda: len(seen) == count)
    except TimeoutError:
        return False
    finally:
        listening.cancel()
    return True


def _patience(count: int, outcome: Outcome) -> bool:
    return outcome.status is Status.COMPLETED and (
        outcome.result is False or len(told(outcome)) >= count
    )


@workflow
async def asked(ctx: Context, count: int) -> int:
    total = answered = 0
    async for update in ctx.updates(ADD):
        if update.payload % 2:
            total += await ctx.call(DOUBLE, update.payload)
            update.respond(total)
        else:
            update.reject("no even numbers")
        answered += 1
        if answered == count:
            return total
    return -1


def _askers(guest: Guest, count: int) -> None:
    for number in range(count):
        guest.update("add", number)


def _all_answered(count: int, outcome: Outcome) -> bool:
    answers = answers_of(outcome)
    refused = [x for x in answers if x.failure is not None]
    given = [x.payload for x in answers if x.failure is None]
    total = sum(2 * number for number in range(count) if number % 2)
    return (
        outcome.status is Status.COMPLETED
        and outcome.result == total
        and len(answers) == count
        and len(refused) == (count + 1) // 2
        and (not given or given[-1] == total)
    )


def answers_of(outcome: Outcome) -> list[c.Answer]:
    """The replies to updates, in order."""
    made = [command for turn in outcome.turns for command in turn.commands]
    return [command for command in made if isinstance(command, c.Answer)]


@workflow
async def asked_too_late(ctx: Context, count: int) -> int:
    """Answers one, and ends; the others learn of the end."""
    async for update in ctx.updates(ADD):
        update.respond(update.payload)
        break
    return count


def _one_answered(count: int, outcome: Outcome) -> bool:
    done = outcome.status is Status.COMPLETED and outcome.result == count
    return done and len(answers_of(outcome)) == 1


@workflow
async def asked_nonsense(ctx: Context, count: int) -> int:
    async for update in ctx.updates(ADD):
        update.respond(update.payload)
        return update.payload
    return -1


def _nonsense(guest: Guest, count: int) -> None:
    for _ in range(count):
        guest.update("add", "not a number")
    guest.update("add", 7, within=3_000.0)


def _nonsense_refused(count: int, outcome: Outcome) -> bool:
    answers = answers_of(outcome)
    return (
        outcome.status is Status.COMPLETED
        and outcome.result == 7
        and all((x.failure is None) == (x.payload == 7) for x in answers)
    )


@workflow
async def narrated(ctx: Context, count: int) -> int:
    """Says where it stands; law 7 compares what the listing shows."""
    for number in range(count):
        ctx.set_status({"done": number, "of": count})
        await ctx.call(DOUBLE, number)
        if number % 2:
            await ctx.sleep(timedelta(minutes=30))
    ctx.set_status("done")
    return count


SHAPES = (
    Shape(told_numbers, few, _in_order, number_senders),
    Shape(told_before, few, _in_order, number_senders),
    Shape(told_two_kinds, few, returns(lambda n: [sum(range(n)), "ab"]), _both_kinds),
    Shape(told_or_not, few, _no_more_than_told, number_senders),
    Shape(balanced, few, returns(lambda n: n * (n - 1)), number_senders),
    Shape(impatient, few, _patience, number_senders),
    Shape(asked, few, _all_answered, _askers),
    Shape(asked_too_late, few, _one_answered, _askers),
    Shape(asked_nonsense, few, _nonsense_refused, _nonsense),
    Shape(narrated, few, returns(lambda n: n)),
)
