"""A workflow whose code changes at a chosen moment, on a backend of the port suite.

The world delivers one thing at a time: a message, a task's answer, an answer to a callback, a
signal, the next timer. Which one of what is there decides the order. Time is virtual.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_workflow import App, Status, Workflow
from lambda_workflow.model import commands as c
from lambda_workflow.model.events import StartOptions
from lambda_workflow.model.history import History
from lambda_workflow.model.ids import operation_of
from lambda_workflow.model.messages import Message, Redrive, Request, Update
from lambda_workflow.model.tokens import make_token
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.living import load_history
from lambda_workflow.runtime.turns import Turns
from tests.changes.parts import SERVICES
from tests.ports.harness import Harness

DELIVERIES_MAX: Final = 80
ORDERS: Final = ("oldest", "newest", "mixed")


@dataclass
class World:
    """One execution, `e`.

    Attributes:
        outside: the signals and updates that come, each once a turn has been made.
        effects: what services were asked for, by task id.
    """

    harness: Harness
    order: str = "oldest"
    live_max: int = 100
    outside: list[Message] = field(default_factory=list)
    effects: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dice = random.Random(11)
        self._workers: dict[int, Turns] = {}
        self._pending: list[Message] = []
        self._answered: set[str] = set()

    def worker(self, app: App) -> Turns:
        """The worker of an App; it stays, with what it has in memory."""
        if id(app) not in self._workers:
            self._workers[id(app)] = Turns(app, self.harness.backend, live_max=self.live_max)
        return self._workers[id(app)]

    def close(self) -> None:
        """Unwind what the workers hold."""
        for worker in self._workers.values():
            worker.close()

    async def send(self, app: App, *messages: Message) -> None:
        """One turn."""
        await self.worker(app).run("e", [Arrival(message) for message in messages])

    async def start(self, app: App, workflow: Workflow[Any, Any]) -> None:
        """Start the execution."""
        options = StartOptions(id="s", secret="secret")
        await self.send(app, Request("e", workflow.name, "tea", options=options))

    async def history(self) -> History:
        """What is stored."""
        return await load_history(self.harness.backend, "e", whole=True)

    async def next(self) -> Message | None:
        """What comes next; None where nothing will."""
        await self._look()
        if not self._pending:
            history = await self.history()
            timers = [x.due for x in history.open.values() if isinstance(x, c.StartTimer)]
            if self.outside:
                self._pending.append(self.outside.pop(0))
            elif timers and not (history.status.closed or history.status.stalled):
                ahead = min(timers) - self.harness.backend.clock.now()
                await self.harness.advance(max(0, ahead) / 1000)
                await self._look()
        if not self._pending:
            return None
        if self.order == "oldest":
            return self._pending.pop(0)
        if self.order == "newest":
            return self._pending.pop()
        return self._pending.pop(self._dice.randrange(len(self._pending)))

    async def run(self, app: App, deliveries: int = DELIVERIES_MAX) -> int:
        """Deliver so many, or all there are; how many there were."""
        return await self.run_by([app], deliveries)

    async def run_by(self, apps: Sequence[App], deliveries: int = DELIVERIES_MAX) -> int:
        """Deliver to several workers in turn, as while a deployment is rolled out."""
        for number in range(deliveries):
            message = await self.next()
            if message is None:
                return number
            await self.send(apps[number % len(apps)], message)
        return deliveries

    async def outcome(self) -> tuple[Status, Any, str]:
        """Status, result or error, and reason."""
        history = await self.history()
        last = history.turns[-1]
        end = last.commands[-1] if last.commands else None
        if isinstance(end, c.Complete):
            return history.status, end.payload, ""
        if isinstance(end, c.Fail):
            return history.status, end.failure.type, ""
        return history.status, None, last.reason

    async def redrive(self, app: App) -> None:
        """Try again."""
        await self.send(app, Redrive("e"))

    async def _look(self) -> None:
        for service in SERVICES:
            for task in await self.harness.tasks(service.name):
                asked = str(task.payload)
                self.effects.setdefault(task.task_id, (task.service, asked))
                operation = operation_of(task.task_id)
                if not task.reply:
                    continue
                got = f"{task.service}({_word(task.payload)})"
                self._pending.append(Update("e", operation, got, None, task.attempt))
        for message in await self.harness.messages():
            if message.execution_id != "e":
                child: Any = message
                self.effects.setdefault(child.execution_id, ("child", str(child.request)))
                if child.callback is not None:
                    operation = operation_of(child.callback.task_id)
                    self._pending.append(Update("e", operation, "child's", None, 1))
            else:
                self._pending.append(message)
        await self._answer_callbacks()

    async def _answer_callbacks(self) -> None:
        history = await self.history()
        secret = history.started.options.secret if history.started else ""
        for name, opened in history.open.items():
            if isinstance(opened, c.OpenCallback) and name not in self._answered:
                self._answered.add(name)
                token = make_token(secret, "e", name)
                self._pending.append(Update("e", name, True, token=token))


def _word(payload: Any) -> str:
    return str(payload["item"]) if isinstance(payload, dict) else str(payload)
