"""All ports over one SQLite file.

Laws
 1. A commit stores the record, its effects and the answer to its receipts in one transaction.
 2. Nothing is told to the engine in this process before the transaction that stores it.
 3. A task of a service that the engine in this process serves is its own; any other is free.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, Protocol, assert_never

from lambda_workflow.local import change as c
from lambda_workflow.local.clock import WallClock
from lambda_workflow.local.listing import encode_header, select_header, select_page
from lambda_workflow.local.opening import open_file
from lambda_workflow.local.reading import select_blob, select_responses, select_turns
from lambda_workflow.local.schema import resolve
from lambda_workflow.local.worker import Worker
from lambda_workflow.model.messages import Message, Task
from lambda_workflow.model.wire import render, render_response, render_task
from lambda_workflow.ports import (
    APP_ADDRESS,
    ArmTimer,
    Backend,
    BlobMissing,
    Clock,
    Commit,
    DisarmTimer,
    Effect,
    Header,
    Loaded,
    Observer,
    Page,
    PutHeader,
    Query,
    Quiet,
    SendMessage,
    SendResponse,
    SendTask,
    Unprocessable,
)

INBOX_URL: Final = "local:inbox"  # whatever the file is called: executions may outlive its name


class Receipt(NamedTuple):
    """The row that a message, task or timer was read from, and the statement that deletes it."""

    statement: c.Statement
    row: c.Row


def task_receipt(task: Task) -> Receipt:
    """The receipt of a task's row."""
    return Receipt(c.DROP_TASK, task_key(task))


def task_key(task: Task) -> tuple[str, int]:
    """The key of a task's row; what withdraws a task stands beside it."""
    return task.task_id, -task.attempt if task.cancelled else task.attempt


class Sink(Protocol):
    """The engine in this process, told of effects as soon as they are stored."""

    @property
    def owner(self) -> int: ...

    @property
    def services(self) -> Collection[str]: ...

    def take(self, effects: Sequence[Effect]) -> None: ...


class SqliteFile:
    """One file, open: its two threads, and the ports over it in `backend`.

    Args:
        path: of the file, which is created when absent; None is `lambda-workflow.db` in the working
            directory; `:memory:` keeps nothing.
        responses: keep each execution's outcome in the table `responses`, for `receive_responses`.

    Raises:
        ConfigurationError: the file is another program's, or a newer release's.
        BackendError: the file cannot be opened; says what to do.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        clock: Clock | None = None,
        observer: Observer | None = None,
        responses: bool = False,
    ) -> None:
        self.path: Final = resolve(path)
        opened = open_file(self.path)
        self.writer: Final = Worker(opened.writing, opened.place, "lambda-workflow writer")
        # A memory database lives within its one connection.
        self.reader: Final = (
            Worker(opened.reading, opened.place, "lambda-workflow reader")
            if opened.reading
            else self.writer
        )
        self.responses: Final = responses
        self.sink: Sink | None = None
        self.backend: Final = Backend(
            store=SqliteStore(self),
            queue=SqliteQueue(self),
            timers=SqliteTimers(self),
            blobs=SqliteBlobs(self),
            clock=clock or WallClock(),
            observer=observer or Quiet(),
            inbox_url=INBOX_URL,
        )

    async def put(self, effects: Sequence[Effect]) -> None:
        """Store effects in one transaction, then tell the engine."""
        await self.writer.write(self.change(effects))
        self.tell(effects)

    async def drop(self, receipts: Sequence[Receipt]) -> None:
        """Delete the rows of messages, tasks and timers that are answered."""
        rows: dict[c.Statement, list[c.Row]] = {}
        for receipt in receipts:
            rows.setdefault(receipt.statement, []).append(receipt.row)
        await self.writer.write(c.Change(rows, self.sink.owner if self.sink else None))

    async def postpone(self, task: Task) -> None:
        """Keep a task as it is to come back.

        It stays this engine's until then, so that the file is not asked for it.
        """
        owner = self.sink.owner if self.sink else None
        row = (*task_key(task), task.service, owner, render_task(task))
        await self.writer.write(c.Change({c.POSTPONE_TASK: [row]}, owner))

    async def release(self, keys: Sequence[tuple[str, int]]) -> None:
        """Make rows of postponed tasks free, for any engine that serves them."""
        rows: list[c.Row] = list(keys)
        await self.writer.write(
            c.Change({c.FREE_TASK: rows}, self.sink.owner if self.sink else None)
        )

    async def bury(self, task: Task, reason: str) -> None:
        """Move a task's row to the dead letters."""
        letter = (self.backend.clock.now(), task.execution_id, reason, render_task(task))
        rows: dict[c.Statement, list[c.Row]] = {c.BURY: [letter], c.DROP_TASK: [task_key(task)]}
        await self.writer.write(c.Change(rows, self.sink.owner if self.sink else None))

    async def bury_message(self, message: Message, receipt: Receipt, reason: str) -> None:
        """Move a message's row, or that of the task or timer it comes of, to the dead letters."""
        letter = (self.backend.clock.now(), message.execution_id, reason, render(message))
        rows: dict[c.Statement, list[c.Row]] = {c.BURY: [letter], receipt.statement: [receipt.row]}
        await self.writer.write(c.Change(rows, self.sink.owner if self.sink else None))

    def tell(self, effects: Sequence[Effect]) -> None:
        """Tell the engine of this process, if there is one, of effects that are stored."""
        if self.sink is not None and effects:
            self.sink.take(effects)

    def change(self, effects: Sequence[Effect]) -> c.Change:
        """The rows of effects."""
        sink = self.sink
        rows: dict[c.Statement, list[c.Row]] = {}
        row: c.Row
        for effect in effects:
            match effect:
                case SendTask():
                    task = effect.task
                    own = sink and task.service in sink.services and not task.cancelled
                    owner = sink.owner if sink and own else None
                    row = (*task_key(task), task.service, owner, render_task(task))
                    rows.setdefault(c.PUT_TASK, []).append(row)
                case SendMessage():
                    message = _own(effect).message
                    row = (message.execution_id, render(message))
                    rows.setdefault(c.PUT_MESSAGE, []).append(row)
                case SendResponse():
                    if self.responses:
                        response = effect.response
                        row = (response.execution_id, render_response(response))
                        rows.setdefault(c.PUT_RESPONSE, []).append(row)
                case ArmTimer():
                    row = (effect.due, effect.execution_id, effect.operation)
                    rows.setdefault(c.PUT_TIMER, []).append(row)
                case DisarmTimer():
                    row = (effect.due, effect.execution_id, effect.operation)
                    rows.setdefault(c.DROP_TIMER, []).append(row)
                case PutHeader():
                    rows.setdefault(c.PUT_HEADER, []).append(encode_header(effect.header))
                case _:
                    assert_never(effect)
        return c.Change(rows, sink.owner if sink else None)

    async def receive_responses(self, limit: int = 100) -> list[tuple[Receipt, str]]:
        """Outcomes that have been sent, as wire text, oldest first; `drop` their receipts."""

        rows = await self.reader.call(partial(select_responses, limit))
        return [(Receipt(c.DROP_RESPONSE, (row[0],)), row[1]) for row in rows]

    def close(self) -> None:
        """Finish what was asked for and let go of the file; blocks for that long."""
        self.reader.close()
        self.writer.close()

    async def aclose(self) -> None:
        """`close`, without holding up the event loop."""
        await asyncio.to_thread(self.close)


