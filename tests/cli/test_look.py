"""`lambda-workflow list`, `describe` and `history show` of executions that are held up."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from lambda_workflow import App, Context, Service, Status, workflow
from lambda_workflow.local import Engine
from lambda_workflow.runtime.client import Client
from tests.cli.command import call

LOST = Service("lost", int, int)


@workflow
async def calls(ctx: Context, n: int) -> int:
    return await ctx.call(LOST, n)


@workflow
async def rests(ctx: Context, n: int) -> int:
    await ctx.sleep(timedelta(hours=9))
    return n


app = App("held", workflows=[calls, rests])  # it has no such service: the call blocks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held")

    async def fill() -> None:
        async with Engine(app, folder / "lambda-workflow.db", observer=None) as engine:
            await engine.client.start(calls, 1, execution_id="b")
            await engine.client.start(rests, 1, execution_id="p")
            await _is(engine.client, "p", Status.RUNNING)
            await engine.client.pause("p", "over\nnight")
            await _is(engine.client, "p", Status.PAUSED)
            await _is(engine.client, "b", Status.BLOCKED)

    asyncio.run(fill())
    return folder


async def _is(client: Client, execution_id: str, status: Status) -> None:
    for _ in range(10_000):
        header = await client.backend.store.header(execution_id)
        if header is not None and header.status is status:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(f"{execution_id} does not become {status}")


def test_a_listing_says_what_it_read_and_why_executions_are_held_up(folder: Path) -> None:
    done = call(folder, "list")
    assert done.stderr == f"{folder / 'lambda-workflow.db'}: 2 listed\n"
    rows = {line.split("\t")[0]: line.split("\t") for line in done.stdout.splitlines()}
    assert len(rows["b"]) == len(rows["p"]) == 7
    assert "lost" in rows["b"][6]
    assert rows["p"][6] == "over night"
    assert call(folder, "list", "--status", "blocked").stdout.startswith("b\tcalls\tBLOCKED\t")
    assert call(folder, "list", "--limit", "1").stderr.endswith(": 1 listed\n")


def test_what_holds_an_execution_up_is_described(folder: Path) -> None:
    shown = call(folder, "describe", "b").stdout
    (reason,) = [line for line in shown.splitlines() if line.startswith("reason\t")]
    assert "lost" in reason


def test_a_history_says_that_it_is_held_up_and_why(folder: Path) -> None:
    rows = call(folder, "history", "show", "b").stdout.splitlines()
    assert rows[-1].split("\t")[3].startswith("! BLOCKED: ")
    assert "lost" in rows[-1]
    assert (
        call(folder, "history", "show", "p")
        .stdout.splitlines()[-1]
        .endswith("! PAUSED: over night")
    )


# damage, and files that cannot be written


def test_a_listing_warns_of_a_damaged_row_and_shows_the_others(
    folder: Path, tmp_path: Path
) -> None:
    path = _copy(folder, tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE executions SET usage='{' WHERE execution_id='b'")
        db.commit()
    done = call(tmp_path, "list", "--json")
    assert [one["id"] for one in json.loads(done.stdout)] == ["p"]
    refused = call(tmp_path, "describe", "b")
    assert refused.returncode == 2
    assert "the row ('b') of table executions is damaged: column usage" in refused.stderr


def test_a_file_that_cannot_be_written_is_shown(folder: Path, tmp_path: Path) -> None:
    """As another user, for whom the file is read-only; root may write everything."""
    if os.geteuid() != 0:
        pytest.skip("it needs root, to become somebody else")
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        path = _copy(folder, place)
        place.chmod(0o755)
        path.chmod(0o644)
        told = _as_nobody(place)
    assert told["list"][0] == 0, told
    assert told["list"][1].startswith("p\t")
    assert told["describe"][0] == told["history"][0] == told["export"][0] == 0
    assert json.loads(told["export"][1])
    code, _, refused = told["signal"]
    assert code == 2
    assert "it cannot be written: check owner and permissions of the file" in refused


def _as_nobody(place: Path) -> dict[str, tuple[int, str, str]]:
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            commands = {
                "list": ("list",), "describe": ("describe", "b"),
                "history": ("history", "show", "b"), "export": ("history", "export", "b"),
                "signal": ("signal", "p", "go"),
            }  # fmt: skip
            told = {}
            for name, words in commands.items():
                done = call(place, *words)
                told[name] = (done.returncode, done.stdout, done.stderr)
            os.write(write, json.dumps(told).encode())
        except BaseException as error:  # noqa: BLE001  # the parent looks at it
            os.write(write, json.dumps({"failed": repr(error)}).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        found = json.loads(pipe.read())
    os.waitpid(child, 0)
    assert "failed" not in found, found
    return {name: (one[0], one[1], one[2]) for name, one in found.items()}


def _copy(folder: Path, place: Path) -> Path:
    name = "lambda-workflow.db"
    with (
        closing(sqlite3.connect(folder / name)) as source,
        closing(sqlite3.connect(place / name)) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA journal_mode=WAL")
    return place / name
