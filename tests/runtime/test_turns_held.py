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
