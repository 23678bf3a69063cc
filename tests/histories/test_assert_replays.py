"""`assert_replays`: which files it takes, and what it says of those that no longer replay."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lambda_workflow import App, ConfigurationError, Context, Service, Workflow, workflow
from lambda_workflow.local import Engine
from lambda_workflow.model.exported import read_history, write_history
from lambda_workflow.runtime.serve import serve
from lambda_workflow.testing.histories import assert_replays

CHARGE: Service[int, int] = Service("charge", int, int)
REFUND: Service[int, int] = Service("refund", int, int)


@workflow(name="order")
async def order(ctx: Context, amount: int) -> int:
    return await ctx.call(CHARGE, amount)


@workflow(name="order")
async def refunding(ctx: Context, amount: int) -> int:
    return await ctx.call(REFUND, amount)


@workflow(name="order")
async def shorter(ctx: Context, amount: int) -> int:
    return amount


@workflow(name="order", version="2")
async def order_2(ctx: Context, amount: int) -> int:
    await asyncio.sleep(0.001)
    return await ctx.call(CHARGE, amount * 2)


@serve(CHARGE)
def charge(amount: int) -> int:
    return amount


def app(*workflows: Workflow[Any, Any]) -> App:
    return App("tests", workflows=workflows, adapters=[charge], services=[REFUND])


async def export(folder: Path, workflows: Iterable[Workflow[Any, Any]], *names: str) -> None:
    """Run the newest of the workflows, once for each name."""
    async with Engine(app(*workflows), folder / "db") as engine:
        for name in names:
            handle = await engine.client.start(list(workflows)[-1], 5, execution_id=name)
            await handle.result()
            history = await engine.client.history(name)
            (folder / f"{name}.json").write_text(write_history(history))


async def test_files_folders_and_globs_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    await export(tmp_path, [order], "a", "b")
    (tmp_path / "a.json").rename(tmp_path / "deep" / "a.json")
    a, b = Path("deep", "a.json"), Path("b.json")
    assert assert_replays(order, "*.json") == [b]
    assert assert_replays(order, "**/*.json") == [b, a]
    assert assert_replays(order, tmp_path / "deep", "b.json") == [tmp_path / a, b]
    assert assert_replays(app(order), ".") == [b, a]


async def test_changed_code_is_told_with_the_file_and_the_difference(tmp_path: Path) -> None:
    await export(tmp_path, [order], "e")
    with pytest.raises(AssertionError) as failed:
        assert_replays(app(refunding), tmp_path / "e.json")
    told = str(failed.value)
    assert told.startswith(f"{tmp_path / 'e.json'}: tests/histories/test_assert_replays.py:")
    assert "calls `refund` where the history has `charge`" in told
    assert "  - history: call 1 charge(int, digest " in told
    assert "\n  + code:    call 1 refund(int, digest " in told


async def test_each_file_that_fails_is_told(tmp_path: Path) -> None:
    await export(tmp_path, [order], "a", "b")
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(AssertionError) as failed:
        assert_replays(shorter, tmp_path)
    told = str(failed.value)
    assert told.startswith("3 of 3 histories no longer replay\n")
    assert told.count("completes where the history has `charge`") == 2
    assert "c.json: no exported history" in told


async def test_each_version_replays_its_own_histories(tmp_path: Path) -> None:
    await export(tmp_path, [order], "old")
    await export(tmp_path, [order, order_2], "new")
    assert len(assert_replays(app(order, order_2), tmp_path)) == 2
    assert len(assert_replays([order, order_2], tmp_path)) == 2
    with pytest.raises(AssertionError, match=r"old\.json: workflow 'order': .* had no version"):
        assert_replays(order_2, tmp_path)


async def test_a_history_of_another_workflow_fails(tmp_path: Path) -> None:
    @workflow
    async def another(ctx: Context, amount: int) -> int:
        return amount

    await export(tmp_path, [order], "e")
    with pytest.raises(AssertionError, match=r"has no workflow 'order'; it has another"):
        assert_replays(another, tmp_path)


async def test_a_service_that_the_app_lacks_fails(tmp_path: Path) -> None:
    await export(tmp_path, [order], "e")
    with pytest.raises(AssertionError, match=r"calls service 'charge', which its App does not"):
        assert_replays(App("tests", workflows=[order]), tmp_path)


@pytest.mark.parametrize("pattern", ["*.json", "missing", "missing.json", "."])
def test_a_pattern_that_finds_nothing_is_an_error(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"finds no file .* history export ID"):
        assert_replays(order, pattern)


def test_no_pattern_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="name at least one"):
        assert_replays(order)


async def test_a_waiting_and_a_blocked_execution_replay(tmp_path: Path) -> None:
    await export(tmp_path, [order], "e")
    data = json.loads((tmp_path / "e.json").read_text())
    whole = data["turns"]
    data["turns"] = whole[:1]
    (tmp_path / "waiting.json").write_text(json.dumps(data))
    data["turns"] = [whole[0], {**whole[1], "c": [], "s": "BLOCKED", "r": "missing"}]
    (tmp_path / "blocked.json").write_text(json.dumps(data))
    assert len(assert_replays(order, tmp_path)) == 3


@workflow(name="order", version="1")
async def three_runs(ctx: Context, amount: int) -> int:
    charged = await ctx.call(CHARGE, amount)
    if amount < 7:
        ctx.continue_as_new(amount + 1)
    return charged


async def test_of_several_runs_the_last_one_counts(tmp_path: Path) -> None:
    await export(tmp_path, [three_runs], "e")
    history = read_history((tmp_path / "e.json").read_text())
    assert history.started is not None
    assert history.started.run.number == 3
    assert len(history.turns) > len(history.run_turns())
    assert len(assert_replays(three_runs, tmp_path)) == 1

    @workflow(name="order", version="1")
    async def changed(ctx: Context, amount: int) -> int:
        return await ctx.call(REFUND if amount == 7 else CHARGE, amount)

    with pytest.raises(AssertionError, match="calls `refund` where the history has `charge`"):
        assert_replays(changed, tmp_path)
