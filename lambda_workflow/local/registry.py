"""Engines on one file: who is there, whose an execution is, and what there is to do for one.

Laws
 1. An execution belongs to the engine that claimed it, until that engine's row is gone.
 2. An engine claims what is nobody's when there is something to do for it: a message or a timer.
 3. It leaves alone the executions of workflows that only other engines know.
 4. A free task is claimed by an engine that serves it, whoever owns the execution.
 5. What cannot be parsed goes to `dead_letters`, body intact, by one engine only.
 6. What withdraws a task has its key with the attempt negated, and is read before it.

The functions run on the writer's connection, each in a transaction of its own; it is their last
argument, so that `partial` makes of them what `Worker.call` takes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_workflow.errors import MessageError
from lambda_workflow.local import change as c
from lambda_workflow.local.damage import FileConnection, names_in, wrong_type
from lambda_workflow.local.process import identity
from lambda_workflow.local.sqlite import Receipt, task_key
from lambda_workflow.model.messages import Message, Request, Task, Timer
from lambda_workflow.model.wire import parse, parse_task

PAGE: Final = 500  # rows read at once: a scan holds the write lock for some milliseconds

_OWNED: Final = "e.owner, e.owner IN (SELECT id FROM engines), e.workflow"
_MESSAGES: Final = (
    f"SELECT m.id, m.execution_id, m.body, {_OWNED} FROM messages m "
    "LEFT JOIN executions e USING (execution_id) WHERE m.id > ? ORDER BY m.id LIMIT ?"
)
_TIMERS: Final = (
    f"SELECT t.due, t.execution_id, t.operation, {_OWNED} FROM timers t "
    "LEFT JOIN executions e USING (execution_id) WHERE (t.due, t.execution_id, t.operation) > "
    "(?, ?, ?) ORDER BY t.due, t.execution_id, t.operation LIMIT ?"
)
# A withdrawal (law 6) is for the engine that is at work on its task.
_UNHELD: Final = (
    "NOT EXISTS (SELECT 1 FROM tasks t WHERE t.task_id = tasks.task_id AND t.attempt > 0 "
    "AND t.owner IS NOT NULL AND t.owner <> ?)"
)
_CLAIM: Final = (
    "INSERT INTO executions (execution_id, workflow, owner) VALUES (?, ?, ?) "
    "ON CONFLICT (execution_id) DO UPDATE SET owner=excluded.owner"
)

TimerKey = tuple[int, str, str]  # due, execution id, operation: the order in which timers are read


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine on the file; `beat` grows as long as it lives."""

    id: int
    process: str
    beat: int


@dataclass(frozen=True, slots=True)
class Claimant:
    """An engine, as it claims work: its id, and what its App has."""

    id: int
    workflows: Collection[str]
    services: Collection[str]


@dataclass(slots=True)
class Found:
    """What a scan brought: work, what was buried (execution id, reason), and where to go on."""

    messages: list[tuple[Message, Receipt]] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    buried: list[tuple[str, str]] = field(default_factory=list)
    mark: Any = None
    more: bool = False


def register(
    workflows: Collection[str], services: Collection[str], connection: FileConnection
) -> int:
    """Enter an engine of this process, and return its id."""
    with _transaction(connection):
        entered = connection.execute(
            "INSERT INTO engines (process, beat, workflows, services) VALUES (?, 0, ?, ?)",
            (identity(), json.dumps(sorted(workflows)), json.dumps(sorted(services))),
        )
        _free_tasks(connection)  # an owner may be damaged, and never go
    return int(entered.lastrowid or 0)


def beat(engine: int, connection: FileConnection) -> None:
    """Give a sign of life."""
    with _transaction(connection):
        connection.execute("UPDATE engines SET beat=beat+1 WHERE id=?", (engine,))


def present(connection: FileConnection) -> tuple[list[Peer], int]:
    """The engines on the file, and the highest id that one ever had."""
    rows = connection.execute("SELECT id, process, beat FROM engines").fetchall()
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name='engines'").fetchone()
    highest = max((row[0] for row in rows), default=0)
    return [Peer(*row) for row in rows], last[0] if last and type(last[0]) is int else highest


def remove(engines: Sequence[int], connection: FileConnection) -> None:
    """Strike engines out, and so free all that they own."""
    with _transaction(connection):
        connection.executemany("DELETE FROM engines WHERE id=?", [(engine,) for engine in engines])
        _free_tasks(connection)


def _free_tasks(connection: FileConnection) -> None:
    connection.execute(
        "UPDATE tasks SET owner=NULL "
        "WHERE owner IS NOT NULL AND owner NOT IN (SELECT id FROM engines)"
    )


def take_messages(engine: Claimant, mark: int, now: int, connection: FileConnection) -> Found:
    """Messages after `mark` for executions that are this engine's, or become so here and now."""
    found = Found(mark=mark)
    with _transaction(connection):
        owners = _Owners(connection, engine)
        rows = connection.execute(_MESSAGES, (mark, PAGE)).fetchall()
        for id_, execution_id, body, *owned in rows:
            receipt = Receipt(c.DROP_MESSAGE, (id_,))
            try:
                message = parse(body)
                if message.execution_id != execution_id:
                    raise MessageError("the body is for another execution than the row")
            except Exception as error:  # noqa: BLE001  # what a body raises once it raises always
                reason = str(connection.damage("messages", (id_,), _why(error)))
                _bury(connection, receipt, (now, execution_id, reason, body))
                found.buried.append((str(execution_id), reason))
                continue
            workflow = message.workflow if isinstance(message, Request) else None
            if owners.own(execution_id, owned, workflow):
                found.messages.append((message, receipt))
        found.mark = rows[-1][0] if rows else mark
        found.more = len(rows) == PAGE
    return found


