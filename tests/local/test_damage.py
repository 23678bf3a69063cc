"""A file in which rows of every table are damaged, in every column: other executions go on."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from shutil import copyfile
from typing import Final

import pytest

from lambda_workflow import App, Client, Context, Service, Signal, serve, workflow
from lambda_workflow.errors import WorkflowError
from lambda_workflow.local import Engine, SqliteFile
from lambda_workflow.local.schema import MIGRATIONS
from tests.notes import Notes
from tests.patience import patient

GO = Signal("go", int)
DOUBLE = Service("double", int, int)
LATER = Service("later", int, int)
WAIT = patient(20)
LARGE = "x" * 300_000  # goes to the blobs
WAITING: Final = tuple(f"w{n:02}" for n in range(14))
LARGES: Final = ("l0", "l1", "l2")
ENDED: Final = ("e0", "e1", "e2")


@workflow
async def waits(ctx: Context, n: int) -> int:
    """A timer, a task that nobody serves, a later run, and a signal on its way."""
    if n < 100:
        ctx.continue_as_new(n + 100)
    ctx.set_status({"n": n})
    sleeping = asyncio.ensure_future(ctx.sleep(timedelta(days=100)))
    ctx.send(LATER, n)
    total = await ctx.wait_signal(GO)
    sleeping.cancel()
    return total + await ctx.call(DOUBLE, n)


@workflow
async def keeps(ctx: Context, text: str) -> str:
    await ctx.wait_signal(GO)
    return text


@serve(DOUBLE)
async def double(n: int) -> int:
    return 2 * n


APP = App("damage", workflows=[waits, keeps], services=[LATER], adapters=[double])


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with rows in every table."""
    path = tmp_path_factory.mktemp("healthy") / "file.db"
    asyncio.run(_fill(path))
    file = SqliteFile(path)  # signals that no engine has taken
    client = Client(APP, file.backend)
    for id_ in (*WAITING, *LARGES):
        client.sync.signal(id_, GO, 7, id=f"go-{id_}")
    client.sync.close()
    file.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO dead_letters (at, execution_id, reason, body) VALUES (1,'a','','')")
        for n in range(5):
            db.execute(
                "INSERT INTO engines (process, beat, workflows, services) "
                f"VALUES ('- - 99999{n} -', 0, '[]', '[]')"
            )
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


async def _fill(path: Path) -> None:
    async with Engine(APP, path, responses=True, grace_seconds=0.1) as engine:
        client = engine.client
        for n, id_ in enumerate(WAITING):
            await client.start(waits, n, execution_id=id_, tags={"team": id_}, memo=n)
        for id_ in LARGES:
            await client.start(keeps, LARGE + id_, execution_id=id_)
        for id_ in ENDED:
            await (await client.start(keeps, id_, execution_id=id_, signal=(GO, 1))).result()
        for _ in range(5_000):
            headers = (await client.list()).headers
            said = [header for header in headers if header.custom is not None]
            if len(headers) == len((*WAITING, *LARGES, *ENDED)) and len(said) == len(WAITING):
                return
            await asyncio.sleep(0.005)
    raise AssertionError("the executions do not begin")


def columns() -> dict[str, list[str]]:
    """The columns of every table of the file."""
    with closing(sqlite3.connect(":memory:")) as db:
        for statement in (line for script in MIGRATIONS for line in script):
            db.execute(statement)
        tables = db.execute(
            "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        return {
            table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            for (table,) in sorted(tables)
        }


COLUMNS: Final = columns()
KEYS: Final = {
    "turns": "execution_id, number", "runs": "execution_id, turn", "executions": "execution_id",
    "tasks": "task_id, attempt", "timers": "due, execution_id, operation",
}  # fmt: skip
PLAIN: Final = ("X'00ff80'", "CAST(X'7b22ff' AS TEXT)", "'%&/{'", "-7")
"""What no reader expects, as SQL; the later ones where the schema refuses the earlier."""
ANY: Final = (
    *PLAIN, "0.25", "NULL", "'[1,[2]]'", r"""'{"a":"\udcff"}'""", "'" + "9" * 400 + "'", "''",
    "1e308", "'null'", "'{}'",
)  # fmt: skip


