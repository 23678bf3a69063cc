"""`lambda-workflow schedule`, as a user types it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from lambda_workflow import App
from lambda_workflow.local import Engine
from tests.cli.command import call

SHOP = """
from datetime import timedelta
from lambda_workflow import App, Context, Schedule, workflow

@workflow
async def report(ctx: Context, kind: str) -> str:
    return kind

nightly = Schedule("nightly", report, "full", cron="0 8 * * *", timezone="Europe/Berlin",
                   pause_on_failure=True)
hourly = Schedule("hourly", report, "short", every=timedelta(hours=1), overlap="allow",
                  jitter=timedelta(minutes=5), catch_up=timedelta(hours=3))
app = App("shop", workflows=[report], schedules=[nightly, hourly])
plain = App("plain", workflows=[report])
"""


def done(folder: Path, *words: str) -> str:
    finished = call(folder, *words)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def work(folder: Path) -> None:
    """Let an engine make the turns that are waiting."""
    shop = ModuleType("shop")
    exec(SHOP, shop.__dict__)
    asyncio.run(_work(shop.app, folder / "db"))


async def _work(app: App, path: Path) -> None:
    async with Engine(app, path):
        with closing(sqlite3.connect(path)) as file:
            while file.execute("SELECT count(*) FROM messages").fetchone()[0]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    work(tmp_path)
    return tmp_path


def test_a_preview_shows_the_next_times_in_the_zone_and_in_utc(folder: Path) -> None:
    lines = done(folder, "schedule", "preview", "shop:app", "--count", "2").splitlines()
    rows = [line.split("\t") for line in lines]
    assert [row[0] for row in rows] == ["nightly", "nightly", "hourly", "hourly"]
    assert all(" 08:00:00 +0" in row[1] for row in rows[:2])
    assert all(row[2].endswith(("06:00:00", "07:00:00")) for row in rows[:2])


def test_schedules_are_made_looked_at_and_steered(folder: Path) -> None:
    made = done(folder, "schedule", "apply", "shop:app", "--db", "db")
    assert made == "nightly\tcreated\nhourly\tcreated\n"
    work(folder)
    again = done(folder, "schedule", "apply", "shop:app", "--db", "db")
    assert again == "nightly\tunchanged\nhourly\tunchanged\n"
    rows = [
        line.split("\t") for line in done(folder, "schedule", "list", "--db", "db").splitlines()
    ]
    assert rows == [
        ["hourly", "report", "every 1:00:00", "allow", "RUNNING", "0", "0", "0", "0",
         "jitter=0:05:00 catch_up=3:00:00"],
        ["nightly", "report", "cron 0 8 * * * Europe/Berlin", "skip", "RUNNING", "0", "0", "0",
         "0", "pause_on_failure"],
    ]  # fmt: skip
    paused = call(folder, "schedule", "pause", "nightly", "--note", "holidays", "--db", "db")
    assert paused.stderr == "nightly: pause is sent; its engine or worker obeys it\n"
    triggered = call(folder, "schedule", "trigger", "nightly", "--db", "db")
    assert triggered.stderr == "nightly: trigger is sent; its engine or worker obeys it\n"
    span = ["2026-01-01T00:00Z", "2026-01-01T03:00Z"]
    assert done(folder, "schedule", "backfill", "hourly", *span, "--db", "db") == "3 times\n"
    work(folder)
    shown = done(folder, "schedule", "show", "nightly", "--db", "db").splitlines()
    assert shown[0].split("\t")[4] == "paused holidays"
    assert shown[1].endswith("started\tnightly:trigger1")
    assert len(shown) == 2, "paused: no times to come"
    found = json.loads(done(folder, "schedule", "list", "--db", "db", "--json"))
    assert [(one["name"], one["started"], one["paused"], one["jitter"]) for one in found] == [
        ("hourly", 3, None, "0:05:00"), ("nightly", 1, "holidays", None),
    ]  # fmt: skip
    assert len(found[0]["next"]) == 3
    resumed = call(folder, "schedule", "resume", "nightly", "--db", "db")
    assert resumed.stderr == "nightly: resume is sent; its engine or worker obeys it\n"
    deleted = call(folder, "schedule", "delete", "hourly", "--db", "db")
    assert deleted.stderr == "hourly: delete is sent; its engine or worker obeys it\n"
    work(folder)
    (left,) = done(folder, "schedule", "list", "--db", "db").splitlines()
    assert left.split("\t")[:5] == [
        "nightly", "report", "cron 0 8 * * * Europe/Berlin", "skip", "RUNNING",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pause", "absent", "--db", "db"], "no schedule 'absent'"),
        (["show", "absent", "--db", "nowhere"], "--db nowhere: no such file"),
        (["backfill", "hourly", "yesterday", "today", "--db", "db"], "yesterday: no time"),
        (["apply", "shop:nothing", "--db", "db"], "give MODULE:APP"),
        (["list", "--aws"], "LAMBDA_WORKFLOW_"),
    ],
)
def test_wrong_use_is_exit_code_2_and_says_what_to_do(
    folder: Path, words: list[str], told: str
) -> None:
    finished = call(folder, "schedule", *words)
    assert finished.returncode == 2
    assert told in finished.stderr
    assert "Traceback" not in finished.stderr


def test_an_app_without_schedules_has_nothing_to_apply(folder: Path) -> None:
    assert done(folder, "schedule", "apply", "shop:plain", "--db", "db") == ""
