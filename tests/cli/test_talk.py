"""`lambda-workflow list|describe|signal|update|query`, beside an engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lambda_workflow import App, Client, Context, Signal, Update, workflow
from lambda_workflow.cli import main
from lambda_workflow.local import Engine
from tests.cli.command import called

FLOW = """
from lambda_workflow import App, Context, Signal, Update, workflow

GO = Signal("go", str)
ADD = Update("add", int, int)

@workflow
async def sums(ctx: Context, total: int) -> int:
    ctx.state = [total]
    ctx.set_status({"total [b]": total})
    async for call in ctx.updates(ADD):
        if call.payload < 0:
            call.reject("less than nothing")
            continue
        total += call.payload
        ctx.state.append(total)
        call.respond(total)
        if total > 100:
            break
    return total + len(await ctx.wait_signal(GO))

@sums.query
def before(ctx: Context, steps: int) -> int:
    return ctx.state[-1 - steps]

app = App("test", workflows=[sums])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


@asynccontextmanager
async def summing(folder: Path) -> AsyncIterator[Client]:
    """An engine with two executions, while the commands run in another thread."""
    flow = ModuleType("flow")
    exec(FLOW, flow.__dict__)
    async with Engine(flow.app, folder / "lambda-workflow.db") as engine:
        for n in (1, 2):
            tags, memo = {"n": str(n)}, ["ä", n]
            await engine.client.start(flow.sums, n, execution_id=f"s{n}", tags=tags, memo=memo)
        while len((await engine.client.list()).headers) < 2:  # noqa: ASYNC110  # as any client may
            await asyncio.sleep(0.01)
        yield engine.client


async def test_executions_are_listed_and_described(folder: Path) -> None:
    async with summing(folder):
        rows = [
            line.split("\t") for line in (await called(folder, "list", "--values")).splitlines()
        ]
        assert [row[:3] for row in rows] == [["s2", "sums", "RUNNING"], ["s1", "sums", "RUNNING"]]
        assert rows[0][4:] == ['{"total [b]": 2}', "n=2", ""]
        found = json.loads(await called(folder, "list", "--tag", "n=1", "--json"))
        assert [one["id"] for one in found] == ["s1"]
        assert await called(folder, "list", "--status", "failed") == ""
        assert (await called(folder, "list", "--limit", "1")).startswith("s2\t")
        shown = await called(folder, "describe", "s1", "--values")
        assert 'memo\t["ä", 1]\n' in shown
        assert "closed" not in shown
        plain = await called(folder, "describe", "s1")
        assert "memo\tlist of 2, 8 bytes\n" in plain
        assert "custom\tdict of 1, 15 bytes\n" in plain
        whole: Any = json.loads(await called(folder, "describe", "s1", "--json"))
        assert (whole["tags"], whole["closed"], whole["usage"]["writes"]) == ({"n": "1"}, None, 1)
        assert "no execution s3" in await called(folder, "describe", "s3", code=2)


async def test_a_workflow_is_asked_and_told(folder: Path) -> None:
    async with summing(folder) as client:
        assert await called(folder, "update", "s1", "add", "--input", "10", "--once", "a") == "11\n"
        assert await called(folder, "update", "s1", "add", "--input", "10", "--once", "a") == "11\n"
        assert "less than nothing" in await called(
            folder, "update", "s1", "add", "--input", "-1", code=2
        )
        assert await called(folder, "query", "flow:app", "s1", "before", "--input", "1") == "1\n"
        assert "has no query 'after'" in await called(
            folder, "query", "flow:app", "s1", "after", code=2
        )
        await called(folder, "signal", "s1", "go", "--input", '"four"')
        assert await called(folder, "update", "s1", "add", "--input", "100") == "111\n"
        assert await client.result("s1") == 115
        assert "it takes no signal 'go'" in await called(folder, "signal", "s1", "go", code=2)


@dataclass
class Item:
    """Of a cart."""

    name: str
    cents: int


@workflow
async def cart(ctx: Context, n: int) -> list[Item]:
    """A signal, and then an update."""
    item = await ctx.wait_signal(Signal("add", Item))
    async for call in ctx.updates(Update("put", Item, int)):
        call.respond(call.payload.cents)
        return [item, call.payload]
    return []


async def test_what_is_not_of_the_declared_type_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "db"

    async def told(command: str, name: str, payload: str) -> tuple[int, str]:
        words = [command, "c1", name, "--db", str(path), "--input", payload]
        code = await asyncio.to_thread(main, words)
        return code, capsys.readouterr().err

    async with Engine(App("shop", workflows=[cart]), path) as engine:
        handle = await engine.client.start(cart, 1, execution_id="c1")
        await handle.describe()
        for command, name in (("signal", "add"), ("update", "put")):
            while not await has_declared(engine.client, name):  # noqa: ASYNC110  # as any client may
                await asyncio.sleep(0.01)
            before = await engine.client.export("c1")
            code, said = await told(command, name, '{"name": "tea", "cents": "secret"}')
            assert code == 2
            assert f"{command} {name}.cents: found string, allowed integer; nothing is" in said
            assert "secret" not in said
            code, said = await told(command, name, "[]")
            assert (code, f"{command} {name}: found array" in said) == (2, True)
            assert await engine.client.export("c1") == before
            code, _ = await told(command, name, '{"name": "tea", "cents": 4}')
            assert code == 0
        assert await handle.result() == [Item("tea", 4)] * 2


async def has_declared(client: Client, name: str) -> bool:
    return f'"{name}"' in await client.export("c1")


async def test_what_is_written_wrongly_is_said(folder: Path) -> None:
    async with summing(folder):
        assert "'gone' is no status" in await called(folder, "list", "--status", "gone", code=2)
        assert "write NAME=TEXT" in await called(folder, "list", "--tag", "n", code=2)
        assert "not JSON" in await called(folder, "signal", "s1", "go", "--input", "{", code=2)
        assert "name a --workflow" in await called(folder, "list", "--aws", code=2)
