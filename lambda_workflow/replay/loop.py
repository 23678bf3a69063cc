"""The deterministic event loop that workflow code runs on.

Laws
 1. It has a ready queue and a virtual time, nothing else: no thread, no socket, no clock.
 2. What is ready runs in the order in which it became ready, until nothing is.
 3. Time stands still while code runs; it moves when a fact is fed.
 4. Tasks and futures hash by the order of their creation, so that a set of them has one order.
 5. A task's path is its parent's path and its number among its siblings; an operation's id is the
    path of its task and its number within the task. Other branches cannot shift it.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context as Variables
from dataclasses import dataclass
from itertools import count
from math import ceil
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar
from weakref import WeakSet

from lambda_workflow.errors import LimitExceeded, UsageError
from lambda_workflow.model.events import SEMANTICS
from lambda_workflow.replay.asyncio_frames import asyncio_caller
from lambda_workflow.replay.closing import finish

if TYPE_CHECKING:
    from lambda_workflow.replay.tools import Guards

T = TypeVar("T")

STEPS_PER_DRAIN_MAX: Final = 10_000_000  # a loop that never waits is a bug; this is minutes of it


class Path:
    """Where a task stands in the tree, and what it has numbered so far."""

    __slots__ = ("children", "name", "operations")

    def __init__(self, name: str) -> None:
        self.name = name
        self.operations = 0
        self.children = 0

    def operation(self) -> str:
        """The id of the next operation of this task."""
        self.operations += 1
        return f"{self.name}{self.operations}"

    def child(self) -> Path:
        """The path of the next task that this one starts."""
        self.children += 1
        return Path(f"{self.name}{self.children}.")


class OrderedFuture(asyncio.Future[T]):
    """A future that hashes by creation order (law 4)."""

    def __init__(self, loop: Loop) -> None:
        self._order = loop.next_order()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._order


class OrderedTask(asyncio.Task[T]):
    """A task that hashes by creation order (law 4) and knows its path (law 5)."""

    branch: str | None = None  # see `origins`; None until it is asked for
    is_main = False
    site: Any = None  # where the code has started it

    def __init__(self, coro: Any, loop: Loop, path: Path, context: Variables | None) -> None:
        self._order = loop.next_order()
        self.path = path
        super().__init__(coro, loop=loop, name=path.name.rstrip(".") or "main", context=context)

    def __hash__(self) -> int:
        return self._order


async def _waiting(future: OrderedFuture[T]) -> T:
    return await future


class DurableHandle(asyncio.TimerHandle):
    """A callback at a virtual time; the operation it belongs to outlives the process."""

    def __init__(
        self, when: float, call: tuple[Callable[..., object], tuple[Any, ...]], loop: Loop,
        context: Variables | None,
    ) -> None:  # fmt: skip
        super().__init__(when, *call, loop, context)
        self.operation = ""
        self._scheduled = False  # asyncio's own name: whether cancelling has to be told
        self.due = ceil(round(when * 1000, 3))


@dataclass(frozen=True, slots=True)
class _Batch:
    """The tasks that one `as_completed` starts, by their place in the caller's list."""

    frame: FrameType
    paths: list[Path]
    handles: dict[int, asyncio.Handle]


class TimerKeeper(Protocol):
    """Who keeps the loop's timers: the execution."""

    def timer_started(self, handle: DurableHandle, path: Path) -> None: ...
    def timer_cancelled(self, handle: DurableHandle) -> None: ...
    def task_started(self, task: OrderedTask[Any]) -> None: ...


