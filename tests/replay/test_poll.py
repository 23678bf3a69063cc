"""ctx.poll: look again and again, until a condition holds or time is up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    Backoff,
    CallFailed,
    ConfigurationError,
    Context,
    EncodeError,
    PollTimedOut,
    Service,
)
from lambda_workflow.model import commands as c
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.replayer import replay
from tests.replay.driving import (
    DOUBLE,
    REFUSING,
    START,
    drive,
    every_order,
    flow,
    ids,
    replays,
    result,
    tools,
)

MINUTE = timedelta(minutes=1)


def pauses(turns: list[Turn]) -> list[float]:
    """The seconds between each start of a timer and its time."""
    found = []
    for turn in turns:
        timers = [command for command in turn.commands if isinstance(command, c.StartTimer)]
        found += [(timer.due - turn.events[-1].at) / 1000 for timer in timers]
    return found


async def grown(ctx: Context, n: int) -> Any:
    return await ctx.poll(DOUBLE, n, until=lambda state: state > 20, every=MINUTE)


def test_each_check_gets_what_the_last_one_gave() -> None:
    turns = drive(flow(grown), n=3)
    assert result(turns) == 24
    assert pauses(turns) == [60, 60]
    assert ids(turns) == ["1.1", "1.2t", "1.3", "1.4t", "1.5"]
    replays(flow(grown), turns)


def test_a_condition_that_holds_at_once_needs_no_timer() -> None:
    assert ids(drive(flow(grown), n=30)) == ["1.1"]


def test_each_check_gets_the_same_where_nothing_is_carried() -> None:
    seen: list[int] = []

    async def code(ctx: Context, n: int) -> Any:
        def enough(state: int) -> bool:
            seen.append(state)
            return len(seen) == 3

        seen.clear()
        return await ctx.poll(DOUBLE, n, until=enough, every=MINUTE, carry=False)

    assert result(drive(flow(code))) == 6
    assert seen == [6, 6, 6]


def test_an_async_function_of_context_and_state_is_workflow_code() -> None:
    async def look(ctx: Context, state: list[int]) -> list[int]:
        return [*state, await ctx.call(DOUBLE, len(state))]

    async def code(ctx: Context, n: int) -> Any:
        return await ctx.poll(look, [], until=lambda state: len(state) == n, every=MINUTE)

    shape = flow(code)
    turns = drive(shape)
    assert result(turns) == [0, 2, 4]
    replays(shape, turns)


def test_pauses_grow_to_their_cap() -> None:
    backoff = Backoff(initial=timedelta(seconds=10), cap=timedelta(seconds=50), factor=2)

    async def code(ctx: Context, n: int) -> Any:
        return await ctx.poll(DOUBLE, 1, until=lambda state: state > 20, backoff=backoff)

    assert pauses(drive(flow(code))) == [10, 20, 40, 50]


def test_jitter_is_the_same_on_every_replay() -> None:
    async def code(ctx: Context, n: int) -> Any:
        backoff = Backoff(jitter=0.5, factor=1, initial=MINUTE, cap=MINUTE)
        return await ctx.poll(DOUBLE, 1, until=lambda state: state > 9, backoff=backoff)

    shape = flow(code)
    turns = drive(shape)
    assert len({*pauses(turns)}) == 3
    assert all(30 <= pause <= 60 for pause in pauses(turns))
    for length in range(len(turns)):  # to the millisecond, which `replays` would let pass
        events = turns[length].events
        decision = replay(shape, "e", turns[:length], tools(shape), events=events)
        assert decision.commands == turns[length].commands


async def impatient(ctx: Context, n: int) -> Any:
    try:
        return await ctx.poll(
            DOUBLE, n, until=lambda state: False, every=MINUTE, timeout=2.5 * MINUTE, name="job"
        )
    except PollTimedOut as late:
        return [isinstance(late, TimeoutError), late.state, late.checks, str(late)]


def test_time_is_up_between_two_checks() -> None:
    turns = drive(flow(impatient), n=1)
    late, state, checks, told = result(turns)
    assert (late, state, checks) == (True, 8, 3)
    assert told.startswith("poll 'job': its condition did not hold within 0:02:30, in 3 checks")
    assert turns[-1].events[-1].at == START + 150_000
    replays(flow(impatient), turns)


def test_time_is_up_during_a_check_which_is_cancelled() -> None:
    def timers_first(asked: list[Any]) -> int:
        timers = [command for command in asked if isinstance(command, c.StartTimer)]
        return asked.index(min(timers, key=lambda timer: timer.due))

    turns = drive(flow(impatient), timers_first, n=1)
    assert result(turns)[1:3] == [1, 0]
    assert c.CancelCall("1.2") in turns[-1].commands


def test_it_replays_alike_whether_an_answer_or_the_time_limit_comes_first() -> None:
    shape = flow(impatient)
    outcomes = set()
    for turns in every_order(shape, together=2):
        replays(shape, turns)
        outcomes.add(result(turns)[2])
    assert len(outcomes) > 1


def test_a_check_that_fails_ends_the_poll() -> None:
    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(CallFailed):
            await ctx.poll(REFUSING, 1, until=bool, every=MINUTE)
        return "failed"

    assert result(drive(flow(code))) == "failed"


def test_an_inner_timeout_is_not_taken_for_the_polls_own() -> None:
    async def look(ctx: Context, state: int) -> int:
        raise TimeoutError("the look's own")

    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(TimeoutError, match="the look's own"):
            await ctx.poll(look, 1, until=bool, every=MINUTE, timeout=MINUTE)
        return "seen"

    assert result(drive(flow(code))) == "seen"


def test_a_state_that_does_not_fit_the_service_is_refused() -> None:
    strings: Service[Any, Any] = DOUBLE

    async def code(ctx: Context, n: int) -> Any:
        with pytest.raises(EncodeError):
            await ctx.poll(strings, "one", until=bool, every=MINUTE)
        return "refused"

    assert result(drive(flow(code))) == "refused"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "give either every=timedelta"),
        ({"every": MINUTE, "backoff": Backoff()}, "give either every=timedelta"),
        ({"every": timedelta(0)}, "timeout of poll, its `every`"),
        ({"every": timedelta(microseconds=1)}, "at least 1 millisecond"),
        ({"every": MINUTE, "timeout": timedelta(0)}, "timeout of poll is"),
        ({"every": MINUTE, "name": 7}, "poll name is 7: give text"),
        ({"every": MINUTE, "check": 3}, "is no check; give a Service"),
        ({"every": MINUTE, "check": lambda: 3}, "takes 0 arguments, and is called with one or two"),
    ],
)
def test_a_bad_option_is_refused_at_the_call(options: dict[str, Any], told: str) -> None:
    async def code(ctx: Context, n: int) -> Any:
        given: Any = {"check": DOUBLE, "state": 1, "until": bool, **options}
        with pytest.raises(ConfigurationError) as caught:
            _ = ctx.poll(**given)  # not awaited
        return str(caught.value)

    assert told in result(drive(flow(code)))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"factor": 0.5}, "Backoff: factor is 0.5"),
        ({"cap": timedelta(0)}, "Backoff: cap is"),
        ({"jitter": 2}, "Backoff: jitter is 2"),
        ({"initial": timedelta(0)}, "at least 1 millisecond"),
    ],
)
def test_a_bad_backoff_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Backoff(**arguments)
