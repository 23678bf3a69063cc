"""A host in memory for one App: messages, answers and time move when a test says so.

The queue and the store are the shipped ones, which here remember what they were given, and fail
when a test tells them to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lambda_workflow import App, Service, Status, Task, Workflow
from lambda_workflow.errors import BackendError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History
from lambda_workflow.model.ids import operation_of
from lambda_workflow.model.messages import Message, Redrive, Request, Update
from lambda_workflow.model.turn import decode_turns
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import Commit, Effect, Observer, SendMessage, SendResponse, SendTask
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.offload import inflate
from lambda_workflow.runtime.serve import perform
from lambda_workflow.runtime.turns import TurnResult, Turns
from lambda_workflow.testing.clock import VirtualClock
from lambda_workflow.testing.memory import (
    Memory,
    MemoryBlobs,
    MemoryQueue,
    MemoryStore,
    MemoryTimers,
)
from tests.notes import Notes

DOUBLE: Service[int, int] = Service("double", int, int)
OTHER: Service[int, int] = Service("other", int, int)
ROUNDS_MAX = 200


class WatchedQueue(MemoryQueue):
    """Remembers every send; `failing` makes all of them fail."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.failing = False
        self.tasks: list[SendTask] = []
        self.messages: list[SendMessage] = []
        self.responses: list[SendResponse] = []

    def _open(self) -> None:
        if self.failing:
            raise BackendError("the queue is throttled")

    async def send_tasks(self, sends: Sequence[SendTask]) -> None:
        """As MemoryQueue's."""
        self._open()
        self.tasks += sends
        await super().send_tasks(sends)

    async def send_messages(self, sends: Sequence[SendMessage]) -> None:
        """As MemoryQueue's."""
        self._open()
        self.messages += sends
        await super().send_messages(sends)

    async def send_responses(self, sends: Sequence[SendResponse]) -> None:
        """As MemoryQueue's."""
        self._open()
        self.responses += sends
        await super().send_responses(sends)


class WatchedStore(MemoryStore):
    """Remembers the commits; `before_commit` is called with each, to fail or to look around."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Commit] = []
        self.loads = 0
        self.before_commit: Callable[[Commit], Any] = lambda commit: None

    async def load(self, execution_id: str, *, whole: bool = False) -> Any:
        """As MemoryStore's."""
        self.loads += 1
        return await super().load(execution_id, whole=whole)

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        """As MemoryStore's."""
        if (waiting := self.before_commit(commit)) is not None:
            await waiting
        effects = await super().commit(commit)
        self.commits.append(commit)
        return effects


class Host:
    """An App on a host in memory, with one execution `e` unless a test asks for others."""

    def __init__(self, app: App, *, observer: Observer | None = None, **options: Any) -> None:
        self.app = app
        self.clock = VirtualClock()
        self.queue = WatchedQueue(self.clock)
        self.store = WatchedStore()
        self.timers = MemoryTimers(self.clock, self.queue)
        self.blobs = MemoryBlobs()
        self.notes = Notes()
        told = observer or self.notes
        self.memory = Memory(self.clock, self.store, self.queue, self.timers, self.blobs, told)
        self._workers: list[Turns] = []
        self.turns = self.worker(**options)

    def worker(self, app: App | None = None, **options: Any) -> Turns:
        """One more worker, with a memory of its own, on the same store and queues."""
        turns = Turns(app or self.app, self.memory.backend, **options)
        self._workers.append(turns)
        return turns

    def deploy(self, app: App, **options: Any) -> None:
        """A new version of the code takes over: a worker that knows nothing yet."""
        self.app = app
        self.turns = self.worker(app, **options)

    def close(self) -> None:
        """Unwind what the workers hold."""
        for worker in self._workers:
            worker.close()

    async def send(self, *messages: Message, consumed: Usage = Usage()) -> TurnResult:
        """One turn of these messages."""
        arrivals = [Arrival(message) for message in messages]
        return await self.turns.run(messages[0].execution_id, arrivals, consumed=consumed)

    async def start(self, workflow: Workflow[Any, Any], request: Any = 1, **of: Any) -> TurnResult:
        """Start an execution of a workflow."""
        payload = workflow.request_codec.encode(request, "request")
        return await self.send(Request(of.pop("execution_id", "e"), workflow.name, payload, **of))

    async def answer(self, operation: str, payload: Any, attempt: int = 1) -> TurnResult:
        """The service answers a call of `e`."""
        return await self.send(Update("e", operation, payload, None, attempt))

    async def fail(self, operation: str, failure: e.Failure, attempt: int = 1) -> TurnResult:
        """The service answers a call of `e` with an error."""
        return await self.send(Update("e", operation, None, failure, attempt))

    async def redrive(self) -> TurnResult:
        """Try `e` again."""
        return await self.send(Redrive("e"))

    async def wait(self, seconds: float) -> TurnResult | None:
        """Let time pass; the timers that fire make one turn."""
        await self.memory.advance(seconds)
        messages = self.queue.take_messages()
        return await self.send(*messages) if messages else None

    async def finish(self, execution_id: str = "e") -> Any:
        """Serve and let time jump until the execution has ended; its result or failure."""
        for _ in range(ROUNDS_MAX):
            if self.outcome(execution_id) is not None:
                return self.outcome(execution_id)
            messages: list[Message] = [*self.queue.take_messages()]
            for name, adapter in self.app.adapters.items():
                tasks = self.queue.take_tasks(name)
                messages += [await perform(adapter, task, self.blobs) for task in tasks]
            if messages:
                for owner in dict.fromkeys(m.execution_id for m in messages):
                    await self.send(*[m for m in messages if m.execution_id == owner])
            elif (due := self.timers.next_due) is not None:
                await self.memory.advance((due - self.clock.now()) / 1000)
            else:
                break
        raise AssertionError(f"{execution_id} hangs: {self.history(execution_id).open}")

    # looking

    def history(self, execution_id: str = "e") -> History:
        """What the store holds."""
        return History(execution_id, decode_turns(self.store._texts.get(execution_id, ())))

    async def whole(self, execution_id: str = "e") -> History:
        """What the store holds, payloads in place."""
        return History(execution_id, await inflate(self.history(execution_id).turns, self.blobs))

    def outcome(self, execution_id: str = "e") -> Any:
        """The result's payload, or the Failure, or None while it goes on."""
        turns = self.history(execution_id).turns
        last = turns[-1].commands[-1] if turns and turns[-1].commands else None
        if isinstance(last, c.Complete):
            return last.payload
        return last.failure if isinstance(last, c.Fail) else None

    def status(self, execution_id: str = "e") -> Status:
        """Where it stands."""
        return self.history(execution_id).status

    def sent(self) -> list[tuple[str, int]]:
        """The operation and attempt of every task sent so far."""
        return [(operation_of(send.task.task_id), send.task.attempt) for send in self.queue.tasks]

    def tasks(self) -> list[Task]:
        """The tasks sent so far."""
        return [send.task for send in self.queue.tasks]
