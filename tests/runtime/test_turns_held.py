"""What comes while an execution stands still takes effect as one story when it goes on."""

from __future__ import annotations

from datetime import timedelta

from lambda_workflow import App, Context, RetryPolicy, Service, workflow
from lambda_workflow.model import commands as c
from lambda_workflow.model.events import Failure
from lambda_workflow.model.messages import Pause, Resume
from tests.runtime.conftest import MakeHost

WATCHED: Service[int, int] = Service(
    "watched", int, int, heartbeat_timeout=timedelta(minutes=1), retry=RetryPolicy(attempts=2)
)
QUICK: Service[int, int] = Service("quick", int, int)
LIMITED: Service[int, int] = Service(
    "limited",
    int,
    int,
    timeout=timedelta(minutes=5),
    attempt_timeout=timedelta(minutes=2),
    heartbeat_timeout=timedelta(minutes=1),
)


@workflow
async def watching(ctx: Context, n: int) -> int:
    return await ctx.call(WATCHED, n)


APP = App("tests", workflows=[watching], services=[WATCHED])


async def test_an_attempt_that_falls_silent_and_fails_while_paused_is_made_again_once(
    make_host: MakeHost,
) -> None:
    host = make_host(APP, check=True)
    await host.start(watching, 1)
    await host.send(Pause("e"))
    await host.wait(60)
    await host.fail("1", Failure("Broken", "too late"))
    await host.send(Resume("e"))
    assert [type(x) for x in host.history().turns[-1].commands] == [c.StartTimer]
    await host.wait(1)
    assert host.sent() == [("1", 1), ("1", 2)]
    await host.answer("1", 7, attempt=2)
    assert host.outcome() == 7


@workflow
async def one_after_the_other(ctx: Context, n: int) -> int:
    first = await ctx.call(QUICK, n)
    return await ctx.call(LIMITED, first)


async def test_what_begins_when_an_execution_goes_on_has_its_whole_time(
    make_host: MakeHost,
) -> None:
    app = App("tests", workflows=[one_after_the_other], services=[QUICK, LIMITED])
    host = make_host(app, check=True)
    await host.start(one_after_the_other, 1)
    await host.send(Pause("e"))
    await host.answer("1", 2)
    await host.wait(3600)
    await host.send(Resume("e"))
    assert host.sent() == [("1", 1), ("2", 1)]
    now = host.clock.now()
    timers = [x for x in host.history().turns[-1].commands if isinstance(x, c.StartTimer)]
    assert [(x.operation, x.due - now) for x in timers] == [
        ("2:timeout", 300_000),
        ("2:attempt1", 120_000),
        ("2:beat1.1", 60_000),
    ]
    host.deploy(app, check=True)
    await host.wait(59)
    assert host.sent() == [("1", 1), ("2", 1)]
    await host.answer("2", 3)
    assert host.outcome() == 3
