"""Several engines on one file: whose is what, and what becomes of the work of the dead."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from lambda_workflow.local import change as c
from lambda_workflow.local import registry
from lambda_workflow.local.alarm import FIRST
from lambda_workflow.local.registry import Claimant, Found
from lambda_workflow.local.sqlite import SqliteFile
from lambda_workflow.model.messages import Message, Redrive, Request, Task
from lambda_workflow.model.wire import render, render_task


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    opened = SqliteFile(tmp_path / "file.db")
    yield opened
    await opened.aclose()


async def enter(
    file: SqliteFile, workflows: tuple[str, ...] = ("flow",), services: tuple[str, ...] = ("mail",)
) -> Claimant:
    engine = await file.writer.call(partial(registry.register, workflows, services))
    return Claimant(engine, workflows, services)


async def leave(file: SqliteFile, engine: Claimant) -> None:
    await file.writer.call(partial(registry.remove, [engine.id]))


async def send(file: SqliteFile, *messages: Message) -> None:
    rows = [(message.execution_id, render(message)) for message in messages]
    await file.writer.write(c.Change({c.PUT_MESSAGE: list(rows)}))


async def take(file: SqliteFile, engine: Claimant, mark: int = 0) -> Found:
    return await file.writer.call(partial(registry.take_messages, engine, mark, 1_000))


async def take_tasks(file: SqliteFile, engine: Claimant, limit: int = 10) -> Found:
    return await file.writer.call(partial(registry.take_tasks, engine, limit, 1_000))


def ids(found: Found) -> list[str]:
    return [message.execution_id for message, _ in found.messages]


def request(execution_id: str, workflow: str = "flow") -> Request:
    return Request(execution_id, workflow, None)


def task(number: int, service: str = "mail") -> c.Row:
    body = render_task(Task("e", f"e/{number}", service, None, 1, "local:inbox"))
    return (f"e/{number}", 1, service, None, body)


async def test_the_first_to_look_owns_an_execution(file: SqliteFile) -> None:
    first, second = await enter(file), await enter(file)
    await send(file, request("a"))
    assert ids(await take(file, first)) == ["a"]
    assert ids(await take(file, second)) == []
    await send(file, Redrive("a"), request("b"))
    assert ids(await take(file, second)) == ["b"]
    assert ids(await take(file, first)) == ["a", "a"]


async def test_what_an_engine_leaves_is_anybodys(file: SqliteFile) -> None:
    first, second = await enter(file), await enter(file)
    await send(file, request("a"))
    await take(file, first)
    await leave(file, first)
    assert ids(await take(file, second)) == ["a"]


async def test_executions_of_a_workflow_are_left_to_those_who_know_it(file: SqliteFile) -> None:
    mine, theirs = await enter(file, ("mine",)), await enter(file, ("theirs",))
    await send(file, request("t", "theirs"), request("m", "mine"), request("n", "nobodys"))
    assert ids(await take(file, mine)) == ["m", "n"]
    await leave(file, theirs)
    assert ids(await take(file, mine)) == ["t", "m", "n"]


async def test_a_message_for_nobody_claims_nothing(file: SqliteFile) -> None:
    engine = await enter(file)
    await send(file, Redrive("nobody"))
    assert ids(await take(file, engine)) == ["nobody"]
    rows = await file.reader.call(lambda db: db.execute("SELECT * FROM executions").fetchall())
    assert rows == []


async def test_messages_are_read_in_pages_from_a_mark(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "PAGE", 3)
    engine = await enter(file)
    await send(file, *[request(f"e{n}") for n in range(7)])
    seen: list[str] = []
    mark, more = 0, True
    while more:
        found = await take(file, engine, mark)
        seen += ids(found)
        mark, more = found.mark, found.more
    assert seen == [f"e{n}" for n in range(7)]


async def test_a_mark_stays_right_when_all_messages_are_gone(file: SqliteFile) -> None:
    engine = await enter(file)
    await send(file, request("a"))
    found = await take(file, engine)
    await file.drop([receipt for _, receipt in found.messages])
    await send(file, request("b"))
    assert ids(await take(file, engine, found.mark)) == ["b"]


async def test_what_cannot_be_parsed_is_buried_intact_and_once(file: SqliteFile) -> None:
    first, second = await enter(file), await enter(file)
    poison = '{"type":"Update","execution_id":"a","task_id":""}'
    await file.writer.write(c.Change({c.PUT_MESSAGE: [("a", poison)]}))
    await send(file, request("a"))
    found = await take(file, first)
    assert ids(found) == ["a"]
    assert [execution_id for execution_id, _ in found.buried] == ["a"]
    assert (await take(file, second)).buried == []
    letters = await file.reader.call(
        lambda db: db.execute("SELECT at, execution_id, reason, body FROM dead_letters").fetchall()
    )
    ((*letter, reason),) = [(at, id_, body, reason) for at, id_, reason, body in letters]
    assert letter == [1_000, "a", poison]
    assert "the row (1) of table messages is damaged: column body is no message" in reason
    assert "`task_id` is missing or not a non-empty string" in reason


async def test_a_free_task_is_claimed_once_and_by_those_who_serve_it(file: SqliteFile) -> None:
    await file.writer.write(c.Change({c.PUT_TASK: [task(1), task(2, "ledger"), task(3)]}))
    mail, other = await enter(file), await enter(file, services=("mail", "ledger"))
    assert [t.task_id for t in (await take_tasks(file, mail, 1)).tasks] == ["e/1"]
    claimed = sorted(t.task_id for t in (await take_tasks(file, other)).tasks)
    assert claimed == ["e/2", "e/3"]
    assert (await take_tasks(file, mail)).tasks == []


async def test_the_tasks_of_a_dead_engine_are_free_again(file: SqliteFile) -> None:
    await file.writer.write(c.Change({c.PUT_TASK: [task(1)]}))
    first, second = await enter(file), await enter(file)
    await take_tasks(file, first)
    assert (await take_tasks(file, second)).tasks == []
    await leave(file, first)
    assert len((await take_tasks(file, second)).tasks) == 1


async def test_a_task_that_cannot_be_parsed_is_buried(file: SqliteFile) -> None:
    engine = await enter(file)
    rows: list[c.Row] = [("e/1", 1, "mail", None, "[]"), ("e/2", 7, "mail", None, task(2)[4])]
    await file.writer.write(c.Change({c.PUT_TASK: [*rows, task(3)]}))
    found = await take_tasks(file, engine)
    assert [t.task_id for t in found.tasks] == ["e/3"]
    told = sorted(reason for _, reason in found.buried)
    assert "the row ('e/1', 1) of table tasks is damaged" in told[0]
    assert "a JSON list, not an object" in told[0]
    assert "the body names e/2, attempt 1" in told[1]
    assert (await take_tasks(file, engine)).buried == []


async def test_timers_are_read_by_time_and_claim_their_executions(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "PAGE", 2)
    first, second = await enter(file), await enter(file)
    await send(file, request("theirs"))
    await take(file, first)
    timers = [(30, "own", "1"), (10, "own", "2"), (20, "theirs", "1"), (20, "own", "3")]
    claim = [("own", "flow", "RUNNING", 1, 1, None, "", "[]", None, None, None)]
    await file.writer.write(c.Change({c.PUT_TIMER: list(timers), c.PUT_HEADER: list(claim)}))
    page = await file.writer.call(partial(registry.take_timers, second, FIRST))
    rest = await file.writer.call(partial(registry.take_timers, second, page.mark))
    seen = [receipt.row for _, receipt in page.messages + rest.messages]
    assert seen == [(10, "own", "2"), (20, "own", "3"), (30, "own", "1")]
    page = await file.writer.call(partial(registry.take_timers, first, FIRST))
    assert page.messages == []


async def test_services_without_an_engine_are_told(file: SqliteFile) -> None:
    await file.writer.write(c.Change({c.PUT_TASK: [task(1), task(2, "fax"), task(3, "fax")]}))
    engine = await enter(file)
    assert await file.reader.call(registry.waiting_services) == {"fax": 2}
    await leave(file, engine)
    assert await file.reader.call(registry.waiting_services) == {"fax": 2, "mail": 1}


async def test_a_beat_shows_to_the_others(file: SqliteFile) -> None:
    first, second = await enter(file), await enter(file)
    await file.writer.call(partial(registry.beat, first.id))
    peers, last = await file.reader.call(registry.present)
    assert sorted((peer.id, peer.beat) for peer in peers) == [(first.id, 1), (second.id, 0)]
    await leave(file, second)
    assert (await file.reader.call(registry.present))[1] == last == second.id


async def test_ids_of_engines_are_never_used_twice(file: SqliteFile) -> None:
    first = await enter(file)
    await leave(file, first)
    assert (await enter(file)).id > first.id


def test_a_claim_alone_is_no_execution(tmp_path: Path) -> None:
    SqliteFile(tmp_path / "file.db").close()
    connection = sqlite3.connect(tmp_path / "file.db")
    try:
        connection.execute(
            "INSERT INTO executions (execution_id, workflow, owner) VALUES ('a','f',1)"
        )
        listed = connection.execute("SELECT count(*) FROM executions WHERE turn > 0").fetchone()
        assert listed == (0,)
    finally:
        connection.close()