def take_timers(engine: Claimant, after: TimerKey, connection: FileConnection) -> Found:
    """The next timers of executions that are this engine's, or become so here and now."""
    found = Found(mark=after)
    with _transaction(connection):
        owners = _Owners(connection, engine)
        rows = connection.execute(_TIMERS, (*after, PAGE)).fetchall()
        for due, execution_id, operation, *owned in rows:
            wrong = wrong_type(
                due=(due, int), execution_id=(execution_id, str), operation=(operation, str)
            )
            if wrong:
                key = (due, execution_id, operation)
                connection.tell(connection.damage("timers", key, wrong))
            elif owners.own(execution_id, owned, None):
                receipt = Receipt(c.DROP_TIMER, (due, execution_id, operation))
                found.messages.append((Timer(execution_id, operation, due), receipt))
        # What is no number stands behind all numbers: there the timers that can fire have ended.
        in_order = rows if not rows or isinstance(rows[-1][0], int | float) else []
        found.mark = tuple(rows[-1][:3]) if in_order else after
        found.more = len(in_order) == PAGE
    return found


def take_tasks(engine: Claimant, limit: int, now: int, connection: FileConnection) -> Found:
    """Claim up to `limit` free tasks of services that this engine serves."""
    found = Found()
    limit = min(limit, PAGE)
    with _transaction(connection):
        places = ",".join("?" * len(engine.services))
        rows = connection.execute(
            "SELECT task_id, attempt, service, body FROM tasks "
            f"WHERE owner IS NULL AND service IN ({places}) AND (attempt > 0 OR {_UNHELD})",
            (*engine.services, engine.id),
        )
        unreadable: list[tuple[c.Row, str]] = []
        for task_id, attempt, service, body in rows:
            if len(found.tasks) == limit or len(unreadable) == PAGE:
                found.more = True
                break
            try:
                found.tasks.append(_task_of(task_id, attempt, service, body))
            except Exception as error:  # noqa: BLE001  # what a body raises once it raises always
                unreadable.append(((task_id, attempt, body), _why(error)))
        rows.close()
        for (task_id, attempt, body), why in unreadable:
            damage = connection.damage("tasks", (task_id, attempt), why)
            if wrong_type(task_id=(task_id, str), attempt=(attempt, int)):
                connection.tell(damage)  # by such a key it cannot be moved
                continue
            execution_id = task_id.rpartition("/")[0]
            receipt = Receipt(c.DROP_TASK, (task_id, attempt))
            _bury(connection, receipt, (now, execution_id, str(damage), body))
            found.buried.append((execution_id, str(damage)))
        connection.executemany(
            "UPDATE tasks SET owner=? WHERE task_id=? AND attempt=?",
            [(engine.id, *task_key(task)) for task in found.tasks],
        )
    return found


def _task_of(task_id: str, attempt: int, service: str, body: str) -> Task:
    task = parse_task(body)
    if task_key(task) != (task_id, attempt):
        raise MessageError(f"the body names {task.task_id}, attempt {task.attempt}")
    if task.service != service:
        raise MessageError(f"the body names service {task.service!r}")
    return task


def _why(error: Exception) -> str:
    words = str(error) if isinstance(error, MessageError) else type(error).__name__
    return f"column body is no message ({words})"


def waiting_services(connection: FileConnection) -> dict[str, int]:
    """Services that have tasks and no engine to serve them, with how many tasks wait."""
    served = {
        service
        for engine, text in connection.execute("SELECT id, services FROM engines")
        for service in names_in(connection, engine, "services", text)
    }
    rows = connection.execute(
        "SELECT service, count(*), min(task_id) FROM tasks WHERE owner IS NULL GROUP BY service"
    )
    waiting: dict[str, int] = {}
    for service, tasks, task_id in rows:
        if not isinstance(service, str):
            why = "column service holds no text"
            connection.tell(connection.damage("tasks", (task_id,), why))
        elif service not in served:
            waiting[service] = tasks
    return waiting


class _Owners:
    """Decides within one transaction which executions are an engine's."""

    def __init__(self, connection: FileConnection, engine: Claimant) -> None:
        self._connection = connection
        self._engine = engine
        self._claimed: set[str] = set()
        self._others: set[str] | None = None

    def own(self, execution_id: str, owned: Sequence[Any], workflow: str | None) -> bool:
        """Whether an execution is the engine's, claiming it if it is nobody's.

        `owned` is its row's owner, whether that is alive, and its workflow.
        """
        owner, alive, known = owned
        if alive:
            return bool(owner == self._engine.id)
        if execution_id in self._claimed:
            return True
        workflow = known or workflow
        if workflow is None:
            return True  # there is no such execution: the turn will say so, and nothing is claimed
        if workflow not in self._engine.workflows and workflow in self._of_others():
            return False
        self._connection.execute(_CLAIM, (execution_id, workflow, self._engine.id))
        self._claimed.add(execution_id)
        return True

    def _of_others(self) -> set[str]:
        if self._others is None:
            rows = self._connection.execute(
                "SELECT id, workflows FROM engines WHERE id<>?", (self._engine.id,)
            )
            self._others = {
                workflow
                for engine, text in rows
                for workflow in names_in(self._connection, engine, "workflows", text)
            }
        return self._others


def _bury(connection: FileConnection, receipt: Receipt, letter: c.Row) -> None:
    connection.execute(receipt.statement.over(1), receipt.row)
    connection.execute(c.BURY.over(1), letter)


@contextmanager
def _transaction(connection: FileConnection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("COMMIT")