def rows_of(db: sqlite3.Connection, table: str) -> Iterator[str]:
    """Conditions for one row each, of as many executions as there are."""
    keys = KEYS.get(table, "rowid")
    seen: set[object] = set()
    owner = {"tasks": 0, "timers": 1}.get(table, 0)
    for row in db.execute(f"SELECT {keys} FROM {table} ORDER BY {keys}").fetchall():
        if table == "executions" and str(row[0]) in WAITING[3:]:
            continue  # its next turn would mend the row
        if row[owner] in seen:
            continue
        seen.add(row[owner])
        yield " AND ".join(
            f"{name}={value!r}" for name, value in zip(keys.split(", "), row, strict=True)
        )


def damage(path: Path, table: str, kinds: list[tuple[str, ...]]) -> int:
    """Damage one column of a row for each column of the table; how many that were."""
    done = 0
    with closing(sqlite3.connect(path)) as db:
        rows = rows_of(db, table)
        for column, raw in zip(COLUMNS[table], kinds, strict=True):
            if (row := next(rows, None)) is None:
                break
            for kind in raw:
                try:
                    db.execute(f"UPDATE {table} SET {column}={kind} WHERE {row}")
                except sqlite3.IntegrityError:
                    continue
                done += 1
                break
        db.commit()
    return done


async def use(path: Path, caplog: pytest.LogCaptureFixture) -> tuple[int, str]:
    """All that a user does with the file: how many executions ended, and what was said."""
    notes, said = Notes(), list[str]()
    async with Engine(
        APP, path, observer=notes, responses=True, grace_seconds=0.1, lease_seconds=1.0
    ) as engine:
        client = engine.client
        fresh = await client.start(waits, 50, execution_id="fresh", signal=(GO, 1))
        assert await fresh.result(WAIT) == 301
        ids = (*WAITING, *LARGES)
        ends = [asyncio.ensure_future(client.result(id_)) for id_ in ids]
        done: set[asyncio.Future[object]] = set()
        while len(done) < len(ends):
            more, _ = await asyncio.wait({*ends} - done, timeout=0.5)
            done |= more
            if not more:
                break
        for end in ends:
            end.cancel()
        said += [str(error) for end in done if (error := end.exception()) is not None]
        assert all(isinstance(end.exception(), WorkflowError | None) for end in done)
        listed = [header.execution_id async for header in client.list_all(limit=4)]
        assert "fresh" in listed
        await client.list(tags={"team": WAITING[-1]})
        for id_ in (*ids, *ENDED):
            for ask in (client.describe, client.history, client.export):
                try:
                    await ask(id_)
                except WorkflowError as error:
                    said.append(str(error))
        await engine.waiting_services()
        outcomes = await engine._file.receive_responses()
        assert "fresh" in " ".join(text for _, text in outcomes)
        assert await (await client.start(waits, 60, signal=(GO, 1))).result(WAIT) == 321
    said += [record.getMessage() for record in caplog.records]
    said += [str(one.fields) for one in notes.happenings if one.kind in ("failed", "dead_letter")]
    ended = sum(end.exception() is None for end in done)
    return ended, "\n".join(said)


UNREAD: Final = ("dead_letters", "engines")  # by this engine, but for what is harmless


@pytest.mark.parametrize("table", COLUMNS)
def test_damaged_rows_are_named_and_harm_no_other_execution(
    table: str, healthy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file.db"
    copyfile(healthy, path)
    count = damage(path, table, [PLAIN] * len(COLUMNS[table]))
    assert count
    ended, said = asyncio.run(use(path, caplog))
    assert ended >= len(WAITING) + len(LARGES) - count
    if table == "blobs":
        assert "of table blobs is damaged" in said or "is not what was stored there" in said
    elif table not in UNREAD:
        assert f"of table {table} is damaged" in said
    assert "ff80" not in said.lower()


@pytest.mark.parametrize("table", COLUMNS)
def test_no_damage_ends_an_engine(
    table: str, healthy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dice = random.Random(f"{table} {random.randrange(1 << 30)}")
    kinds = [tuple(dice.sample(ANY, len(ANY))) for _ in COLUMNS[table]]
    path = tmp_path / "file.db"
    copyfile(healthy, path)
    count = damage(path, table, kinds)
    ended, _ = asyncio.run(use(path, caplog))
    assert ended >= len(WAITING) + len(LARGES) - count, kinds
