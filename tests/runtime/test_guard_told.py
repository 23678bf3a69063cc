"""The strict guard: what it tells of and lets pass, and where it is switched off."""

from __future__ import annotations

import sqlite3
import sys
import time

import pytest

from lambda_workflow import App, Context, Status, workflow
from lambda_workflow.errors import NonDeterministicCall
from lambda_workflow.local import Engine
from lambda_workflow.runtime.guard import Guard
from lambda_workflow.testing import simulate
from tests.notes import Notes


def test_printing_is_told_once_for_each_line_and_allowed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told: list[tuple[str, str]] = []
    guard = Guard(told=lambda line, words: told.append((line, words)))
    with guard:
        for n in range(3):
            print(n)
        sys.stderr.write("raw\n")
    assert guard.refused is None
    assert capsys.readouterr().out == "0\n1\n2\n"
    assert [words.partition(",")[0] for _, words in told] == ["`print()`", "`sys.stdout.write()`"]
    assert all("ctx.logger" in words and "test_guard_told.py:" in line for line, words in told)


def test_what_is_paused_is_not_watched() -> None:
    guard = Guard()
    with guard:
        guard.pause()
        time.time()
        guard.resume()
        with pytest.raises(NonDeterministicCall):
            time.time()
    assert sys.getprofile() is None


def test_a_database_is_refused() -> None:
    with Guard(), pytest.raises(NonDeterministicCall, match=r"`sqlite3.connect\(\)`"):
        sqlite3.connect(":memory:")


@workflow
async def flow(ctx: Context, kind: str) -> float:
    if kind == "print":
        print("here")
        return 0.0
    return time.time()


APP = App("tests", workflows=[flow])


async def test_an_engine_has_it_unless_told_otherwise() -> None:
    notes = Notes()
    async with Engine(APP, ":memory:", observer=notes) as engine:
        handle = await engine.client.start(flow, "clock")
        while not notes.of("blocked"):
            await handle.history() if notes.of("turn") else await engine.client.list("flow")
        assert (await handle.describe()).status is Status.BLOCKED
        assert "test_guard_told.py" in (await handle.describe()).reason
        assert "time.time()" in (await handle.describe()).reason
        assert await (await engine.client.start(flow, "print")).result() == 0
        assert await (await engine.client.start(flow, "print")).result() == 0
    (told,) = notes.of("repeats")
    assert "test_guard_told.py" in told.fields["line"]
    async with Engine(APP, ":memory:", guard=False) as engine:
        assert await (await engine.client.start(flow, "clock")).result() > 0


def test_a_simulation_warns_of_print() -> None:
    (warning,) = simulate(flow, "print").warnings
    assert warning.startswith("repeats: line ")
    assert "`print()`" in warning
    with pytest.raises(NonDeterministicCall):
        simulate(flow, "clock")
