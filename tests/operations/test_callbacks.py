"""Callbacks: somebody outside answers, once, by a token that cannot be forged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lambda_workflow import (
    App,
    CallbackClosed,
    CallbackFailed,
    CallbackHeartbeatTimedOut,
    CallbackTimedOut,
    Client,
    Context,
    EncodeError,
    ExecutionClosed,
    ExecutionNotFound,
    InvalidToken,
    Service,
    serve,
    workflow,
)
from lambda_workflow.model.events import Failure
from lambda_workflow.model.messages import Update
from lambda_workflow.model.tokens import make_token, read_token
from tests.operations.host import Host

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Approval:
    """An answer with a type."""

    by: str
    limit: int


ASK: Service[str, None] = Service("ask", str, type(None))
asked: dict[str, str] = {}


@serve(ASK)
async def ask(token: str) -> None:
    """Tells the token to the test."""
    execution_id, operation = read_token(token)
    asked[f"{execution_id}/{operation}"] = token


@workflow
async def approve(ctx: Context, timeout_seconds: int) -> str:
    within = timedelta(seconds=timeout_seconds) if timeout_seconds else None
    answer = ctx.callback(Approval, timeout=within, name="approval")
    await ctx.call(ASK, answer.token)
    try:
        approval = await answer
    except CallbackTimedOut:
        await ctx.sleep(HOUR)
        return "nobody"
    except CallbackFailed as failed:
        return f"{failed.type}: {failed.message} {failed.details}"
    return f"{type(approval).__name__} {approval.by} {approval.limit}"


@workflow
async def keeps(ctx: Context, n: int) -> tuple[Approval, Any]:
    first, second = ctx.callback(name="first"), ctx.callback(Approval, name="second")
    await ctx.call(ASK, first.token)
    await ctx.call(ASK, second.token)
    await ctx.sleep(HOUR)
    return await second, await first


@workflow
async def beats(ctx: Context, n: int) -> str:
    answer = ctx.callback(str, heartbeat_timeout=timedelta(seconds=30))
    await ctx.call(ASK, answer.token)
    try:
        return await answer
    except CallbackHeartbeatTimedOut as silent:
        return silent.type


@workflow
async def asks_within(ctx: Context, n: int) -> str:
    answer = ctx.callback(str)
    await ctx.step(answer_at_once[0], answer.token)
    return await answer


@workflow
async def gives_up(ctx: Context, n: int) -> str:
    answer = ctx.callback(str)
    await ctx.call(ASK, answer.token)
    answer.cancel()
    await ctx.sleep(HOUR)
    return "without"


answer_at_once: list[Callable[[str], Any]] = []
app = App("callbacks", workflows=[approve, keeps, beats, asks_within, gives_up], adapters=[ask])


async def token_of(host: Host, execution_id: str, operation: str = "") -> str:
    """The token that the workflow has handed out."""
    await host.settle()
    [token] = [t for k, t in asked.items() if k.startswith(f"{execution_id}/{operation}")]
    return token


@pytest.fixture(autouse=True)
def forget() -> None:
    asked.clear()
    answer_at_once.clear()


async def test_an_answer_arrives_as_its_declared_type(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(approve, 0)
        token = await token_of(host, handle.execution_id)
        await client.complete_callback(token, Approval("ann", 100))
        assert await host.result(handle) == "Approval ann 100"


async def test_the_json_of_an_answer_will_do(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(approve, 0)
        token = await token_of(host, handle.execution_id)
        await client.complete_callback(token, {"by": "bob", "limit": 5})
        assert await host.result(handle) == "Approval bob 5"


@pytest.mark.parametrize("wrong", ["yes", {"by": "ann"}, None, {"by": 1, "limit": 2}, object()])
async def test_an_answer_of_another_type_is_refused_where_it_is_given(
    host: Host, wrong: object
) -> None:
    async with host(app) as client:
        handle = await client.start(approve, 0)
        token = await token_of(host, handle.execution_id)
        with pytest.raises(EncodeError):
            await client.complete_callback(token, wrong)
        await client.complete_callback(token, Approval("ann", 1))
        assert await host.result(handle) == "Approval ann 1"


async def test_an_error_as_an_answer_is_raised_in_the_workflow(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(approve, 0)
        token = await token_of(host, handle.execution_id)
        await client.fail_callback(token, "Refused", "too much", {"by": "ann"})
        assert await host.result(handle) == "Refused: too much {'by': 'ann'}"


async def test_a_second_answer_is_refused_and_changes_nothing(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(keeps, 0)
        token = await token_of(host, handle.execution_id, "1")
        await client.complete_callback(token, 1)
        await host.settle()
        for answer in (1, 2):
            with pytest.raises(CallbackClosed, match=r"'first'.* has been answered already"):
                await client.complete_callback(token, answer)
        with pytest.raises(CallbackClosed):
            await client.fail_callback(token, "Refused")
        with pytest.raises(CallbackClosed):
            await client.heartbeat(token)
        second = await token_of(host, handle.execution_id, "2")
        await client.complete_callback(second, Approval("ann", 2))
        assert await host.result(handle) == (Approval("ann", 2), 1)


async def test_of_two_answers_at_once_one_counts(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(keeps, 0)
        token = await token_of(host, handle.execution_id, "1")
        await asyncio.gather(
            client.complete_callback(token, "a"), client.complete_callback(token, "b")
        )
        await host.settle()
        second = await token_of(host, handle.execution_id, "2")
        await client.complete_callback(second, Approval("ann", 2))
        result = await host.result(handle)
        assert result[1] in ("a", "b")
        history = await client.history(handle.execution_id)
        answers = [f for f in history.events() if getattr(f, "payload", None) in ("a", "b")]
        assert len(answers) == 1


async def test_an_answer_after_the_timeout_is_refused(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(approve, 60)
        token = await token_of(host, handle.execution_id)
        await host.advance(65)
        with pytest.raises(CallbackClosed, match="has timed out or was given up"):
            await client.complete_callback(token, Approval("ann", 1))
        assert await host.result(handle) == "nobody"


async def test_an_answer_to_a_callback_that_was_given_up_is_refused(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(gives_up, 0)
        token = await token_of(host, handle.execution_id)
        with pytest.raises(CallbackClosed):
            await client.complete_callback(token, "late")
        assert await host.result(handle) == "without"


async def test_an_answer_after_the_end_is_refused(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(approve, 60)
        token = await token_of(host, handle.execution_id)
        await host.result(handle)
        with pytest.raises(ExecutionClosed, match="COMPLETED"):
            await client.complete_callback(token, Approval("ann", 1))


async def test_a_token_cannot_be_forged_moved_or_guessed(host: Host) -> None:
    async with host(app) as client:
        mine = await client.start(approve, 0)
        other = await client.start(approve, 0)
        token = await token_of(host, mine.execution_id)
        stolen = await token_of(host, other.execution_id)
        operation = read_token(token)[1]
        forged = [
            make_token("", mine.execution_id, operation),
            make_token("guess", mine.execution_id, operation),
            stolen[:24] + token[24:],
            ("A" if token[0] != "A" else "B") + token[1:],
            "",
            "nonsense",
        ]
        for one in forged:
            with pytest.raises((InvalidToken, ExecutionNotFound)):
                await client.complete_callback(one, Approval("eve", 10**6))
        nobody = Update(mine.execution_id, operation, {"by": "eve", "limit": 9}, token=forged[1])
        await client._send(nobody)
        await client._send(Update(mine.execution_id, operation, {"by": "eve", "limit": 9}))
        await client._send(
            Update(mine.execution_id, operation, None, Failure("Evil", ""), token=stolen)
        )
        await host.settle()
        await client.complete_callback(token, Approval("ann", 1))
        assert await host.result(mine) == "Approval ann 1"


async def test_an_answer_before_the_workflow_awaits_is_kept(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(keeps, 0)
        for operation, answer in (("1", [1, {"a": None}]), ("2", Approval("ann", 3))):
            token = await token_of(host, handle.execution_id, operation)
            await client.complete_callback(token, answer)
            await host.settle()
        assert await host.result(handle) == (Approval("ann", 3), [1, {"a": None}])


async def test_an_answer_during_the_turn_that_creates_the_callback_is_kept(host: Host) -> None:
    async with host(app) as client:

        async def at_once(token: str) -> None:
            await client.complete_callback(token, "here")

        answer_at_once.append(at_once)
        handle = await client.start(asks_within, 0)
        assert await host.result(handle) == "here"


async def test_heartbeats_keep_a_callback_open(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(beats, 0)
        token = await token_of(host, handle.execution_id)
        for _ in range(4):
            await host.advance(20)
            await client.heartbeat(token, {"still": "here"})
            await host.settle()
        await client.complete_callback(token, "done")
        assert await host.result(handle) == "done"


async def test_a_callback_without_a_heartbeat_times_out(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(beats, 0)
        token = await token_of(host, handle.execution_id)
        await host.advance(20)
        await client.heartbeat(token)
        await host.advance(40)
        assert await host.result(handle) == "HeartbeatTimedOut"


async def test_a_paused_execution_keeps_the_answer(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(approve, 0)
        token = await token_of(host, handle.execution_id)
        await client.pause(handle.execution_id)
        await host.settle()
        await client.complete_callback(token, Approval("ann", 1))
        await host.settle()
        await client.resume(handle.execution_id)
        assert await host.result(handle) == "Approval ann 1"


async def test_the_sync_door_answers_too(host: Host) -> None:
    async with host(app) as client:
        handle = await client.start(approve, 0)
        token = await token_of(host, handle.execution_id)

        def answer() -> None:
            door = Client(app, client.backend).sync
            with pytest.raises(InvalidToken):
                door.complete_callback("nonsense", Approval("ann", 7))
            door.heartbeat(token, "soon")
            door.complete_callback(token, Approval("ann", 7))
            with pytest.raises(InvalidToken):
                door.fail_callback("nonsense", "Refused")
            door.close()

        if host.name == "aws":  # its connections are the event loop's own
            await client.complete_callback(token, Approval("ann", 7))
        else:
            await asyncio.to_thread(answer)
        assert await host.result(handle) == "Approval ann 7"
