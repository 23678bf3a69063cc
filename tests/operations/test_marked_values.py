"""Values of payloads are in no log, reason, error text or listing, unless they are asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from lambda_workflow import (
    NO_RETRY,
    Adapter,
    App,
    BadResponse,
    CallFailed,
    Context,
    EncodeError,
    Service,
    ServiceError,
    Signal,
    Update,
    Workflow,
    serve,
    workflow,
)
from lambda_workflow.cli import main
from lambda_workflow.local import Engine
from lambda_workflow.model.lifecycle import Status

MARK: Final = "4242-MARK"  # stands in every payload, and in no name, tag or reason
ECHO = Service("echo", dict[str, Any], dict[str, Any])
FAILING = Service("failing", str, str, retry=NO_RETRY)
NUMBER = Service("number", str, int, retry=NO_RETRY)
MAIL = Service("mail", str, None)
TELL = Signal("tell", dict[str, str])
ASK = Update("ask", str, str)
SECONDS = timedelta(seconds=20)


def look_up(text: str) -> dict[str, str]:
    return {text: text}


def stumble(text: str) -> str:
    raise ValueError(f"cannot read {text}")


async def forgotten() -> None:
    raise ValueError(MARK)


async def first_half(ctx: Context, request: dict[str, Any]) -> None:
    text = request["card"]
    ctx.set_status({"card": text})
    await ctx.call(ECHO, request)
    await ctx.step(look_up, text)
    for failing in (ctx.call(FAILING, text), ctx.step(stumble, text)):
        with suppress(CallFailed, ValueError):
            await failing
    try:
        await ctx.call(ECHO, anything(text))
    except EncodeError as error:
        ctx.set_status(str(error))
    ctx.send(MAIL, text)
    answer = ctx.callback(str, name="approval")
    ctx.state = answer.token
    lost = asyncio.ensure_future(forgotten())
    del lost
    await ctx.wait_signal(TELL)
    async for asked in ctx.updates(ASK):
        asked.respond(asked.payload)
        break
    await answer


@workflow
async def whole(ctx: Context, request: dict[str, Any]) -> dict[str, Any]:
    await first_half(ctx, request)
    return {"card": await ctx.call(child, request["card"])}


@workflow
async def child(ctx: Context, text: str) -> str:
    return text


@workflow
async def fails(ctx: Context, text: str) -> str:
    raise ServiceError(f"no card {text}", details={"card": text})


@workflow
async def misread(ctx: Context, text: str) -> str:
    try:
        return str(await ctx.call(NUMBER, text))
    except BadResponse as error:
        return f"{len(str(error))}"


@workflow(name="changes")
async def before(ctx: Context, text: str) -> str:
    await ctx.call(ECHO, {"card": text})
    await ctx.wait_signal(TELL)
    return text


@workflow(name="changes")
async def after(ctx: Context, text: str) -> str:
    await ctx.call(ECHO, {"card": text, "more": text})
    await ctx.wait_signal(TELL)
    return text


@whole.query
def token(ctx: Context) -> str:
    return str(ctx.state)


@serve(ECHO)
def echo(payload: dict[str, Any]) -> dict[str, Any]:
    return {payload["card"]: payload}


@serve(FAILING)
def failing(text: str) -> str:
    raise ServiceError(f"no card {text}", retryable=False, details={"card": text})


@serve(NUMBER)
def number(text: str) -> int:
    return text  # type: ignore[return-value]  # on purpose


@serve(MAIL)
def mail(text: str) -> None:
    return None


def anything(value: object) -> Any:
    return value


def app_of(changes: Workflow[Any, Any], *, show_values: bool = False) -> App:
    workflows: list[Workflow[Any, Any]] = [whole, child, fails, misread, changes]
    adapters: list[Adapter[Any, Any]] = [echo, failing, number, mail]
    return App(
        "marked", workflows=workflows, adapters=adapters, schedules=[], show_values=show_values
    )


async def until(is_true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await is_true():  # noqa: ASYNC110  # of the store, which tells nobody
            await asyncio.sleep(0.01)


async def live(path: Path, *, show_values: bool) -> list[str]:
    """Run everything; what the client's errors say."""
    told: list[str] = []
    async with Engine(app_of(before, show_values=show_values), path) as engine:
        client = engine.client
        request = {"card": MARK, "deep": [{"card": MARK}]}
        one = await client.start(whole, request, execution_id="whole", memo={"card": MARK})
        two = await client.start(fails, MARK, execution_id="fails")
        three = await client.start(misread, MARK, execution_id="misread")
        await client.start(before, MARK, execution_id="blocked")
        for wrong in (
            client.start(whole, {"card": {MARK}}),
            client.signal("whole", TELL, anything({MARK: 3})),
            client.update("whole", ASK, anything([MARK]), timeout=SECONDS),
        ):
            with pytest.raises(EncodeError) as refused:
                await wrong
            told.append(str(refused.value))
        await until(lambda: _is_open(client))
        await one.signal(TELL, {"card": MARK})
        assert await one.update(ASK, MARK, timeout=SECONDS) == MARK
        given = await client.query("whole", token)
        with pytest.raises(EncodeError) as wrong_answer:
            await client.complete_callback(given, [MARK])
        told.append(str(wrong_answer.value))
        await client.complete_callback(given, MARK)
        assert await one.result(SECONDS) == {"card": MARK}
        with pytest.raises(Exception, match="failed with ServiceError"):
            await two.result(SECONDS)
        await until(lambda: _has(client, "misread", Status.COMPLETED, Status.BLOCKED))
        del three
        await until(lambda: _has_turns(client, "blocked", 2))
    async with Engine(app_of(after, show_values=show_values), path) as engine:
        await engine.client.signal("blocked", TELL, {"card": MARK})
        await until(lambda: _has(engine.client, "blocked", Status.BLOCKED))
        told += [header.reason async for header in engine.client.list_all()]
    return told


