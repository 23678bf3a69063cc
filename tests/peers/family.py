"""Families of cases: each file of this folder is one, each case a published behaviour of a peer.

A case is a coroutine that starts executions and looks at them from outside. It names the peer's
requirement in its first line: `Durable 4-5` is requirement 4-5 of the conformance tests that AWS
publishes for Lambda Durable Functions (github.com/aws/aws-durable-execution-conformance-tests).

Laws
 1. The cases of a family run side by side on one host; time moves only when all of them wait. So a
    backend costs a family about what its longest case costs.
 2. A case that fails or hangs is told by its own test, and spoils no other.
 3. Cases share no state but by a key of their own: `world.key`.
 4. What a case started is replayed from its exported history at the end, by code that knows nothing
    of the run: it must do the same again.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lambda_workflow import Adapter, App, Client, ExecutionFailed, Status, Workflow, workflow
from lambda_workflow.model import commands as c
from lambda_workflow.model.history import History
from lambda_workflow.ports import Header
from lambda_workflow.runtime.handle import Handle
from lambda_workflow.runtime.living import load_history
from lambda_workflow.testing import assert_replays
from tests.operations.host import Host

if TYPE_CHECKING:
    from lambda_workflow import Context

In = TypeVar("In")
Out = TypeVar("Out")
Script = Callable[["World"], Coroutine[Any, Any, None]]

PATIENCE_SECONDS: Final = 30.0  # of the machine's time, without anything that goes on
LOG: Final[defaultdict[str, list[Any]]] = defaultdict(list)  # by key: what was done outside


class Family:
    """The workflows and cases of one file."""

    def __init__(self, name: str, *adapters: Adapter[Any, Any]) -> None:
        self.name = name
        self.adapters = adapters
        self.workflows: list[Workflow[Any, Any]] = []
        self.cases: dict[str, Script] = {}

    def workflow(
        self, function: Callable[[Context, In], Coroutine[Any, Any, Out]]
    ) -> Workflow[In, Out]:
        """A workflow of the family's App."""
        made = workflow(function)
        self.workflows.append(made)
        return made

    def case(self, script: Script) -> Callable[[Outcomes], None]:
        """Make a test of a case; it is run with all others of its family."""
        name = script.__name__
        self.cases[name] = script

        def test(outcomes: Outcomes) -> None:
            outcomes.check(name)

        test.__name__ = test.__qualname__ = name
        test.__doc__ = script.__doc__
        test.__module__ = script.__module__
        return test

    async def run(self, host: Host, names: set[str]) -> Outcomes:
        """Run some of the cases on a host."""
        app = App(f"peers-{self.name}", workflows=self.workflows, adapters=self.adapters)
        async with host(app) as client:
            stage = Stage(host, client)
            scripts = {name: script for name, script in self.cases.items() if name in names}
            return Outcomes(await stage.play(scripts))


class Outcomes:
    """What became of the cases of a family on one host."""

    def __init__(self, errors: dict[str, BaseException | None]) -> None:
        self._errors = errors

    def check(self, name: str) -> None:
        """Raise what the case raised."""
        error = self._errors[name]
        if error is not None:
            raise error


class Stage:
    """Moves time on when every case waits for it (law 1)."""

    def __init__(self, host: Host, client: Client) -> None:
        self.host = host
        self.client = client
        self.since = host.now()
        self._due: dict[asyncio.Future[None], int] = {}  # cases that wait for a moment
        self._ends: dict[asyncio.Future[None], str] = {}  # … for the end of an execution
        self._rests: set[asyncio.Future[None]] = set()  # … until nothing goes on
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._waiting: dict[asyncio.Task[Any] | None, asyncio.Future[None]] = {}
        self._seen: set[str] = set()
        self._open: set[str] = set()
        self._timers: list[int] = []

    async def play(self, scripts: dict[str, Script]) -> dict[str, BaseException | None]:
        """Run the cases to their ends."""
        for name, script in scripts.items():
            task = asyncio.create_task(self._play(script, World(self, name)), name=name)
            self._tasks[task] = name
        try:
            while not all(task.done() for task in self._tasks):
                await self._all_wait()
                if not await self._goes_on():
                    self._give_up()
        finally:
            for task in self._tasks:
                task.cancel()
            ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        return dict(zip(self._tasks.values(), ended, strict=True))

    async def _play(self, script: Script, world: World) -> None:
        await script(world)
        if not world.started:
            return
        histories = [await self.client.export(execution_id) for execution_id in world.started]
        _assert_all_replay(self.client.app, histories)

    def wait(self, kind: str, what: Any = None) -> asyncio.Future[None]:
        """What a case awaits; see `World`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[asyncio.current_task()] = future
        if kind == "moment":
            self._due[future] = what
        elif kind == "end":
            self._ends[future] = what
        else:
            self._rests.add(future)
        return future

    async def _all_wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while running := [task for task in self._tasks if not self._is_waiting(task)]:
            if time.monotonic() > deadline:
                for task in running:
                    task.cancel("it waits for something of its own, which never comes")
            await asyncio.sleep(0.001)

    def _is_waiting(self, task: asyncio.Task[None]) -> bool:
        future = self._waiting.get(task)
        return task.done() or (future is not None and not future.done())

    async def _goes_on(self) -> bool:
        """Let the next thing happen that some case waits for; False if nothing will."""
        await self.host.settle()
        woken, self._rests = list(self._rests), set()
        if not woken:
            woken = await self._ended()
        if not woken:
            now = self.host.now()
            woken = [future for future, due in self._due.items() if due <= now]
            for future in woken:
                del self._due[future]
        if woken:
            for future in woken:
                if not future.done():
                    future.set_result(None)
            await asyncio.sleep(0)
            return True
        dues = [*self._due.values(), *self._timers]
        if (own := self.host._own_due()) is not None:
            dues.append(own)
        if not dues:
            return False
        left = min(dues) - self.host.now()
        coarse = self.host.name == "aws"  # where a second is nothing, and a look at the world dear
        await self.host._move(max(left, 0) + 1000 if coarse or left <= 0 else left)
        return True

    async def _ended(self) -> list[asyncio.Future[None]]:
        """Look at what is open, children included: when its timers are due, and what has ended."""
        self._timers.clear()
        backend, found = self.client.backend, list(self._open)
        while found:
            loaded = await asyncio.gather(*(load_history(backend, id_) for id_ in found))
            found = [child for history in loaded for child in self._look_at(history)]
        woken = [future for future, id_ in self._ends.items() if id_ not in self._open]
        for future in woken:
            del self._ends[future]
        return woken

    def _look_at(self, history: History) -> list[str]:
        """Its children that were not known."""
        if history.status.closed:
            self._open.discard(history.execution_id)
        found = []
        for command in history.open.values():
            if isinstance(command, c.StartTimer):
                self._timers.append(command.due)
            elif isinstance(command, c.StartChild) and command.child not in self._seen:
                self.watch(command.child)
                found.append(command.child)
        return found

    def watch(self, execution_id: str) -> None:
        """Wait for this execution's timers, too."""
        self._seen.add(execution_id)
        self._open.add(execution_id)

    def _give_up(self) -> None:
        for future, execution_id in self._ends.items():
            future.set_exception(AssertionError(f"nothing will ever end {execution_id}"))
        self._ends.clear()


