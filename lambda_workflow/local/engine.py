"""The embedded engine: an App at work over one SQLite file, in this process.

Laws
 1. Nothing is done that is not stored first, and nothing stored is forgotten: whatever moment the
    process dies at, the next engine on the file finishes everything.
 2. An execution belongs to one engine at a time; the turn number in the file is the fence for the
    moment at which two think so.
 3. Work that this engine stores for itself reaches it through memory; the rows are for the others,
    and for the day it dies.
 4. An engine with nothing to do sleeps: until its next timer, until this process sends something,
    or for a tenth of a second, to see whether another process has.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.local import change as c
from lambda_workflow.local import registry
from lambda_workflow.local.alarm import Alarm
from lambda_workflow.local.clock import SkippingClock
from lambda_workflow.local.crew import Crew
from lambda_workflow.local.ends import Ends
from lambda_workflow.local.inbox import Inbox
from lambda_workflow.local.presence import Presence
from lambda_workflow.local.registry import TimerKey
from lambda_workflow.local.scout import Scout
from lambda_workflow.local.sqlite import Receipt, SqliteFile
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.model.messages import Timer, Update
from lambda_workflow.model.wire import render
from lambda_workflow.ports import (
    ArmTimer,
    Backend,
    Clock,
    DisarmTimer,
    Effect,
    Observer,
    SendMessage,
    SendTask,
)
from lambda_workflow.runtime.app import APP, App
from lambda_workflow.runtime.apps import Apps
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.log import LogObserver
from lambda_workflow.runtime.turn_limits import SECONDS_MAX, WARNING_SECONDS, TurnLimits
from lambda_workflow.runtime.turns import Turns


class Engine:
    """Runs an App's executions and, where the App has their adapters, its services.

        async with Engine(app, "orders.db") as engine:
            handle = await engine.client.start(transfer, order)
            receipt = await handle.result()

    Several engines may have one file open at once, in this process or others of this machine;
    what one leaves behind, however it ends, another takes over.

    Args:
        app: its workflows are run here. Tasks of services whose adapters it lacks wait in the file
            for an engine of an App that has them; see `waiting_services`.
        also: further Apps to run here, whose workflows are called as a RemoteWorkflow.
        path: the file; created when absent. None is `lambda-workflow.db` in the working directory,
            `:memory:` keeps nothing.
        clock: a `SkippingClock` lets waits pass at once.
        observer: is told what happens; else the log `lambda_workflow` is, at WARNING what needs a
            look: an execution that is BLOCKED, a host that fails, a call that was never awaited.
        concurrency: executions in a turn at the same time; steps run within turns.
        service_concurrency: service adapters at work at the same time.
        responses: keep each outcome in the file, for `SqliteFile.receive_responses`.
        check: replay from the start at every turn and compare; for development.
        guard: refuse the clock, chance, I/O and what blocks in workflow code, at its line; see
            `docs/workflows.md`. It costs about a sixth of the workflows per second
            of `benchmarks/embedded.py`.
        strict: a call that was never awaited fails the execution; for development.
        turn_warning_seconds, turn_seconds_max: how long workflow code may run without waiting,
            before its line is named and before it is cut off and BLOCKED; None is for ever.
        lease_seconds: how long another engine may give no sign of life before it is taken for dead,
            where its process cannot be looked at (another container).
        grace_seconds: how long adapters and turns at work may go on when the engine is left.

    Raises:
        ConfigurationError: an argument is out of its limits; entering: see `SqliteFile`.
    """

    def __init__(
        self,
        app: App,
        path: str | os.PathLike[str] | None = None,
        *,
        also: Sequence[App] = (),
        clock: Clock | None = None,
        observer: Observer | None = None,
        concurrency: int = 100,
        service_concurrency: int = 100,
        responses: bool = False,
        check: bool = False,
        guard: bool = True,
        strict: bool = False,
        turn_warning_seconds: float | None = WARNING_SECONDS,
        turn_seconds_max: float | None = SECONDS_MAX,
        lease_seconds: float = 15.0,
        grace_seconds: float = 5.0,
    ) -> None:
        for one in (app, *also):
            check_kind(one, App, "what Engine runs", APP)
        if concurrency < 1 or service_concurrency < 1 or lease_seconds <= 0 or grace_seconds < 0:
            raise ConfigurationError(
                "Engine: `concurrency` and `service_concurrency` are at least 1, `lease_seconds` "
                "is above 0, and `grace_seconds` not below it"
            )
        self._app = Apps([app, *also]) if also else app
        self._open: Callable[[], SqliteFile] = lambda: SqliteFile(
            path, clock=clock, observer=observer or LogObserver(), responses=responses
        )
        self._concurrency = concurrency
        self._service_concurrency = service_concurrency
        self._lease_seconds = lease_seconds
        self._grace_seconds = grace_seconds
        limits = TurnLimits(turn_warning_seconds, turn_seconds_max)
        self._checks: dict[str, Any] = {
            "check": check, "guard": guard, "strict": strict, "limits": limits
        }  # fmt: skip

    async def __aenter__(self) -> Self:
        self._file = file = self._open()
        try:
            self._furnish(file)
            await self._presence.enter()
            file.sink = self
            self._group = await asyncio.TaskGroup().__aenter__()
        except BaseException:
            await file.aclose()
            raise
        loops = (self._scout.run(), self._alarm.run(), self._crew.run(), self._presence.run())
        self._loops = [self._group.create_task(loop) for loop in loops]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        *watching, presence = self._loops
        try:
            for loop in watching:
                loop.cancel()
            await self._crew.finish(self._grace_seconds)
            await self._inbox.finish(self._grace_seconds)
            await self._presence.leave()
        finally:
            presence.cancel()
            ours = kind is not None and issubclass(kind, asyncio.CancelledError)
            try:  # an error of the block's own goes out as it is, not in a group
                await self._group.__aexit__(*((kind, error, trace) if ours else (None, None, None)))
            finally:
                self._turns.close()
                self._file.sink = None
                await asyncio.to_thread(self._client._end_sync)
                await self._file.aclose()

    @property
    def backend(self) -> Backend:
        """The ports over the file, while the engine runs.

        Raises:
            ConfigurationError: it does not run yet.
        """
        if not hasattr(self, "_file"):
            raise ConfigurationError(
                "the engine does not run: use it within `async with Engine(…) as engine:`"
            )
        return self._file.backend

    @property
    def client(self) -> Client:
        """Starts executions and asks for them, through this engine's file."""
        _ = self.backend  # or it says that the engine does not run
        return self._client

    @property
    def path(self) -> str:
        """The file, as an absolute path."""
        return self._file.path

    async def waiting_services(self) -> dict[str, int]:
        """Services with tasks waiting that no engine on this file serves, and how many wait."""
        return await self._file.reader.call(registry.waiting_services)

    # As the sink of the file

    @property
    def owner(self) -> int:
        """This engine's id in the file."""
        return self._presence.claimant.id

    @property
    def services(self) -> Collection[str]:
        """The services that this engine serves."""
        return self._presence.claimant.services

    def take(self, effects: Sequence[Effect]) -> None:
        """Act on effects that this process has stored, perhaps by a client in another thread."""
        if asyncio._get_running_loop() is not self._loop:
            with suppress(RuntimeError):  # the loop is closed: the rows are for the next engine
                self._loop.call_soon_threadsafe(self.take, effects)
            return
        for effect in effects:
            match effect:
                case SendTask(task):
                    if task.cancelled and not self._crew.has(task):
                        self._scout.wake()  # another engine may be at work on it
                    elif task.service in self.services:
                        self._crew.take(task, self._hand_over)
                case ArmTimer():
                    self._alarm.arm((effect.due, effect.execution_id, effect.operation))
                case DisarmTimer():
                    self._alarm.disarm((effect.due, effect.execution_id, effect.operation))
                case SendMessage():
                    self._scout.wake()
                case _:
                    pass  # a header or a response asks nothing of an engine

    def _furnish(self, file: SqliteFile) -> None:
        backend = file.backend
        self._turns = Turns(self._app, backend, **self._checks)
        self._loop = asyncio.get_running_loop()
        self._ends = Ends()
        self._client = Client(self._app, backend, wait=self._ends.wait)
        self._inbox = Inbox(
            self._turn,
            file.drop,
            self._eased,
            bury=file.bury_message,
            backend=backend,
            concurrency=self._concurrency,
        )
        self._crew = Crew(
            self._app,
            self._inbox.held,
            self._eased,
            freed=lambda: self._scout.wake(),  # noqa: PLW0108  # it is made after the crew
            backend=backend,
            concurrency=self._service_concurrency,
            disposal=file,
        )
        self._scout = Scout(
            file,
            self._inbox,
            self._crew,
            claimant=lambda: self._presence.claimant,
            post=self._post,
            eased=self._eased,
        )
        self._alarm = Alarm(backend.clock, self._scout.read_timers, self._fire, self._eased)
        self._presence = Presence(
            file,
            self._start_over,
            self._let_go,
            workflows=self._app.workflows,
            services=self._app.adapters,
            lease_seconds=self._lease_seconds,
        )

    async def _turn(self, execution_id: str, arrivals: Sequence[Arrival]) -> bool:
        result = await self._turns.run(execution_id, arrivals)
        if result.status is not None and result.status.closed:
            self._ends.tell(execution_id)
        return result.acked

    async def _hand_over(self, update: Update, receipt: Receipt) -> None:
        """A result for an execution of this engine: its turn deletes the task's row.

        An error must not overtake the heartbeats before it: it takes the same way, by the file.
        """
        if update.failure is not None:
            await self._post(update, receipt)
        else:
            self._inbox.hand_over(update, receipt)

    async def _post(self, update: Update, receipt: Receipt) -> None:
        """A result of a task from the file: whoever owns its execution finds it there."""
        message = (update.execution_id, render(update))
        rows = {c.PUT_MESSAGE: [message], receipt.statement: [receipt.row]}
        await self._file.writer.write(c.Change(rows, self.owner))
        self._inbox.held.discard(receipt)
        self._scout.wake()

    def _fire(self, keys: Sequence[TimerKey]) -> None:
        for due, execution_id, operation in keys:
            receipt = Receipt(c.DROP_TIMER, (due, execution_id, operation))
            self._inbox.deliver(Timer(execution_id, operation, due), receipt)

    def _start_over(self) -> None:
        self._alarm.reset()
        self._scout.start_over()

    async def _let_go(self) -> None:
        """Forget everything: another engine has it now."""
        await self._crew.cancel()
        await self._inbox.cancel()
        self._turns.close()
        self._turns = Turns(self._app, self._file.backend, **self._checks)

    def _eased(self) -> None:
        """Something has come to rest: there may be room for more, or nothing left but to wait."""
        self._scout.make_room()
        clock = self._file.backend.clock
        if not isinstance(clock, SkippingClock) or self._alarm.unread:
            return
        if self._inbox.busy or self._crew.busy or self._scout.busy:
            return
        dues = (self._alarm.next_due(), self._crew.next_due())
        if (due := min((due for due in dues if due is not None), default=None)) is not None:
            clock.skip_to(due)