async def _is_open(client: Any) -> bool:
    turns = (await client.history("whole")).turns
    return any(type(one).__name__ == "OpenCallback" for turn in turns for one in turn.commands)


async def _has(client: Any, execution_id: str, *statuses: Status) -> bool:
    return (await client.describe(execution_id)).status in statuses


async def _has_turns(client: Any, execution_id: str, turns: int) -> bool:
    return len((await client.history(execution_id)).turns) >= turns


COMMANDS: list[list[str]] = [
    ["list"],
    ["list", "--json"],
    ["list", "--status", "blocked"],
    *(
        [*words, name, *more]
        for name in ("whole", "fails", "misread", "blocked")
        for words in (["describe"], ["history", "show"])
        for more in ([], ["--json"])
    ),
    ["signal", "whole", "tell", "--input", f'{{"card": "{MARK}"}}'],
]


@pytest.fixture(params=[False, True], ids=["hidden", "shown"])
def shows(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_no_marked_value_is_on_any_surface(
    tmp_path: Path,
    shows: bool,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "marked.db"
    caplog.set_level(logging.DEBUG, "lambda_workflow")
    told = asyncio.run(live(path, show_values=shows))
    logged = [record.getMessage() for record in caplog.records]
    assert any("blocked" in line for line in logged)
    assert any("unseen" in line for line in logged)
    outputs = [output_of([*words], path, capsys, values=shows) for words in COMMANDS]
    surfaces = {"errors and reasons": told, "logs": logged, "commands": outputs}
    for name, texts in surfaces.items():
        marked = [text for text in texts if MARK.lower() in text.lower()]
        assert bool(marked) is shows, (name, marked[:3])


def output_of(
    words: list[str], path: Path, capsys: pytest.CaptureFixture[str], *, values: bool
) -> str:
    extra = ["--values"] if values else []
    assert main([*words, "--db", str(path), *extra]) in (0, 2)
    captured = capsys.readouterr()
    return captured.out + captured.err


app = app_of(before)


@pytest.mark.parametrize("name", ["child", "misread"])
def test_the_lines_of_run_have_no_marked_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, shows: bool
) -> None:
    words = ["run", f"{__name__}:app", name, "--input", f'"{MARK}"', "--id", name, "--history"]
    assert main([*words, "--db", str(tmp_path / "db"), *(["--values"] if shows else [])]) in (0, 1)
    lines = capsys.readouterr().err  # the result alone is the output
    assert (MARK in lines) is shows
    assert "str of 9, 11 bytes" in lines or shows
