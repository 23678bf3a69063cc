"""`lambda-workflow history`, as a user types it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from examples.greeter.app import app, greet
from lambda_workflow.local import Engine
from lambda_workflow.model.exported import read_history
from lambda_workflow.testing.histories import assert_replays
from tests.cli.command import Done, call
from tests.patience import patience

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "lambda_workflow.cli", "history"]


async def greeted(file: Path) -> None:
    async with Engine(app, file) as engine:
        handle = await engine.client.start(greet, ("Ä[d]a", "Grace"), execution_id="g1")
        await handle.result()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    asyncio.run(greeted(tmp_path / "db"))
    return tmp_path


def run(folder: Path, *words: str) -> Done:
    return call(folder, "history", *words)


def test_show_gives_a_line_for_each_thing_that_happened(folder: Path) -> None:
    done = run(folder, "show", "g1", "--db", "db", "--values")
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[2:] for row in rows[:3]] == [
        ["", '• started greet(["Ä[d]a","Grace"])'],
        ["1", '→ greeter("Ä[d]a")'],
        ["2", '→ greeter("Grace")'],
    ]
    assert sorted(row[2:] for row in rows[3:-1]) == [
        ["1", '✓ greeter = "Hello, Ä[d]a!"'],
        ["2", '✓ greeter = "Hello, Grace!"'],
    ]
    assert rows[-1][2:] == ["", "• completed"]
    assert [row[0] for row in rows[:4]] == ["1", "1", "1", "2"]


def test_show_as_json_has_every_event_and_command_in_full(folder: Path) -> None:
    done = run(folder, "show", "g1", "--db", "db", "--json", "--values")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["execution_id"], data["workflow"], data["status"]) == ("g1", "greet", "COMPLETED")
    first, last = data["turns"][0], data["turns"][-1]
    assert first["events"][0]["type"] == "Started"
    assert first["events"][0]["request"] == ["Ä[d]a", "Grace"]
    named = {key: first["commands"][0][key] for key in ("type", "operation", "service", "payload")}
    assert named == {
        "type": "ScheduleCall", "operation": "1", "service": "greeter", "payload": "Ä[d]a",
    }  # fmt: skip
    assert last["commands"][-1] == {
        "type": "Complete", "payload": "Hello, Ä[d]a! Hello, Grace!",
    }  # fmt: skip
    assert last["usage"]["writes"] > 0
    assert first["events"][0]["options"]["secret"] in ("", "exported")


def test_show_on_a_terminal_is_a_table(folder: Path) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "show", "g1", "--db", "db", "--values"], cwd=folder, stdout=follower,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    assert process.wait(patience(60)) == 0
    os.close(follower)
    told = os.read(leader, 65536).decode()
    os.close(leader)
    assert "time (UTC)" in told
    assert "Hello, Ä[d]a!" in told


def test_export_writes_what_assert_replays_takes(folder: Path) -> None:
    done = run(folder, "export", "g1", "--db", "db", "--output", "deep/g1.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "deep/g1.json: g1, " in done.stderr
    assert len(assert_replays(app, folder / "deep")) == 1
    piped = run(folder, "export", "g1", "--db", "db")
    assert piped.stdout == (folder / "deep" / "g1.json").read_text("utf-8")
    assert read_history(piped.stdout).execution_id == "g1"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "absent", "--db", "db"], "no execution absent"),
        (["export", "absent", "--db", "db"], "no execution absent"),
        (["show", "g1", "--db", "elsewhere"], "--db elsewhere: no such file"),
        (["show", "g1"], "--db lambda-workflow.db: no such file"),
        (["export", "g1", "--db", "db", "--output", "db/x"], "--output db/x"),
        (["show", "g1", "--aws"], "LAMBDA_WORKFLOW_"),
    ],
)
def test_wrong_use_is_exit_code_2_and_leaves_no_file(
    folder: Path, words: list[str], told: str
) -> None:
    before = sorted(folder.iterdir())
    done = run(folder, *words)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(folder.iterdir()) == before