class Loop(asyncio.AbstractEventLoop):
    """See the module's laws. One per execution; driven by `drain`, never by `run_forever`."""

    def __init__(self, keeper: TimerKeeper) -> None:
        self.ready: deque[asyncio.Handle] = deque()
        self.now = 0  # milliseconds since the epoch
        self.tasks: dict[OrderedTask[Any], None] = {}
        self.scoped: WeakSet[asyncio.Task[Any]] = WeakSet()  # those that anyio knows
        self.root = Path("")
        self.callbacks = Path("_.")  # operations that callbacks start, outside of any task
        self.stopped = False
        self.frozen = False
        self.complaints: list[dict[str, Any]] = []
        self.semantics = SEMANTICS  # of the execution, as its start recorded it
        self._keeper = keeper
        self.next_order = count(1).__next__  # the creation number of a task or future
        self._batch: _Batch | None = None
        self._draining = False
        self.guard: Guards | None = None  # around the code that drains, paused but for its steps

    def path(self) -> Path:
        """The path of the task that is running; what a frozen loop numbers counts nowhere."""
        if self.frozen:
            return Path("~")
        task = asyncio.current_task(self)
        return task.path if isinstance(task, OrderedTask) else self.callbacks

    def operation(self) -> str:
        """The id of the operation that the running code starts.

        Raises:
            UsageError: see `check_caller`.
        """
        if asyncio._get_running_loop() is not self:  # the usual case costs no call
            self.check_caller()
        return self.path().operation()

    def check_caller(self) -> None:
        """Whether it is this workflow's code that runs: the one place that refuses all other code.

        Raises:
            UsageError: it is a step, another thread, or whoever kept the context for later.
        """
        if asyncio._get_running_loop() is not self:
            raise UsageError(
                "the context was used outside of its workflow's code, such as inside of a step, in "
                "another thread, or after the execution has ended: a step takes values and returns "
                "one; ask the context in the workflow itself, and hand over what it says"
            )

    def drain(self) -> None:
        """Run what is ready until nothing is, or until `stopped`.

        Raises:
            LimitExceeded: the code does not come to rest.
        """
        before = asyncio._get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(firstiter=None, finalizer=self._finish_generator)
        self._draining = True
        try:
            ready, guard = self.ready, self.guard
            for _ in range(STEPS_PER_DRAIN_MAX):
                if not ready or self.stopped:
                    return
                handle = ready.popleft()
                if not handle.cancelled():
                    if guard is not None:
                        guard.resume()
                    handle._run()
                    if guard is not None:  # after an error `drain` is not asked again
                        guard.pause()
                del handle  # else an exception's frames hold its task, and nobody hears of it
            raise LimitExceeded(
                f"the workflow ran {STEPS_PER_DRAIN_MAX} steps without waiting for anything: "
                "look for a loop that awaits nothing durable"
            )
        finally:
            self._draining = False
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(before)

    def run_here(self, code: Callable[[], None]) -> None:
        """Run code of the workflow that no task runs, such as a condition."""
        before, guard = asyncio._get_running_loop(), self.guard
        asyncio._set_running_loop(self)
        if guard is not None:
            guard.resume()
        try:
            code()
        finally:
            if guard is not None:
                guard.pause()
            asyncio._set_running_loop(before)

    # what asyncio and anyio call

    def time(self) -> float:
        """Virtual time, in seconds since the epoch."""
        return self.now / 1000

    def call_soon(  # type: ignore[override]  # TypeVarTuples say no more here
        self, callback: Callable[..., object], *args: Any, context: Variables | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # TypeVarTuples say no more here
        self, delay: float, callback: Callable[..., object], *args: Any,
        context: Variables | None = None,
    ) -> asyncio.TimerHandle:  # fmt: skip
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # TypeVarTuples say no more here
        self, when: float, callback: Callable[..., object], *args: Any,
        context: Variables | None = None,
    ) -> asyncio.TimerHandle:  # fmt: skip
        if when == float("inf"):
            return DurableHandle(0, (callback, args), self, context)
        handle = DurableHandle(when, (callback, args), self, context)
        if handle.due <= self.now:
            self.ready.append(handle)
        elif not self.frozen:
            handle._scheduled = True
            self._keeper.timer_started(handle, self.path())
        return handle

    def fire(self, handle: DurableHandle) -> None:
        """A timer's time has come: its callback is ready."""
        self.now = max(self.now, handle.due)
        handle._scheduled = False
        self.ready.append(handle)

    def create_future(self) -> asyncio.Future[Any]:
        return OrderedFuture(self)

    def create_task(
        self, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], *,
        name: object = None, context: Variables | None = None, **_: Any,
    ) -> asyncio.Task[T]:  # fmt: skip
        if isinstance(coro, OrderedFuture):
            coro = _waiting(coro)  # `group.create_task(ctx.call(…))`, which reads so well
        task: OrderedTask[T] = OrderedTask(coro, self, self._path_for(coro), context)
        if name is not None:
            task.set_name(name)
        self.tasks[task] = None
        self._keeper.task_started(task)
        task.add_done_callback(self._forget)
        self._start_in_order(task.path)
        return task

    def _start_in_order(self, path: Path) -> None:
        """Tasks of one `as_completed` begin in the order of their paths, not of a set."""
        if self._batch is None or path not in self._batch.paths:
            return
        paths, handles = self._batch.paths, self._batch.handles
        handles[paths.index(path)] = self.ready.pop()
        for _ in range(len(handles) - 1):
            self.ready.pop()
        self.ready.extend(handles[place] for place in sorted(handles))
        if len(handles) == len(paths):
            self._batch = None

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self.tasks.pop(task, None)  # type: ignore[call-overload]  # only our own tasks come here
        if getattr(task, "_log_traceback", False):  # asyncio's own mark: it may yet be awaited
            self.call_exception_handler({"future": task})

    def _path_for(self, coro: Any) -> Path:
        """The new task's path; asyncio's own wrapping must not show in it.

        `wait_for` wraps a coroutine in a task on Python 3.11 only: there it keeps its parent's
        path. `as_completed` starts bare coroutines in the order of a set, which is that of memory
        addresses: they are numbered by their place in the caller's sequence instead.
        """
        parent = self.path()
        frame = asyncio_caller()
        if frame is None:
            return parent.child()
        if frame.f_code.co_name == "wait_for":
            return parent
        given = frame.f_locals.get("fs", frame.f_locals.get("aws"))
        if not isinstance(given, list | tuple):
            raise TypeError(
                "asyncio.as_completed over coroutines that are not in a list has no stable order: "
                "pass a list, or start the calls before"
            )
        if self._batch is None or self._batch.frame is not frame:
            self._batch = _Batch(frame, [parent.child() for _ in given], {})
        place = next(n for n, one in enumerate(given) if one is coro)
        return self._batch.paths[place]

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None: ...

    def get_task_factory(self) -> None:
        return None

    def is_running(self) -> bool:
        return self._draining

    def is_closed(self) -> bool:
        return self.frozen

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if isinstance(handle, DurableHandle) and handle._scheduled:
            handle._scheduled = False
            self._keeper.timer_cancelled(handle)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep asyncio's complaint (an exception that nobody looked at) for the host to tell."""
        if len(self.complaints) < 100:
            self.complaints.append(context)

    default_exception_handler = call_exception_handler

    def get_exception_handler(self) -> None:
        return None

    def _finish_generator(self, generator: Any) -> None:
        """Close an async generator that code has left, or that the collector has found.

        When that happens is no matter of the code alone, so it must have no effect: see `finish`.
        Executions of semantics 1 closed it in a task of its own.
        """
        if self.frozen:
            return
        if self.semantics < 2:
            self.call_soon(self.create_task, generator.aclose(), context=Variables())
        elif not finish(self, generator.aclose()):
            code = generator.ag_code
            self.call_exception_handler(
                {
                    "message": f"async generator {generator.__qualname__} ({code.co_filename}:"
                    f"{code.co_firstlineno}) was left before its end, and it awaits something "
                    "while it closes, which is not done: iterate over it in `async with "
                    "contextlib.aclosing(…)`"
                }
            )


