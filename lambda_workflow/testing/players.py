"""The players: those outside of the workflow, who answer its calls, children and callbacks.

Law: what the schedule lets go wrong with an answer is within a platform's rights; what an answer
says is its fake's alone.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lambda_workflow.errors import EncodeError
from lambda_workflow.model import commands as c
from lambda_workflow.model.events import Failure
from lambda_workflow.model.failures import failure_of
from lambda_workflow.model.ids import operation_of
from lambda_workflow.model.messages import (
    Heartbeat,
    Message,
    Request,
    Signal,
    Task,
    Update,
    UpdateRequest,
)
from lambda_workflow.model.service import Service
from lambda_workflow.model.tokens import make_token
from lambda_workflow.model.wire import parse_task
from lambda_workflow.ports import Blobs
from lambda_workflow.runtime.attend import Postponed, is_late
from lambda_workflow.runtime.heartbeats import Work as AdapterWork
from lambda_workflow.runtime.offload import fetch
from lambda_workflow.runtime.serve import Adapter
from lambda_workflow.runtime.workshop import Unheard, Workshop
from lambda_workflow.testing.acts import Act
from lambda_workflow.testing.cast import Cast
from lambda_workflow.testing.fakes import Answer, Error, Fake, Run, Silence, Value
from lambda_workflow.testing.schedule import Mishap, Schedule
from lambda_workflow.testing.stage_world import SimulationError, StageWorld

SILENT_SECONDS: Final = float("inf")
VISIBILITY_SECONDS: Final = 30.0  # no player needs it: a task is deleted when it is taken
RECEIVES_MAX: Final = 3  # of a task that nobody waits for, before it goes to the dead letters
RECEIVE_SECONDS: Final = 30.0  # until it comes again
OUTAGE: Final = Failure("SimulatedOutage", "the service could not be reached (simulated)")
LOST: Final = Failure("SimulatedOutage", "the service's reply was lost (simulated)")

Work = Coroutine[Any, Any, None]


@dataclass(slots=True)
class Players:
    """All who answer.

    Attributes:
        is_open: whether an operation of an execution still waits for its answer.
        secret_of: what the tokens of an execution's callbacks are signed with.
        spawn: runs a piece of work beside the others.
        fail: ends the simulation with an error that the test has to mend.
        performed: how often each service or faked workflow did its work.
    """

    world: StageWorld
    cast: Cast
    schedule: Schedule
    blobs: Blobs
    is_open: Callable[[str, str], bool]
    secret_of: Callable[[str], str]
    spawn: Callable[[Work], None]
    fail: Callable[[Exception], None]
    performed: Counter[str] = field(default_factory=Counter)
    _times: Counter[str] = field(default_factory=Counter)
    _shop: Workshop = field(init=False)

    def __post_init__(self) -> None:
        self._shop = Workshop(lambda: self.blobs, self._beat, lambda: self.world.now)

    # services

    async def serve_tasks(self) -> None:
        """Take tasks as they come."""
        tasks = self.world.tasks
        while True:
            await tasks.wait_message()
            for delivery in tasks.receive(tasks.batch_max, VISIBILITY_SECONDS):
                tasks.delete(delivery.receipt)
                self.spawn(self._serve(parse_task(delivery.body)))

    async def _serve(self, task: Task) -> None:
        world = self.world
        world.count_point("services", task.task_id)
        operation = world.label(task.execution_id, operation_of(task.task_id))
        fake = self._fake(task)
        assert isinstance(fake.target, Service)
        if task.cancelled:
            world.say(f"{task.service} is told that call {operation} is withdrawn")
            answer = self.cast.answer(fake, f"{task.task_id}/{task.attempt}")
            await self._shop.do(_adapter(fake.target, answer), task)
            return
        may_fail = task.reply and task.attempt < fake.target.retry.attempts
        call = operation, task.attempt
        fault = self.schedule.task(task.service, call, self._moments(), may_fail=may_fail)
        what, seconds = (fault.what, fault.seconds) if fault else (None, 0.0)
        if what is Mishap.OUTAGE:
            return self._post(task, task.update(failure=OUTAGE), "outage")
        update = await self._perform(task, fake)
        if update is None:
            return
        if what is Mishap.LOST:
            update = task.update(failure=LOST)
        if what is Mishap.LATE:
            await asyncio.sleep(seconds)
        self._post(task, update, "answer")
        if what is Mishap.TWICE:
            await asyncio.sleep(seconds)
            update = await self._perform(task, fake) or update
            self._post(task, update, "second")
        elif what is Mishap.ECHO:
            await asyncio.sleep(seconds)
            self._post(task, update, "echo")

    def _fake(self, task: Task) -> Fake[Any, Any]:
        found = self.cast.services.get(task.service)
        if found is None:
            operation = operation_of(task.task_id)
            raise SimulationError(
                f"the workflow calls service {task.service!r} (operation {operation}, payload "
                f"{task.payload!r:.200}), which has no fake: add fake(SERVICE).returns(…)"
            )
        return found

    async def _perform(self, task: Task, fake: Fake[Any, Any]) -> Update | None:
        answer = self.cast.answer(fake, f"{task.task_id}/{task.attempt}")
        if not isinstance(answer, Silence) and not await self._begins(task):
            return None
        task = replace(task, start_by_ms=0)  # its begin is reported
        operation = operation_of(task.task_id)
        await self._pass_time(answer, Heartbeat(task.execution_id, operation, None, task.attempt))
        assert isinstance(fake.target, Service)
        for _ in range(RECEIVES_MAX):
            self._count(task.service, task.execution_id, operation)
            if isinstance(answer, Silence):
                return None
            try:
                update = await self._return_until_done(_adapter(fake.target, answer), task)
            except Unheard as error:  # what nobody waits for comes again
                self.world.say(f"{task.service} failed at what was sent to it: {error}")
                if error.is_final:
                    return None
                await asyncio.sleep(RECEIVE_SECONDS)
                continue
            failure = None if update is None else update.failure
            if failure is not None and failure.type == "BadResponse":
                raise SimulationError(f"fake({task.service!r}): {failure.message}")
            return update
        return None

    async def _begins(self, task: Task) -> bool:
        """Report that an attempt begins, where that is asked for; False where it is too late."""
        if task.start_by_ms:
            work = AdapterWork(task, self._beat, lambda: self.world.now)
            if is_late(work):
                return False
            await work.begin()
        return True

    async def _return_until_done(self, adapter: Adapter[Any, Any], task: Task) -> Update | None:
        while isinstance(outcome := await self._shop.do(adapter, task), Postponed):
            task, seconds = outcome.task, outcome.delay_ms / 1000
            operation = self.world.label(task.execution_id, operation_of(task.task_id))
            self.world.say(f"{task.service} comes back to call {operation} in {seconds:g} s")
            self.world.count_point("services", task.task_id)
            await asyncio.sleep(seconds)
        return outcome

    async def _beat(self, task: Task, message: Heartbeat) -> None:
        key = f"beat:{task.task_id}:{task.attempt}:{self.world.now}"
        self.world.send(message, key, task.callback_queue_url)

    def _post(self, task: Task, update: Update, which: str) -> None:
        key = f"{task.task_id}:{task.attempt}:{which}"
        self.world.send(update, key, task.callback_queue_url)

    # other workflows

    def starts(self, message: Request, queue_url: str) -> bool:
        """Take the start of another workflow, if it is played here."""
        fake = self.cast.workflows.get(message.workflow)
        if fake is None and queue_url.startswith("app:"):
            self.fail(
                SimulationError(
                    f"the workflow calls {message.workflow!r} of another App, "
                    f"{queue_url.removeprefix('app:')!r}: add fake(WORKFLOW).returns(…)"
                )
            )
        if fake is None:
            return False
        if not self._times[f"child {message.execution_id}"]:
            self._times[f"child {message.execution_id}"] += 1
            self.spawn(self._play_child(message, fake))
        return True

    async def _play_child(self, message: Request, fake: Fake[Any, Any]) -> None:
        answer = self.cast.answer(fake, message.execution_id)
        owed = message.callback
        operation = operation_of(owed.task_id) if owed else "1"
        owner = owed.execution_id if owed else message.execution_id
        await self._pass_time(answer, Heartbeat(owner, operation))
        self._count(message.workflow, owner, operation)
        if isinstance(answer, Silence):
            return
        payload, failure = await self._outcome(fake, answer, message)
        if owed is not None:
            update = Update(owed.execution_id, operation, payload, failure)
            point = f"child {message.workflow} {self.world.label(owner, operation)}"
            await self._deliver(point, update, f"{owed.task_id}:child")

    async def _outcome(
        self, fake: Fake[Any, Any], answer: Value | Error | Run, message: Request
    ) -> tuple[Any, Failure | None]:
        try:
            if isinstance(answer, Error):
                raise answer.error.with_traceback(None)
            result = answer.value if isinstance(answer, Value) else None
            if isinstance(answer, Run):
                assert not isinstance(fake.target, Service)
                request = await fetch(message.request, self.blobs)
                codec = fake.target.request_codec
                result = answer.function(codec.decode(request, "request"))
                if inspect.isawaitable(result):
                    result = await result
            return fake.codec.encode(result, f"result of {message.workflow}"), None
        except EncodeError as error:
            raise SimulationError(f"fake({message.workflow!r}): {error}") from error
        except Exception as error:  # noqa: BLE001  # it is the child's outcome
            return None, failure_of(error)

    # callbacks

    def opens(self, execution_id: str, command: c.OpenCallback) -> None:
        """A callback is open, and whoever has its token may answer."""
        fake = self.cast.callbacks.get(command.name) or self.cast.callbacks.get("")
        if fake is not None:
            answer = self.cast.answer(fake, f"{execution_id}/{command.operation}")
            self.spawn(self._answer_callback(execution_id, command, answer))

    async def _answer_callback(
        self, execution_id: str, command: c.OpenCallback, answer: Answer
    ) -> None:
        operation = command.operation
        token = make_token(self.secret_of(execution_id), execution_id, operation)
        await self._pass_time(answer, Heartbeat(execution_id, operation, token=token))
        match answer:
            case Value():
                update = Update(execution_id, operation, answer.value, token=token)
            case Error():
                failure = failure_of(answer.error)
                update = Update(execution_id, operation, failure=failure, token=token)
            case _:
                return
        label = self.world.label(execution_id, operation)
        point = f"callback {command.name or 'unnamed'} {label}"
        await self._deliver(point, update, f"{execution_id}:{operation}:answer")

    # acts

    async def play(self, act: Act, number: int) -> None:
        """Do something to the execution on stage, when its time has come."""
        await asyncio.sleep(act.after.total_seconds())
        key = f"act{number}"
        self.world.say(f"somebody outside: {act.name}")
        await self._deliver(f"act {act.name}", act.message(self.world.main, key), key)

    # what they have in common

    async def _deliver(self, point: str, message: Message, key: str) -> None:
        # what has an id of its own is known when it comes again, whoever sent it twice
        may_repeat = isinstance(message, Update | Signal | UpdateRequest)
        fault = self.schedule.outside(point, self._moments(), may_repeat=may_repeat)
        what, seconds = (fault.what, fault.seconds) if fault else (None, 0.0)
        if what is Mishap.LATE:
            await asyncio.sleep(seconds)
        self.world.send(message, key)
        if what is Mishap.ECHO:
            await asyncio.sleep(seconds)
            self.world.send(message, f"{key}:again")

    async def _pass_time(self, answer: Answer, beat: Heartbeat) -> None:
        """Let pass the time that an answer takes, with the signs of life in it."""
        pace = answer.pace
        left = SILENT_SECONDS if isinstance(answer, Silence) else pace.after.total_seconds()
        every = pace.beats_every.total_seconds() if pace.beats_every else left
        while left > 0 and every < SILENT_SECONDS:
            await asyncio.sleep(min(every, left))
            left -= every
            if left > 0:
                if not self.is_open(beat.execution_id, beat.operation):
                    return
                self.world.send(beat, f"beat:{beat.operation}:{self.world.now}")

    def _count(self, name: str, execution_id: str, operation: str) -> None:
        self.performed[name] += 1
        label = self.world.label(execution_id, operation)
        self._times[f"{name} {label}"] += 1
        if (times := self._times[f"{name} {label}"]) > 1:
            self.world.say(f"{name} does call {label} again: {times} times by now")

    def _moments(self) -> Sequence[float]:
        now = self.world.now
        return sorted({(due - now) / 1000 for due in self.world.dues.values() if due > now})


def _adapter(service: Service[Any, Any], answer: Answer) -> Adapter[Any, Any]:
    """The adapter that gives this answer."""
    if isinstance(answer, Run) and isinstance(answer.function, Adapter):
        return answer.function

    async def give(payload: Any) -> Any:
        if isinstance(answer, Error):
            raise answer.error.with_traceback(None)  # the same one, raised again and again
        return answer.value if isinstance(answer, Value) else None

    return Adapter(service, give)
