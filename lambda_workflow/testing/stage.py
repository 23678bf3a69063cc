"""The stage: one execution, played in a world of its own, in virtual time.

Laws
 1. Everything that happens is decided by the request, the fakes and the schedule.
 2. The stage moves only while a test lets it; between two moves nothing runs.
 3. What the test did wrong (no fake, a fake of a wrong type) stops the play and is raised there: it
    is not an outcome that the workflow could see and handle.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.events import Failure
from lambda_workflow.model.history import History
from lambda_workflow.model.ids import operation_of
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Task, Update
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.wire import parse_task
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.serve import perform
from lambda_workflow.testing.fakes import Cast, Silence, adapter_of
from lambda_workflow.testing.schedule import Mishap, Schedule, Usual
from lambda_workflow.testing.simulation.queues import FifoQueue, StandardQueue
from lambda_workflow.testing.simulation.worker import Habits, Worker
from lambda_workflow.testing.simulation.worker_ports import WorkerClock, ports_of
from lambda_workflow.testing.simulation.world import finish
from lambda_workflow.testing.stage_world import (
    Endless,
    OpenGate,
    SimulationError,
    StageLoop,
    StageWorld,
    ToldStore,
)

VISIBILITY_SECONDS: Final = 30.0  # of a message that a worker holds
REHIRE_SECONDS: Final = 1.0  # until another worker comes for one that died
WIDE_BATCH: Final = 10_000  # messages of one turn
NEVER: Final = 1_000_000  # receives; no message comes near it


@dataclass(slots=True)
class Stage:
    """One execution, those who serve it, and the test's door to it.

    Attributes:
        performed: how often each service did its work, whatever came of the answers.
        client: the real Client, on this world.
    """

    workflow: Workflow[Any, Any]
    execution_id: str
    cast: Cast
    schedule: Schedule
    app: App
    habits: Habits
    world: StageWorld
    performed: Counter[str] = field(default_factory=Counter)
    client: Client = field(init=False)
    _fault: Exception | None = None
    _workers: list[Worker] = field(default_factory=list)
    _running: set[asyncio.Task[Any]] = field(default_factory=set)
    _hired: int = 0
    _times: Counter[str] = field(default_factory=Counter)

    @classmethod
    def create(
        cls, workflow: Workflow[Any, Any], execution_id: str, cast: Cast, schedule: Schedule,
        *, app: App, habits: Habits, turns_max: int, workers: int,
    ) -> Stage:  # fmt: skip
        """An empty stage with its workers waiting."""
        loop, rng = StageLoop(), Usual()
        inbox = FifoQueue("inbox", loop, rng, max_receives=NEVER)
        if workers == 1:  # no faults: one turn for all that arrived keeps wide workflows fast
            inbox.batch_max = WIDE_BATCH
        queues = StandardQueue("delays", loop, rng), StandardQueue("tasks", loop, rng)
        store = ToldStore()
        world = StageWorld(
            loop, rng, schedule, inbox, *queues, store=store, main=execution_id, turns_max=turns_max
        )
        store.on_turn = world.take_turn
        stage = cls(workflow, execution_id, cast, schedule, app, habits, world)
        world.on_turn = stage._look
        schedule.on_fault = lambda fault: world.say(str(fault), is_fault=True)
        gate = OpenGate(world, "test", VISIBILITY_SECONDS)
        backend = ports_of(gate, WorkerClock(gate), transactional=False)
        stage.client = Client(app, backend)
        loop.set_exception_handler(stage._broken)
        stage._spawn(stage._serve_tasks())
        for _ in range(workers):
            stage._hire()
        return stage

    # moving

    def start(self, request: Any) -> None:
        """Send the request."""
        client, name = self.client, self.execution_id
        finish(client.start(self.workflow, request, execution_id=name))

    def advance(self, until: float) -> None:
        """Let happen what is due by then; `until` in seconds of the loop's clock.

        Raises:
            SimulationError: the test has something to mend.
            WorkflowError: the execution is BLOCKED; of the class that says why.
        """
        loop = self.world.loop
        assert isinstance(loop, StageLoop)
        loop.run_until_time(until)
        if self._fault is not None:
            raise self._fault

    @property
    def is_idle(self) -> bool:
        """Whether nothing can happen any more without a push from outside."""
        loop = self.world.loop
        return isinstance(loop, StageLoop) and loop.is_idle

    def close(self) -> None:
        """Unwind what still waits."""
        for worker in self._workers:
            worker.stop()
        loop = self.world.loop
        assert isinstance(loop, StageLoop)
        loop.set_exception_handler(lambda loop, context: None)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_time(loop.time())
        loop.close()

    # looking

    def history(self) -> History:
        """What is committed, payloads in place."""
        if not self.started:
            return History(self.execution_id)
        history: History = finish(self.client.history(self.execution_id))
        return history

    @property
    def started(self) -> bool:
        """Whether the first turn is committed."""
        return bool(finish(self.world.store.load(self.execution_id)).texts)

    def result(self) -> Any:
        """The result of an execution that has ended, or its error raised, as a Client gets it."""
        return finish(self.client.result(self.execution_id))

    # what goes on

    def _hire(self) -> None:
        self._hired += 1
        worker = Worker(self.world, f"worker{self._hired}", self.app, self.habits)
        worker.on_death = self._replace
        worker.start()
        self._workers.append(worker)

    def _replace(self, dead: Worker) -> None:
        self._workers.remove(dead)
        self.world.loop.call_later(REHIRE_SECONDS, self._hire)

    def _look(self, turn: Turn) -> None:
        if turn.status is Status.BLOCKED:
            self._stop(blocked_error(turn.reason))
        elif self.world.turns > self.world.turns_max:
            self._stop(
                Endless(
                    f"{self.world.turns} turns and no end: is there a loop without an end? Raise "
                    "turns_max, or look at it in the middle with Simulation"
                )
            )

    def _stop(self, error: Exception) -> None:
        self._fault = self._fault or error
        self.world.loop.stop()

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._stop(error if isinstance(error, Exception) else SimulationError(str(context)))

    def _spawn(self, coroutine: Any) -> None:
        task = self.world.loop.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._stop(error)

    # the services

    async def _serve_tasks(self) -> None:
        tasks = self.world.tasks
        while True:
            await tasks.wait_message()
            for delivery in tasks.receive(10, float(NEVER)):
                tasks.delete(delivery.receipt)
                self._spawn(self._serve(parse_task(delivery.body)))

    async def _serve(self, task: Task) -> None:
        self.world.count_point("services", task.task_id)
        operation = self.world.label(task.execution_id, operation_of(task.task_id))
        fake = self.cast.fakes.get(task.service)
        policy = fake.service.retry if fake else None
        may_fail = policy is not None and task.attempt < policy.attempts
        call = operation, task.attempt
        fault = self.schedule.task(task.service, call, self._moments(), may_fail=may_fail)
        what, seconds = (fault.what, fault.seconds) if fault else (None, 0.0)
        if what is Mishap.OUTAGE:
            return self._post(task, task.update(failure=OUTAGE), "outage")
        update = await self._perform(task)
        if update is None:
            return
        if what is Mishap.LOST:
            update = task.update(failure=LOST)
        if what is Mishap.LATE:
            await asyncio.sleep(seconds)
        self._post(task, update, "answer")
        if what is Mishap.TWICE:
            await asyncio.sleep(seconds)
            update = await self._perform(task) or update
            self._post(task, update, "second")
        elif what is Mishap.ECHO:
            await asyncio.sleep(seconds)
            self._post(task, update, "echo")

    async def _perform(self, task: Task) -> Update | None:
        answer = self.cast.answer(task)
        if answer is None:
            raise SimulationError(
                f"workflow {self.workflow.name!r} calls service {task.service!r} (operation "
                f"{operation_of(task.task_id)}, payload {task.payload!r:.200}), which has no "
                f"fake: add fake({task.service.upper()}).returns(…)"
            )
        if answer.after > timedelta(0):
            await asyncio.sleep(answer.after.total_seconds())
        self.performed[task.service] += 1
        self._times[task.task_id] += 1
        if (times := self._times[task.task_id]) > 1:
            operation = self.world.label(task.execution_id, operation_of(task.task_id))
            self.world.say(f"{task.service} does call {operation} again: {times} times by now")
        if isinstance(answer, Silence):
            return None
        service = self.cast.fakes[task.service].service
        update = await perform(adapter_of(service, answer), task, self.client.backend.blobs)
        if update.failure is not None and update.failure.type == "BadResponse":
            raise SimulationError(f"fake({task.service!r}): {update.failure.message}")
        return update

    def _post(self, task: Task, update: Update, which: str) -> None:
        self.world.send(update, f"{task.task_id}:{task.attempt}:{which}", task.callback_queue_url)

    def _moments(self) -> Sequence[float]:
        now = self.world.now
        return sorted({(due - now) / 1000 for due in self.world.dues.values() if due > now})


OUTAGE: Final = Failure("SimulatedOutage", "the service could not be reached (simulated)")
LOST: Final = Failure("SimulatedOutage", "the service's reply was lost (simulated)")


def blocked_error(reason: str) -> Exception:
    """The error that says why an execution is BLOCKED."""
    from lambda_workflow import errors

    name, _, text = reason.partition(": ")
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, WorkflowError):
        return kind(text)
    return SimulationError(f"the execution is BLOCKED: {reason}")
