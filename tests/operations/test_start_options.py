"""Start options: conflicts of ids, delayed starts, execution timeouts, tags and memo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    Client,
    ConfigurationError,
    Context,
    EncodeError,
    ExecutionAlreadyStarted,
    ExecutionCancelled,
    ExecutionTerminated,
    ExecutionTimedOut,
    LimitExceeded,
    Service,
    Signal,
    Status,
    serve,
    workflow,
)
from lambda_workflow.model.events import StartOptions
from lambda_workflow.model.messages import Request
from lambda_workflow.ports import SendMessage
from tests.operations.host import Host

GO = Signal("go", int)
DOUBLE: Service[int, int] = Service("double", int, int)
UNKNOWN: Service[int, int] = Service("unknown", int, int)
HOUR = timedelta(hours=1)


@serve(DOUBLE)
def double(n: int) -> int:
    return 2 * n


@dataclass(frozen=True)
class Seen:
    tags: dict[str, str]
    memo: Any


@workflow
async def quick(ctx: Context, n: int) -> int:
    return 2 * n


@workflow
async def waits(ctx: Context, n: int) -> int:
    ctx.set_status({"n": n})
    return n + await ctx.wait_signal(GO)


@workflow
async def sleeps(ctx: Context, hours: int) -> str:
    began = ctx.now()
    await ctx.sleep(timedelta(hours=hours))
    return str(ctx.now() - began)


@workflow
async def looks(ctx: Context, n: int) -> Seen:
    return Seen(dict(ctx.info.tags), ctx.info.memo)


@workflow
async def stuck(ctx: Context, n: int) -> int:
    await ctx.call(DOUBLE, n)
    return await ctx.call(UNKNOWN, n)


app = App("starts", workflows=[quick, waits, sleeps, looks, stuck], adapters=[double])


async def status(client: Client, execution_id: str) -> Status:
    return (await client.describe(execution_id)).status


# handles


async def test_a_handle_waits_for_the_first_turn(host: Host) -> None:
    async with host(app) as client:
        one = await client.start(waits, 1)
        assert (await one.describe()).status is Status.RUNNING
        history = await (await client.start(waits, 1)).history()
        assert history.started is not None
        assert "waits" in await (await client.start(waits, 1)).export()
        another = await client.start(waits, 1)
        await another.redrive()
        await another.signal(GO, 1)
        assert await host.result(another) == 2


# conflicts of ids


async def test_an_id_is_used_as_the_policy_says(host: Host) -> None:
    async with host(app) as client:
        await client.start(waits, 1, execution_id="w")
        await host.settle()
        same = await client.start(waits, 1, execution_id="w")
        other = await client.start(waits, 2, execution_id="w", on_conflict="use_existing")
        with pytest.raises(ExecutionAlreadyStarted, match="choose another id"):
            await client.start(waits, 2, execution_id="w")
        with pytest.raises(ExecutionAlreadyStarted, match=r"'waits' \(RUNNING\)"):
            await client.start(waits, 1, execution_id="w", on_conflict="fail")
        with pytest.raises(ExecutionAlreadyStarted):
            await client.start(quick, 1, execution_id="w", on_conflict="use_existing")
        await same.signal(GO, 10)
        assert await host.result(other) == 11
        with pytest.raises(ExecutionAlreadyStarted, match=r"\(COMPLETED\)"):
            await client.start(waits, 1, execution_id="w", on_conflict="fail")
        assert await (await client.start(waits, 1, execution_id="w")).result() == 11


async def test_a_free_id_is_started_by_every_policy(host: Host) -> None:
    async with host(app) as client:
        one = await client.start(quick, 1, execution_id="a", on_conflict="use_existing")
        two = await client.start(quick, 2, execution_id="b", on_conflict="fail")
        three = await client.start(quick, 3, execution_id="c", on_conflict="terminate_existing")
        four = await client.start(quick, 4, on_conflict="terminate_existing")
        assert [await host.result(h) for h in (one, two, three, four)] == [2, 4, 6, 8]


async def test_a_running_one_is_terminated_and_another_begins_under_its_id(host: Host) -> None:
    async with host(app) as client:
        old = await client.start(waits, 1, execution_id="w", tags={"team": "red"}, memo="old")
        await host.settle()
        before = await client.describe("w")
        await host.advance(60)
        new = await client.start(
            waits, 2, execution_id="w", on_conflict="terminate_existing", tags={"team": "blue"}
        )
        after = await new.describe()
        assert (after.status, after.custom, after.memo) == (Status.RUNNING, {"n": 2}, None)
        assert after.started_at - before.started_at >= 60_000
        assert [h.execution_id for h in (await client.list(tags={"team": "blue"})).headers] == ["w"]
        assert (await client.list(tags={"team": "red"})).headers == []
        await new.signal(GO, 10)
        assert await host.result(new) == await host.result(old) == 12
        header = await client.describe("w")
        assert (header.status, header.custom) == (Status.COMPLETED, {"n": 2})
        assert header.started_at == after.started_at
        assert (header.closed_at or 0) >= header.started_at


async def test_what_has_ended_is_replaced(host: Host) -> None:
    async with host(app) as client:
        for n in range(1, 4):
            handle = await client.start(
                quick, n, execution_id="q", on_conflict="terminate_existing", memo=n
            )
            assert await host.result(handle) == 2 * n
            header = await client.describe("q")
            assert (header.status, header.memo) == (Status.COMPLETED, n)
        assert len((await client.list("quick")).headers) == 1
        with pytest.raises(ExecutionAlreadyStarted):
            await client.start(quick, 1, execution_id="q")  # it is the last one that counts
        assert await (await client.start(quick, 3, execution_id="q")).result() == 6


async def test_another_workflow_may_take_the_id_over(host: Host) -> None:
    async with host(app) as client:
        await client.start(waits, 1, execution_id="w")
        await host.settle()
        new = await client.start(quick, 4, execution_id="w", on_conflict="terminate_existing")
        assert await host.result(new) == 8
        assert (await client.list("waits")).headers == []
        assert [h.execution_id for h in (await client.list("quick")).headers] == ["w"]


async def test_a_replacement_can_be_signalled_with_its_start(host: Host) -> None:
    async with host(app) as client:
        await client.start(waits, 1, execution_id="w", signal=(GO, 1))
        await host.settle()
        assert await status(client, "w") is Status.COMPLETED
        new = await client.start(
            waits, 5, execution_id="w", on_conflict="terminate_existing", signal=(GO, 2)
        )
        assert await host.result(new) == 7


# delays


async def test_a_delayed_start_begins_at_its_time(host: Host) -> None:
    async with host(app) as client:
        before = host.now()
        by_delay = await client.start(sleeps, 1, delay=HOUR)
        moment = datetime.fromtimestamp((host.now() + 7_200_000) / 1000, UTC)
        by_date = await client.start(sleeps, 1, start_at=moment)
        past = await client.start(sleeps, 1, start_at=moment - timedelta(days=3))
        await host.advance(3_000)
        for handle in (by_delay, by_date, past):
            assert await status(client, handle.execution_id) is Status.RUNNING
        assert (await by_delay.describe()).started_at - before < 60_000
        assert (await host.result(past)).startswith("1:00:")
        assert host.now() - before < 4_000_000
        assert (await host.result(by_delay)).startswith("1:00:")
        assert 7_200_000 <= host.now() - before < 7_400_000
        assert (await host.result(by_date)).startswith("1:00:")


async def test_a_delayed_start_keeps_its_signals_until_it_begins(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(waits, 1, delay=HOUR, signal=(GO, 3))
        await host.advance(60)
        header = await handle.describe()
        assert (header.status, header.custom) == (Status.RUNNING, None)
        assert await host.result(handle) == 4


async def test_a_delayed_start_can_be_cancelled_before_it_begins(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(waits, 1, delay=HOUR, execution_timeout=HOUR)
        await host.advance(60)
        await handle.cancel("never mind")
        with pytest.raises(ExecutionCancelled, match="never mind"):
            await host.result(handle)
        assert (await handle.describe()).custom is None
        await host.advance(3 * 3600)
        assert await status(client, handle.execution_id) is Status.CANCELLED


async def test_a_delayed_start_can_be_replaced_before_it_begins(host: Host) -> None:
    async with host(app) as client:
        await client.start(waits, 1, execution_id="w", delay=HOUR)
        await host.settle()
        new = await client.start(quick, 4, execution_id="w", on_conflict="terminate_existing")
        assert await host.result(new) == 8
        await host.advance(2 * 3600)
        assert await status(client, "w") is Status.COMPLETED


async def test_a_replacement_can_be_delayed(host: Host) -> None:
    async with host(app) as client:
        before = host.now()
        for hours in (1, 2):
            handle = await client.start(
                sleeps, hours, execution_id="s", on_conflict="terminate_existing", delay=HOUR
            )
            await host.settle()
        assert (await host.result(handle)).startswith("2:00:")
        assert host.now() - before >= 3 * 3_600_000


# execution timeout


async def test_an_execution_that_does_not_end_in_time_is_ended(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(sleeps, 3, execution_timeout=2 * HOUR)
        ends = await client.start(sleeps, 1, execution_timeout=2 * HOUR)
        with pytest.raises(ExecutionTimedOut, match="did not end within its execution timeout"):
            await host.result(handle)
        header = await handle.describe()
        assert header.status is Status.TIMED_OUT
        assert 7_200_000 <= (header.closed_at or 0) - header.started_at < 7_300_000
        assert (await host.result(ends)).startswith("1:00:")
        listed = (await client.list(status=Status.TIMED_OUT)).headers
        assert [h.execution_id for h in listed] == [handle.execution_id]


async def test_the_timeout_of_a_delayed_start_counts_from_its_begin(host: Host) -> None:
    async with host(app) as client:
        timely = await client.start(sleeps, 1, delay=2 * HOUR, execution_timeout=2 * HOUR)
        late = await client.start(sleeps, 3, delay=2 * HOUR, execution_timeout=2 * HOUR)
        assert (await host.result(timely)).startswith("1:00:")
        with pytest.raises(ExecutionTimedOut):
            await host.result(late)
        header = await late.describe()
        assert 14_400_000 <= (header.closed_at or 0) - header.started_at < 14_500_000


async def test_the_timeout_goes_on_while_an_execution_is_blocked(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(stuck, 1, execution_timeout=HOUR)
        await host.settle()
        header = await handle.describe()
        assert (header.status, header.reason[:14]) == (Status.BLOCKED, "UnknownService")
        await host.advance(3700)
        with pytest.raises(ExecutionTimedOut):
            await host.result(handle)


async def test_the_timeout_goes_on_while_an_execution_is_paused(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(waits, 1, execution_timeout=HOUR)
        await handle.pause("lunch")
        await handle.signal(GO, 1)
        await host.settle()
        assert await status(client, handle.execution_id) is Status.PAUSED
        await host.advance(3700)
        with pytest.raises(ExecutionTimedOut):
            await host.result(handle)


async def test_the_timeout_is_known_to_what_was_held_before_its_code_ran(host: Host) -> None:
    old = App("starts", workflows=[waits])  # it cannot run what is started
    async with host(old) as client:
        options = StartOptions(id="s", timeout_ms=3_600_000)
        request = Request("q", "quick", 1, options=options)
        await client.backend.queue.send_messages([SendMessage(request, "s")])
        await host.settle()
        assert await status(client, "q") is Status.BLOCKED
        await host.advance(3700)
        assert await status(client, "q") is Status.TIMED_OUT


async def test_a_timeout_armed_while_held_goes_with_the_execution_s_end(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(waits, 1, execution_timeout=HOUR)
        await handle.pause()
        await host.settle()
        await handle.signal(GO, 1)
        await handle.resume()
        assert await host.result(handle) == 2
        await host.advance(3700)
        assert await status(client, handle.execution_id) is Status.COMPLETED


# tags and memo


async def test_tags_and_memo_are_known_to_code_and_listing(host: Host) -> None:
    async with host(app) as client:
        tags, memo = {"team": "blue", "päd": ""}, {"by": ["ä", 1.5, None]}
        handle = await client.start(looks, 1, tags=tags, memo=memo)
        await client.start(looks, 1, tags={"team": "red"}, memo=Seen({}, 1))
        assert await host.result(handle) == Seen(tags, memo)
        header = await handle.describe()
        assert (header.tags, header.memo) == (tags, memo)
        (found,) = (await client.list("looks", tags={"team": "blue"})).headers
        assert found == header
        found_red = [h async for h in client.list_all(tags={"team": "red"}, limit=1)]
        assert [h.memo for h in found_red] == [{"tags": {}, "memo": 1}]


# what is refused


async def test_wrong_options_are_refused_before_anything_is_sent(host: Host) -> None:
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"on_conflict": "replace"}, ConfigurationError, "use one of same_request, use_existing"),
        ({"delay": -HOUR}, ConfigurationError, "delay="),
        ({"delay": timedelta(days=367)}, ConfigurationError, "366 days"),
        ({"delay": HOUR, "start_at": datetime.now(UTC)}, ConfigurationError, "not both"),
        ({"start_at": datetime(2030, 1, 1)}, ConfigurationError, "time zone"),  # noqa: DTZ001
        ({"execution_timeout": timedelta(0)}, ConfigurationError, "at least a millisecond"),
        ({"execution_timeout": timedelta(days=367)}, ConfigurationError, "366 days"),
        ({"tags": {str(n): "" for n in range(11)}}, LimitExceeded, "11 tags: the limit is 10"),
        ({"tags": {"": "x"}}, LimitExceeded, "its name may have 1 to 64"),
        ({"tags": {"x": "y" * 129}}, LimitExceeded, "its text up to 128"),
        ({"tags": {"x": 1}}, ConfigurationError, "must be strings"),
        ({"memo": "x" * 9000}, LimitExceeded, "a memo of 9002 bytes: the limit is 8192"),
        ({"memo": object()}, EncodeError, "memo"),
        ({"signal": (GO, "one")}, EncodeError, "signal go"),
    ]
    async with host(app) as client:
        for options, error, words in wrong:
            with pytest.raises(error, match=words):
                await client.start(waits, 1, **options)
        await host.settle()
        assert (await client.list()).headers == []


async def test_the_first_to_arrive_wins_where_two_start_at_one_moment(host: Host) -> None:
    async with host(app) as client:
        first = await client.start(waits, 1, execution_id="w", on_conflict="use_existing")
        await client.start(waits, 2, execution_id="w", on_conflict="use_existing", signal=(GO, 5))
        assert await host.result(first) == 6


async def test_an_old_handle_learns_that_its_execution_was_terminated(host: Host) -> None:
    async with host(app) as client:
        old = await client.start(waits, 1, execution_id="w")
        await host.settle()
        await old.terminate("enough")
        with pytest.raises(ExecutionTerminated, match="enough"):
            await host.result(old)
