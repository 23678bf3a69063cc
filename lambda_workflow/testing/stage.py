"""The stage: one execution, played in a world of its own, in virtual time.

Laws
 1. Everything that happens is decided by the request, the fakes and the schedule.
 2. The stage moves only while a test lets it; between two moves nothing runs.
 3. What the test did wrong (no fake, a fake of a wrong type) stops the play and is raised there: it
    is not an outcome that the workflow could see and handle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_workflow import errors
from lambda_workflow.errors import WorkflowBug, WorkflowError
from lambda_workflow.model.commands import OpenCallback
from lambda_workflow.model.events import StartOptions
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Request
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.offload import inflate_commands
from lambda_workflow.testing.acts import Act
from lambda_workflow.testing.cast import Cast
from lambda_workflow.testing.fakes import FakeCallback
from lambda_workflow.testing.players import Players
from lambda_workflow.testing.schedule import Schedule, Usual
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
SECRET: Final = "simulated"  # the same in every run, so that a token in a payload is as well


@dataclass(slots=True)
class Stage:
    """One execution, those who serve it, and the test's door to it.

    Attributes:
        players: those who answer.
        client: the real Client, on this world.
    """

    workflow: Workflow[Any, Any]
    execution_id: str
    cast: Cast
    schedule: Schedule
    app: App
    habits: Habits
    world: StageWorld
    players: Players = field(init=False)
    client: Client = field(init=False)
    _fault: Exception | None = None
    _workers: list[Worker] = field(default_factory=list)
    _running: set[asyncio.Task[Any]] = field(default_factory=set)
    _hired: int = 0
    _acts: int = 0

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
        world.tasks.batch_max = WIDE_BATCH
        world.on_turn = stage._look
        schedule.on_fault = lambda fault: world.say(str(fault), is_fault=True)
        gate = OpenGate(world, "test", VISIBILITY_SECONDS)
        backend = ports_of(gate, WorkerClock(gate), transactional=False)
        stage.client = Client(app, backend)
        loop.set_exception_handler(stage._broken)
        stage.players = Players(
            world,
            cast,
            schedule,
            backend.blobs,
            stage._is_open,
            stage._secret_of,
            stage._spawn,
            stage._stop,
        )
        world.on_start = stage.players.starts
        stage._spawn(stage.players.serve_tasks())
        for _ in range(workers):
            stage._hire()
        return stage

    # moving

    def start(self, request: Any) -> None:
        """Send the request.

        Raises:
            EncodeError: it is not of the workflow's request type.
        """
        payload = self.workflow.request_codec.encode(request, "request")
        options = StartOptions(id=self.execution_id, secret=SECRET)
        message = Request(self.execution_id, self.workflow.name, payload, options=options)
        self.world.send(message, "start")
        for act in self.cast.acts:
            self.play(act)

    def play(self, act: Act) -> None:
        """Let something happen from outside."""
        self._acts += 1
        self._spawn(self.players.play(act, self._acts))

    def answer(self, part: FakeCallback) -> None:
        """Let somebody answer the callbacks of a name, those that are open included."""
        self.cast.callbacks[part.name] = part
        for command in self.history().open.values():
            if isinstance(command, OpenCallback) and part.name in ("", command.name):
                self.players.opens(self.execution_id, command)

    def advance(self, until: float) -> None:
        """Let happen what is due by then; `until` in seconds of the loop's clock.

        Raises:
            SimulationError: the test has something to mend.
            WorkflowError: the execution is BLOCKED; of the class that says why.
            Exception: the workflow's code raised a bug; this is the exception itself.
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
        return self._history_of(self.execution_id) or History(self.execution_id)

    def result(self) -> Any:
        """The result of an execution that has ended, or its error raised, as a Client gets it."""
        header = finish(self.client.describe(self.execution_id))
        if not header.status.closed:
            raise WorkflowError(f"it has ended, but the listing says that it is {header.status}")
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

    def _look(self, execution_id: str, turn: Turn) -> None:
        if turn.status is Status.BLOCKED:
            self._stop(self._fault_of(execution_id) or blocked_error(turn.reason))
        elif self.world.turns > self.world.turns_max:
            self._stop(
                Endless(
                    f"{self.world.turns} turns and no end: is there a loop without an end? Raise "
                    "turns_max, or look at it in the middle with Simulation"
                )
            )
        for command in turn.commands:
            if isinstance(command, OpenCallback):
                self.players.opens(execution_id, command)

    def _fault_of(self, execution_id: str) -> Exception | None:
        """Why a worker marks an execution BLOCKED; a bug as the exception that it is."""
        faults = (worker.turns.fault_of(execution_id) for worker in self._workers)
        fault = next((fault for fault in faults if fault is not None), None)
        bug = fault.__cause__ if isinstance(fault, WorkflowBug) else None
        return bug if isinstance(bug, Exception) else fault

    def _history_of(self, execution_id: str) -> History | None:
        if not finish(self.world.store.load(execution_id)).texts:
            return None
        history: History = finish(self.client.history(execution_id))
        turns: list[Turn] | None = finish(
            inflate_commands(history.turns, self.client.backend.blobs)
        )
        return history if turns is None else History(execution_id, turns)

    def _is_open(self, execution_id: str, operation: str) -> bool:
        history = self._history_of(execution_id)
        return history is not None and not history.status.closed and operation in history.open

    def _secret_of(self, execution_id: str) -> str:
        history = self._history_of(execution_id)
        return history.started.options.secret if history and history.started else ""

    def _stop(self, error: Exception) -> None:
        self._fault = self._fault or error
        self.world.loop.stop()

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._stop(error if isinstance(error, Exception) else SimulationError(str(context)))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self.world.loop.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._stop(error)


def blocked_error(reason: str) -> Exception:
    """The error that says why an execution is BLOCKED."""
    name, _, text = reason.partition(": ")
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, WorkflowError):
        return kind(text)
    return SimulationError(f"the execution is BLOCKED: {reason}")
