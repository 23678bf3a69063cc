"""A file that goes away while it is open, one that cannot be written, and a clock that is set."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from lambda_workflow import App, Context, Signal, workflow
from lambda_workflow.errors import BackendError, ConfigurationError
from lambda_workflow.local import Engine, SqliteFile, alarm
from lambda_workflow.local.schema import SCHEMA_VERSION
from tests.notes import Notes
from tests.patience import patience

GO = Signal("go", int)
HOUR = timedelta(hours=1)


@workflow
async def sleeps(ctx: Context, n: int) -> int:
    ctx.set_status("asleep")
    await ctx.sleep(HOUR)
    return n


@workflow
async def double(ctx: Context, n: int) -> int:
    return 2 * n


APP = App("places", workflows=[sleeps, double])


class SetClock:
    """The machine's time, which somebody sets; a wait knows nothing of that."""

    def __init__(self) -> None:
        self.ahead = 0.0  # seconds

    def now(self) -> int:
        return round((time.time() + self.ahead) * 1000)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


# the clock


async def asleep(engine: Engine) -> None:
    for _ in range(10_000):
        header = await engine.backend.store.header("s")
        if header is not None and header.custom == "asleep" and engine._alarm.next_due():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it does not go to sleep")


async def test_a_timer_fires_when_the_machine_wakes_after_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alarm, "RECHECK_SECONDS", 0.02)
    clock = SetClock()
    async with Engine(APP, ":memory:", clock=clock) as engine:
        handle = await engine.client.start(sleeps, 1, execution_id="s")
        await asleep(engine)
        clock.ahead += 4000
        async with asyncio.timeout(patience(20)):
            assert await handle.result() == 1


async def test_a_timer_does_not_fire_early_when_the_clock_is_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alarm, "RECHECK_SECONDS", 0.02)
    clock = SetClock()
    async with Engine(APP, ":memory:", clock=clock) as engine:
        handle = await engine.client.start(sleeps, 1, execution_id="s")
        await asleep(engine)
        clock.ahead -= 7200
        for ahead in (3000, 3000):  # two hours back, then on for less than its hour: 100 minutes
            clock.ahead += ahead
            await asyncio.sleep(0.1)
            assert not (await handle.describe()).status.closed
        clock.ahead += 7200
        async with asyncio.timeout(patience(20)):
            assert await handle.result() == 1


# the file


async def told_by(engine: Engine) -> str:
    try:
        await engine.client.start(double, 1)
    except BackendError as error:
        return str(error)
    return ""


async def test_a_deleted_file_is_noticed_and_goes_on_when_it_is_put_back(tmp_path: Path) -> None:
    path, notes = tmp_path / "file.db", Notes()
    async with Engine(APP, path, observer=notes) as engine:
        handle = await engine.client.start(double, 1, execution_id="d")
        assert await handle.result() == 2
        path.rename(tmp_path / "away.db")
        told = await told_by(engine)
        assert told.startswith(f"{path} was deleted or moved while it was open")
        assert "Put the very file back" in told
        with pytest.raises(BackendError, match="deleted or moved"):
            await engine.client.describe("d")
        for _ in range(5_000):  # the engine itself notices, though nobody asks it for anything
            if any("deleted or moved" in str(one.fields) for one in notes.happenings):
                break
            await asyncio.sleep(0.001)
        else:
            raise AssertionError("the engine says nothing")
        (tmp_path / "away.db").rename(path)
        assert await (await engine.client.start(double, 2)).result() == 4


async def test_a_replaced_file_is_noticed_and_left_alone(tmp_path: Path) -> None:
    path, other = tmp_path / "file.db", tmp_path / "other.db"
    SqliteFile(other).close()
    before = other.read_bytes()

    async def replaced() -> None:
        async with Engine(APP, path, grace_seconds=0.1) as engine:
            other.replace(path)
            assert "was replaced by another file while it was open" in await told_by(engine)

    with pytest.raises(BackendError, match="replaced"):
        await replaced()
    assert path.read_bytes() == before


async def test_leaving_an_engine_whose_file_is_gone_says_so(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    with pytest.raises(BackendError, match="was deleted or moved"):
        async with Engine(APP, path, grace_seconds=0.1):
            path.unlink()


def test_a_file_of_an_older_schema_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("it needs root, to become somebody else")
    from tests.local.test_threads_and_forks import in_a_child

    place = Path("/tmp") / f"lambda-workflow-{os.getpid()}"
    place.mkdir(mode=0o755)
    try:
        path = place / "file.db"
        file = SqliteFile(path)
        asyncio.run(_set_version(file, SCHEMA_VERSION - 1))
        file.close()
        path.chmod(0o644)

        def act() -> object:
            os.setuid(65534)
            return SqliteFile(path)

        told = in_a_child(act)
        assert told.startswith(f"ConfigurationError: {path}: its schema is version 2")
        assert "open it once where it can" in told
    finally:
        for one in place.iterdir():
            one.unlink()
        place.rmdir()


async def _set_version(file: SqliteFile, version: int) -> None:
    await file.writer.call(lambda db: db.execute(f"PRAGMA user_version={version}"))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises((BackendError, ConfigurationError), match="cannot be opened"):
        SqliteFile(tmp_path)
