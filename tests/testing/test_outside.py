"""What comes from outside: callbacks, signals, updates, cancellation, children, heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    CallbackFailed,
    CallbackTimedOut,
    CallTimedOut,
    ChildFailed,
    Context,
    ExecutionFailed,
    RemoteWorkflow,
    RetryPolicy,
    Service,
    ServiceError,
    Signal,
    StartTimedOut,
    Status,
    Update,
    heartbeat,
    task_info,
    workflow,
)
from lambda_workflow.testing import (
    Endless,
    Fake,
    FakeCallback,
    ScheduleFailed,
    Simulation,
    SimulationError,
    after,
    callback,
    explore,
    fake,
    holds,
    now,
    simulate,
)
from lambda_workflow.testing.exploring import Law

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Approval:
    by: str
    granted: bool = True


MAIL = Service("mail", str, bool)
PLAIN = Service("plain", int, int)
WORK = Service(
    "work", int, int, heartbeat_timeout=timedelta(seconds=30), retry=RetryPolicy(jitter=0)
)
STOP: Signal[str] = Signal("stop", str)
LIMIT: Update[int, str] = Update("limit", int, str)
MAILED = fake(MAIL).returns(True)


@workflow
async def approve(ctx: Context, amount: int) -> str:
    approval = ctx.callback(Approval, timeout=timedelta(days=3), name="approval")
    await ctx.call(MAIL, f"approve {amount}: {approval.token}")
    try:
        decision = await approval
    except CallbackTimedOut:
        return "nobody decided"
    except CallbackFailed as failed:
        return f"{failed.type}: {failed.message}"
    return f"{decision.by} said {decision.granted}"


@workflow
async def wait_to_stop(ctx: Context, n: int) -> str:
    ctx.set_status("waiting")
    try:
        async with asyncio.timeout(DAY.total_seconds()):
            return await ctx.wait_signal(STOP)
    except TimeoutError:
        return "never stopped"


@workflow
async def tidy(ctx: Context, n: int) -> str:
    try:
        await ctx.sleep(DAY)
    finally:
        await ctx.call(MAIL, "tidied up")
    return "slept"


@workflow
async def limited(ctx: Context, n: int) -> list[int]:
    limits: list[int] = []
    async for request in ctx.updates(LIMIT):
        if request.payload < 0:
            request.reject("too low")
            continue
        limits.append(request.payload)
        request.respond(f"limit {request.payload}")
        if len(limits) == n:
            return limits
    return limits


@workflow
async def refund(ctx: Context, n: int) -> str:
    return "mailed" if await ctx.call(MAIL, f"refund {n}") else "not mailed"


@workflow
async def parent(ctx: Context, n: int) -> str:
    try:
        return await ctx.call(refund, n)
    except ChildFailed as failed:
        return f"{failed.type}: {failed.message}"


def test_a_callback_is_answered_when_its_fake_says() -> None:
    granted = callback("approval").returns(Approval("Ann"), after=2 * DAY)
    run = simulate(approve, 5, MAILED, granted)
    assert run.result == "Ann said True"
    assert run.elapsed == 2 * DAY


def test_an_answer_may_be_an_error_or_come_too_late_or_never() -> None:
    ill = callback("approval").raises(ServiceError("ill", type="Absent"))
    assert simulate(approve, 5, MAILED, ill).result == "Absent: ill"
    late = callback("approval").returns(Approval("Ann"), after=4 * DAY)
    assert simulate(approve, 5, MAILED, late).result == "nobody decided"
    silent = simulate(approve, 5, MAILED)
    assert silent.result == "nobody decided"
    assert silent.elapsed == 3 * DAY


def test_the_token_is_the_same_in_every_simulation() -> None:
    mails = {simulate(approve, 5, MAILED).payloads(MAIL)[0] for _ in range(3)}
    assert len(mails) == 1


def test_callbacks_of_one_name_are_answered_in_turn() -> None:
    @workflow
    async def ask_three(ctx: Context, n: int) -> list[str]:
        asked = [ctx.callback(str, name="vote") for _ in range(3)]
        return list(await asyncio.gather(*asked))

    run = simulate(ask_three, 1, callback("vote").returns("yes").returns("no"))
    assert run.result == ["yes", "no", "no"]


def test_an_open_callback_is_pending_and_answered_by_hand() -> None:
    with Simulation(approve, 5, MAILED) as simulation:
        waiting = simulation.run_until_suspended()
        assert [str(one) for one in waiting.pending if one.kind == "callback"] == [
            "callback 1 (approval)"
        ]
        simulation.advance(DAY)
        simulation.do(callback("approval").returns(Approval("Bob", granted=False)))
        assert simulation.run_until_suspended().status is Status.COMPLETED
        assert simulation.run().result == "Bob said False"


def test_a_signal_comes_when_it_is_said_to() -> None:
    run = simulate(wait_to_stop, 1, after(HOUR).signal(STOP, "enough"))
    assert run.result == "enough"
    assert run.elapsed == HOUR
    assert run.end.custom_status == "waiting"
    assert simulate(wait_to_stop, 1).result == "never stopped"


def test_a_signal_is_sent_by_hand() -> None:
    with Simulation(wait_to_stop, 1) as simulation:
        simulation.advance(HOUR)
        simulation.do(now.signal(STOP, "by hand"))
        assert simulation.run().result == "by hand"


def test_a_cancelled_workflow_tidies_up() -> None:
    run = simulate(tidy, 1, MAILED, after(HOUR).cancel("no longer wanted"))
    assert run.status is Status.CANCELLED
    assert run.elapsed == HOUR
    assert run.payloads(MAIL) == ["tidied up"]
    with pytest.raises(ExecutionFailed):
        run.result  # noqa: B018  # reading it raises


def test_a_terminated_workflow_does_not() -> None:
    run = simulate(tidy, 1, MAILED, after(HOUR).terminate("at once"))
    assert run.status is Status.TERMINATED
    assert run.calls == []


def test_a_paused_workflow_goes_on_when_it_is_resumed() -> None:
    run = simulate(tidy, 1, MAILED, after(HOUR).pause(), after(3 * DAY).resume())
    assert run.result == "slept"
    assert run.elapsed == 3 * DAY


def test_updates_and_their_replies_are_seen() -> None:
    asks = [after(HOUR * hour).update(LIMIT, limit) for hour, limit in enumerate([7, -1, 8], 1)]
    run = simulate(limited, 2, *asks)
    assert run.result == [7, 8]
    replies = run.end.replies
    assert [(reply.payload, reply.response) for reply in replies] == [
        (7, "limit 7"), (-1, None), (8, "limit 8"),
    ]  # fmt: skip
    assert replies[1].failure is not None
    assert replies[1].failure.message == "too low"


def test_a_child_workflow_may_run_for_real() -> None:
    run = simulate(parent, 5, refund, MAILED)
    assert run.result == "mailed"
    assert "parent-0/1: turn 1: started refund" in str(run)


def test_a_child_workflow_may_be_faked() -> None:
    assert simulate(parent, 5, fake(refund).returns("faked", after=DAY)).elapsed == DAY
    assert simulate(parent, 5, fake(refund).runs(lambda n: f"got {n}")).result == "got 5"
    failing = fake(refund).raises(ServiceError("no", type="Refused"))
    assert simulate(parent, 5, failing).result == "Refused: no"


def test_a_workflow_of_another_app_is_faked() -> None:
    elsewhere: RemoteWorkflow[int, str] = RemoteWorkflow("pay", int, str, app="bank")

    @workflow
    async def far(ctx: Context, n: int) -> str:
        return await ctx.call(elsewhere, n)

    assert simulate(far, 5, fake(elsewhere).returns("paid")).result == "paid"
    with pytest.raises(SimulationError, match="calls 'pay' of another App, 'bank': add fake"):
        simulate(far, 5)


def test_a_start_timeout_passes_in_virtual_time() -> None:
    @workflow
    async def work(ctx: Context, n: int) -> str:
        try:
            return str(await ctx.call(PLAIN, n, start_timeout=timedelta(minutes=1)))
        except StartTimedOut as late:
            return f"{late.type} {late.attempts}"

    begun = simulate(work, 1, fake(PLAIN).returns(5, after=HOUR))
    assert (begun.result, begun.elapsed) == ("5", HOUR)
    ran = simulate(work, 1, fake(PLAIN).runs(lambda n: n + 1, after=HOUR))
    assert ran.result == "2"
    waited = simulate(work, 1, fake(PLAIN).is_silent().returns(6))
    assert waited.result == "6"
    assert timedelta(minutes=1) <= waited.elapsed < timedelta(minutes=2)
    assert waited.calls[0].attempts == 2
    never = simulate(work, 1, fake(PLAIN).is_silent())
    assert never.result == "StartTimedOut 3"
    assert never.calls[0].state == "failed"


def test_a_heartbeat_timeout_passes_in_virtual_time() -> None:
    @workflow
    async def work(ctx: Context, n: int) -> str:
        try:
            return str(await ctx.call(WORK, n))
        except CallTimedOut:
            return "silent"

    beating = fake(WORK).returns(5, after=HOUR, beats_every=timedelta(seconds=20))
    alive = simulate(work, 1, beating)
    assert (alive.result, alive.elapsed) == ("5", HOUR)
    second = fake(WORK).is_silent().returns(6)
    assert simulate(work, 1, second).result == "6"
    dead = simulate(work, 1, fake(WORK).is_silent())
    assert dead.result == "silent"
    assert timedelta(seconds=90) <= dead.elapsed < timedelta(seconds=120)
    assert dead.calls[0].state != "pending"


def test_a_function_says_that_it_is_alive_and_the_next_attempt_reads_how_far_it_came() -> None:
    seen: list[Any] = []

    async def count(n: int) -> int:
        seen.append(task_info().details)
        for number in range(10):
            await heartbeat({"done": number})
            await asyncio.sleep(20)
        if len(seen) == 1:
            raise OSError("lost")
        return n

    @workflow
    async def work(ctx: Context, n: int) -> int:
        return await ctx.call(WORK, n)

    run = simulate(work, 5, fake(WORK).runs(count))
    assert run.result == 5
    assert run.elapsed == timedelta(seconds=401)
    assert seen == [None, {"done": 9}]


def test_a_function_is_cancelled_when_the_workflow_gives_its_call_up() -> None:
    ends: list[str] = []

    async def endless(n: int) -> int:
        try:
            while True:
                await heartbeat()
                await asyncio.sleep(10)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    @workflow
    async def impatient(ctx: Context, n: int) -> str:
        try:
            return str(await ctx.call(WORK, n, timeout=timedelta(minutes=2)))
        except CallTimedOut:
            return "gave up"

    run = simulate(impatient, 5, fake(WORK).runs(endless))
    assert run.result == "gave up"
    assert ends == ["cancelled"]


def test_what_is_sent_comes_again_when_it_fails() -> None:
    @workflow
    async def tell(ctx: Context, text: str) -> int:
        ctx.send(MAIL, text)
        return 1

    run = simulate(tell, "hello", fake(MAIL).raises(OSError("down")))
    assert run.result == 1
    assert run.performed == {"mail": 3}


def test_what_is_sent_and_not_waited_for_is_seen() -> None:
    @workflow
    async def tell(ctx: Context, text: str) -> int:
        ctx.send(MAIL, text)
        return 1

    run = simulate(tell, "hello", MAILED)
    assert [(call.payload, call.state) for call in run.calls] == [("hello", "sent")]
    assert run.performed == {"mail": 1}


def test_a_workflow_that_waits_for_an_answer_that_never_comes_is_told() -> None:
    @workflow
    async def patient(ctx: Context, n: int) -> str:
        return await ctx.callback(str, name="word")

    with pytest.raises(Endless, match=r"waits for ever, for callback 1 \(word\)"):
        simulate(patient, 1)
    with pytest.raises(Endless, match=r"nobody asked callback\('wrod'\)$"):
        simulate(patient, 1, callback("wrod").returns("yes"))


def test_chaos_spares_neither_signals_nor_answers() -> None:
    faults = ["act signal stop: LATE 7200"]
    run = simulate(wait_to_stop, 1, after(HOUR).signal(STOP, "enough"), faults=faults)
    assert run.elapsed == 3 * HOUR
    assert str(run.faults[0]) == "signal stop comes 7200 s late"
    faults = ["callback approval 1: ECHO 60"]
    run2 = simulate(approve, 5, MAILED, callback().returns(Approval("Ann")), faults=faults)
    assert run2.result == "Ann said True"
    assert (
        str(run2.faults[0]) == "callback 1 (approval) is answered twice, the second time 60 s later"
    )


def test_sound_workflows_stand_an_exploration() -> None:
    granted = callback("approval").returns(Approval("Ann"), after=HOUR)
    explore(approve, 5, MAILED, granted, seeds=150, outcome=decided)
    explore(parent, 5, refund, MAILED, seeds=150)
    asks = [after(HOUR).update(LIMIT, 7), after(2 * HOUR).update(LIMIT, 8)]
    explore(limited, 2, *asks, seeds=150, outcome=lambda run: sorted(run.result) == [7, 8])
    explore(tidy, 1, MAILED, after(HOUR).cancel(), seeds=150, outcome=ended)


def decided(run: Any) -> bool:
    return run.result in ("Ann said True", "nobody decided")


def ended(run: Any) -> bool:
    return run.status in (Status.CANCELLED, Status.COMPLETED)


def test_a_signal_that_races_with_a_timeout_is_found() -> None:
    def bus() -> Iterator[Fake[Any, Any] | FakeCallback | Law]:
        yield holds(lambda run: run.result == "enough")

    stop = after(23 * HOUR).signal(STOP, "enough")
    with pytest.raises(ScheduleFailed) as found:
        explore(wait_to_stop, 1, bus, stop, outcome=lambda run: True)
    assert [fault.code for fault in found.value.faults] == ["act signal stop: LATE 3600"]