_REFUSED: Final = {
    "a thread": ("run_in_executor", "call_soon_threadsafe"),
    "an event loop of its own": ("run_forever", "run_until_complete"),
    "the network": (
        "getaddrinfo", "getnameinfo", "create_connection", "create_server",
        "create_datagram_endpoint", "start_tls", "sendfile",
    ),
    "a socket": (
        "create_unix_connection", "create_unix_server", "connect_accepted_socket", "sock_connect",
        "sock_accept", "sock_recv", "sock_recv_into", "sock_sendall", "sock_sendfile",
    ),
    "a process": ("subprocess_exec", "subprocess_shell", "connect_read_pipe", "connect_write_pipe"),
    "signals": ("add_signal_handler", "remove_signal_handler"),
    "files": ("add_reader", "remove_reader", "add_writer", "remove_writer"),
}  # fmt: skip
"""What would not be there on the next replay, and the methods of an event loop that give it."""


def _refusing(what: str, method: str) -> Callable[..., NoReturn]:
    def refuse(self: Loop, *args: Any, **kwargs: Any) -> NoReturn:
        refuse_replay(f"{what} (`{method}`)")

    return refuse


for _what, _methods in _REFUSED.items():
    for _method in _methods:
        setattr(Loop, _method, _refusing(_what, _method))


def refuse_replay(what: str) -> NoReturn:
    raise UsageError(
        f"workflow code asked for {what}, which a replay cannot repeat: put the work into "
        "`await ctx.step(function)` or into a service"
    )