def _assert_all_replay(app: App, histories: list[str]) -> None:
    with TemporaryDirectory() as folder:
        for n, exported in enumerate(histories):
            Path(folder, f"{n}.json").write_text(exported)
        assert_replays(app, folder)  # law 4


class World:
    """What a case sees: a client, and time.

    Attributes:
        key: a text of the case's own, by which adapters and steps note what they do in `LOG`.
        started: the executions that it began.
    """

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self.client = stage.client
        self.host = stage.host
        self.key = f"{stage.host.name}-{id(stage)}-{name}"
        self.started: list[str] = []

    @property
    def log(self) -> list[Any]:
        """What was noted under the case's key."""
        return LOG[self.key]

    async def start(self, flow: Workflow[In, Out], request: In, **options: Any) -> Handle[Out]:
        """Start an execution, and let all happen that happens without time."""
        handle = await self.begin(flow, request, **options)
        await self.settled()
        return handle

    async def begin(self, flow: Workflow[In, Out], request: In, **options: Any) -> Handle[Out]:
        """Start an execution, without waiting for anything."""
        handle = await self.client.start(flow, request, **options)
        self._stage.watch(handle.execution_id)
        self.started.append(handle.execution_id)
        return handle

    async def run(self, flow: Workflow[In, Out], request: In, **options: Any) -> Out:
        """The result of a new execution."""
        return await self.result(await self.begin(flow, request, **options))

    async def result(self, handle: Handle[Out]) -> Out:
        """The result of an execution; time passes until there is one."""
        await self._stage.wait("end", handle.execution_id)
        return await handle.result()

    async def fails(self, flow: Workflow[In, Any], request: In) -> ExecutionFailed:
        """The error that ends a new execution."""
        return await self.failure(await self.begin(flow, request))

    async def failure(self, handle: Handle[Any]) -> ExecutionFailed:
        """The error that ends an execution."""
        try:
            result = await self.result(handle)
        except ExecutionFailed as error:
            return error
        raise AssertionError(f"it did not fail: {result!r}")

    async def blocked(self, flow: Workflow[In, Any], request: In) -> str:
        """Why a new execution is BLOCKED; it is ended then, and is none of those that replay."""
        handle = await self.start(flow, request)
        self.started.remove(handle.execution_id)
        header = await self.header(handle)
        assert header.status is Status.BLOCKED, header
        await handle.terminate("its code is wrong, which was the point of it")
        return header.reason

    async def settled(self) -> None:
        """Until nothing is left to do but to wait for time, or for a case."""
        await self._stage.wait("rest")

    async def at(self, moment: timedelta) -> None:
        """Until so much time has passed since the family began."""
        await self.until(self._stage.since + round(moment / timedelta(milliseconds=1)))
        await self.settled()

    async def until(self, moment: int) -> None:
        """Until this millisecond since the epoch; what is due then may still be to come."""
        await self._stage.wait("moment", moment)

    async def header(self, handle: Handle[Any]) -> Header:
        """Where an execution stands."""
        return await self.client.describe(handle.execution_id)

    async def refused(self, attempt: Awaitable[Any], kind: type[BaseException]) -> str:
        """The words of the error that an attempt is refused with."""
        try:
            await attempt
        except kind as error:
            return str(error)
        raise AssertionError(f"it was not refused with {kind.__name__}")
