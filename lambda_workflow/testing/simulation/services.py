"""The services' side: adapters that answer, late, twice, out of order, with errors, or crash first.

The adapters themselves, with their signs of life, are the App's, run by `attend` as on every host;
what is simulated is their fate. A service never lies: each answer is what its adapter said, or an
error of the same attempt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from lambda_workflow.errors import BackendError
from lambda_workflow.model.events import Failure
from lambda_workflow.model.ids import operation_of
from lambda_workflow.model.messages import Heartbeat, Task, Update
from lambda_workflow.model.wire import parse_task, render, render_task
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.attend import Postponed, attend
from lambda_workflow.runtime.heartbeats import Work
from lambda_workflow.testing.simulation.outages import ReachedBlobs
from lambda_workflow.testing.simulation.queues import Delivery
from lambda_workflow.testing.simulation.world import World

VISIBILITY: Final = 900.0  # longer than the slowest adapter takes
SILENT: Final = "silent"  # the name of a service that never answers
UNLUCKY_MAX: Final = 2  # errors that chance adds to a call: fewer than any retry policy here allows
SPOILT_MAX: Final = 4  # … and with crashes and delays, which may cost an attempt that has a limit


class Silence(Exception):
    """Raised by an adapter that is not heard of any more."""


@dataclass(frozen=True, slots=True)
class Temper:
    """How often what happens to a service's task; all zero is a service that just answers."""

    crash: float = 0.0
    error: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    anonymous: float = 0.0  # a success that does not say which attempt it answers

    @classmethod
    def draw(cls, rng: Random) -> Temper:
        """For one seed."""
        often = rng.choice((0.0, 0.05, 0.3))
        return cls(*(often * rng.random() for _ in range(5)))


@dataclass(slots=True)
class Services:
    """All services of an App, on one standard queue.

    Attributes:
        performed: how often each task id was carried out.
        answers: what was answered, by task id: the JSON bodies of the updates.
        told: how often each task id was withdrawn.
    """

    world: World
    app: App
    temper: Temper
    performed: Counter[str] = field(default_factory=Counter)
    answers: dict[str, set[str]] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    _at_work: dict[str, list[Work]] = field(default_factory=dict)
    _unlucky: Counter[str] = field(default_factory=Counter)
    _spoilt: Counter[str] = field(default_factory=Counter)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self) -> None:
        """Begin to serve."""
        self._spawn(self._poll())

    def calm(self) -> None:
        """From now on just answer."""
        self.temper = Temper()

    async def _poll(self) -> None:
        tasks = self.world.tasks
        while True:
            await tasks.wait_message()
            for delivery in tasks.receive(10, VISIBILITY):
                self._spawn(self._serve(delivery))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self.world.loop.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, delivery: Delivery) -> None:
        world, rng, temper = self.world, self.world.rng, self.temper
        task = parse_task(delivery.body)
        world.count_point("services", task.task_id)
        await asyncio.sleep(rng.expovariate(1 / 2.0))
        if self._goes_wrong(task, temper.crash):
            world.note("service", f"crashes before {task.task_id}")
            return
        if task.cancelled:
            self._withdraw(task)
            world.tasks.delete(delivery.receipt)
            return
        if task.service == SILENT:
            self.performed[task.task_id] += 1
            world.tasks.delete(delivery.receipt)
            return
        try:
            update = await self._perform(task, is_repeat=delivery.receives > 1)
        except BackendError as error:  # payloads are out of reach: the task is redelivered
            world.note("service", error)
            return
        if update is None:
            world.tasks.delete(delivery.receipt)
            return
        if isinstance(update, Postponed):
            world.tasks.send(render_task(update.task), -(-update.delay_ms // 1000))
            if self._goes_wrong(task, temper.crash):
                world.note("service", f"crashes after it has put {task.task_id} back")
                return
            world.tasks.delete(delivery.receipt)
            return
        self.performed[task.task_id] += 1
        if self._goes_wrong(task, temper.crash):
            world.note("service", f"crashes after {task.task_id}")
            return
        is_silent = update.failure is not None and update.failure.type.endswith("Silence")
        if task.reply and not is_silent:
            self._answer(task, self._spoil(task, update))
        world.tasks.delete(delivery.receipt)

    def _withdraw(self, task: Task) -> None:
        self.told[task.task_id] += 1
        for work in self._at_work.get(task.task_id, ()):
            work.is_withdrawn = True

    async def _perform(self, task: Task, *, is_repeat: bool) -> Update | Postponed | None:
        work = Work(task, self._beat, lambda: self.world.now, is_repeat=is_repeat)
        working = self._at_work.setdefault(task.task_id, [])
        working.append(work)
        try:
            outcome = await attend(
                self.app.adapters[task.service], work, ReachedBlobs(self.world.blobs)
            )
            return None if work.is_withdrawn and isinstance(outcome, Postponed) else outcome
        finally:
            working.remove(work)

    async def _beat(self, task: Task, beat: Heartbeat) -> None:
        self._post(task, beat, f"{task.task_id}:{task.attempt}:beat{self.world.rng.random()}")

    def _goes_wrong(self, task: Task, often: float) -> bool:
        """Chance, as often as a call can bear it."""
        wrong = self._spoilt[task.task_id] < SPOILT_MAX and self.world.rng.random() < often
        self._spoilt[task.task_id] += wrong
        return wrong

    def _spoil(self, task: Task, update: Update) -> Update:
        """Now and then an error instead, of the kind that a further attempt mends."""
        lucky = self._unlucky[task.task_id] < UNLUCKY_MAX
        if lucky and self._goes_wrong(task, self.temper.error):
            self._unlucky[task.task_id] += 1
            return task.update(failure=Failure("Unlucky", "simulated outage"))
        return update

    def _answer(self, task: Task, update: Update) -> None:
        rng, temper = self.world.rng, self.temper
        if update.failure is None and rng.random() < temper.anonymous:
            operation = operation_of(task.task_id)
            update = Update(task.execution_id, operation, update.payload)
        self.answers.setdefault(task.task_id, set()).add(render(update))
        self._post(task, update, f"{task.task_id}:{task.attempt}")
        if rng.random() < temper.twice:
            self._post(task, update, f"{task.task_id}:{rng.random()}")

    def _post(self, task: Task, update: Update | Heartbeat, deduplication: str) -> None:
        world, rng = self.world, self.world.rng
        late = (
            rng.choice((10.0, 400.0, 100_000.0))
            if self._goes_wrong(task, self.temper.late)
            else 0.0
        )
        what = "answers" if isinstance(update, Update) else "beats for"
        world.note("service", f"{what} {task.task_id} attempt {task.attempt}, {late:.0f} s late")
        delay = late * rng.random()
        world.loop.call_later(delay, world.send, update, deduplication, task.callback_queue_url)