@dataclass(frozen=True, slots=True)
class SqliteStore:
    """The turn log in `turns`, the listing in `executions`."""

    file: SqliteFile
    transactional: bool = True

    async def load(self, execution_id: str, *, whole: bool = False) -> Loaded:
        """See `Store.load`; an embedded read costs no units."""

        return Loaded(await self.file.reader.call(partial(select_turns, execution_id, whole)))

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        """See `Store.commit`; nothing is left to dispatch."""
        turn = commit.turn
        change = self.file.change(commit.effects)
        rows = change.rows
        rows[c.PUT_TURN] = [(commit.execution_id, turn.number, commit.text)]
        if turn.number == 1 and c.PUT_HEADER not in rows:
            rows[c.PUT_HEADER] = [encode_header(commit.header)]
        if commit.begins_run:
            rows[c.PUT_RUN] = [(commit.execution_id, turn.number)]
        for receipt in commit.receipts:
            rows.setdefault(receipt.statement, []).append(receipt.row)
        await self.file.writer.write(change)
        self.file.tell(commit.effects)
        return ()

    async def put_header(self, header: Header) -> None:
        """See `Store.put_header`."""
        await self.file.put([PutHeader(header)])

    async def header(self, execution_id: str) -> Header | None:
        """See `Store.header`."""

        return await self.file.reader.call(partial(select_header, execution_id))

    async def list(self, query: Query) -> Page:
        """See `Store.list`.

        Raises:
            ConfigurationError: the cursor is none of an earlier page.
        """
        return await self.file.reader.call(partial(select_page, query))


@dataclass(frozen=True, slots=True)
class SqliteQueue:
    """Tasks in `tasks`, messages in `messages`, outcomes in `responses` where these are kept."""

    file: SqliteFile

    async def send_tasks(self, sends: Sequence[SendTask]) -> None:
        """See `Queue.send_tasks`."""
        await self.file.put(sends)

    async def send_messages(self, sends: Sequence[SendMessage]) -> None:
        """See `Queue.send_messages`."""
        await self.file.put(sends)

    async def send_responses(self, sends: Sequence[SendResponse]) -> None:
        """See `Queue.send_responses`."""
        await self.file.put(sends)


@dataclass(frozen=True, slots=True)
class SqliteTimers:
    """Timers in `timers`, to the millisecond."""

    file: SqliteFile

    async def arm(self, timers: Sequence[ArmTimer]) -> None:
        """See `Timers.arm`."""
        await self.file.put(timers)

    async def disarm(self, timers: Sequence[DisarmTimer]) -> None:
        """See `Timers.disarm`."""
        await self.file.put(timers)


@dataclass(frozen=True, slots=True)
class SqliteBlobs:
    """Large payloads in `blobs`."""

    file: SqliteFile

    async def put(self, key: str, content: bytes) -> None:
        """See `Blobs.put`."""
        await self.file.writer.write(c.Change({c.PUT_BLOB: [(key, content)]}))

    async def get(self, key: str) -> bytes:
        """See `Blobs.get`."""

        content = await self.file.reader.call(partial(select_blob, key))
        if content is None:
            raise BlobMissing(
                f"{self.file.path}: no blob {key!r}: the file is not the one it was stored in"
            )
        return content


def _own(send: SendMessage) -> SendMessage:
    if send.queue_url not in ("", INBOX_URL) and not send.queue_url.startswith(APP_ADDRESS):
        raise Unprocessable(
            f"a message for execution {send.message.execution_id} is addressed to "
            f"{send.queue_url}, and the embedded engine reaches its own file only: run this "
            "execution where that queue can be reached"
        )
    return send
