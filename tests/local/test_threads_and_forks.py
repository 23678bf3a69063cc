"""An engine's clients in several threads, and in a process that was forked off."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lambda_workflow import (
    App,
    Client,
    Context,
    ExecutionAlreadyStarted,
    Signal,
    Update,
    WorkflowError,
    workflow,
)
from lambda_workflow.errors import BackendError
from lambda_workflow.local import Engine, SqliteFile
from lambda_workflow.local.ends import Ends
from tests.patience import patience, patient

GO = Signal("go", int)
PUT = Update("put", int, int)
LONG = patient(30)


@workflow
async def double(ctx: Context, n: int) -> int:
    return 2 * n


@workflow
async def waits(ctx: Context, n: int) -> int:
    return n + await ctx.wait_signal(GO)


@workflow
async def sums(ctx: Context, n: int) -> int:
    async for put in ctx.updates(PUT):
        n += put.payload
        put.respond(n)
    return n


APP = App("threads", workflows=[double, waits, sums])


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come about")


def in_a_child(act: Callable[[], object]) -> str:
    """What an action raises in a forked process, which must end in seconds."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        try:
            told = f"returned {act()}"
        except BaseException as error:  # noqa: BLE001  # the parent looks at it
            told = f"{type(error).__name__}: {error}"
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


async def test_one_door_serves_many_threads_at_once() -> None:
    async with Engine(APP, ":memory:") as engine:
        assert engine.client.sync is engine.client.sync
        door = engine.client.sync

        def work(n: int) -> int:
            started = door.start(double, n)
            result: int = door.result(started, timeout=LONG)
            return result

        with ThreadPoolExecutor(12) as threads:
            loop = asyncio.get_running_loop()
            held = loop.run_in_executor(threads, door.start, waits, 1)
            waiting = loop.run_in_executor(threads, door.result, await held)
            results = await asyncio.gather(
                *(loop.run_in_executor(threads, work, n) for n in range(60))
            )
            assert results == [2 * n for n in range(60)]
            assert not waiting.done()  # the long wait of one thread held up none of the others
            await loop.run_in_executor(threads, door.signal, await held, GO, 4)
            assert await waiting == 5


async def test_a_wait_in_another_threads_loop_is_told_of_the_end_at_once() -> None:
    ends, begun = Ends(), time.monotonic()
    waits_far = asyncio.ensure_future(asyncio.to_thread(asyncio.run, ends.wait("x", 60)))
    waits_here = asyncio.ensure_future(ends.wait("x", 60))
    await until(lambda: len(ends._waiting.get("x", ())) == 2)
    ends.tell("x")
    await asyncio.gather(waits_far, waits_here)
    await ends.wait("y", 0.001)
    assert time.monotonic() - begun < 30
    assert not ends._waiting


async def test_threads_that_start_one_id_are_told_who_was_first() -> None:
    async with Engine(APP, ":memory:") as engine:
        door, line = engine.client.sync, threading.Barrier(8)

        def work(n: int) -> object:
            line.wait()
            try:
                started = door.start(double, n, execution_id="one", on_conflict="fail")
                assert isinstance(started, str)
                return door.result(started, timeout=LONG)
            except ExecutionAlreadyStarted:
                return None

        with ThreadPoolExecutor(8) as threads:
            loop = asyncio.get_running_loop()
            ends = await asyncio.gather(*(loop.run_in_executor(threads, work, n) for n in range(8)))
        (n,) = [n for n, end in enumerate(ends) if end is not None]
        assert ends[n] == 2 * n


async def test_the_door_starts_with_an_update() -> None:
    async with Engine(APP, ":memory:") as engine:
        door = engine.client.sync
        started, reply = await asyncio.to_thread(
            door.start_with_update, sums, 1, PUT, 2, execution_id="s"
        )
        assert (started, reply) == ("s", 3)
        assert await asyncio.to_thread(door.update, started, PUT, 2) == 5


def test_a_door_that_nobody_closed_ends_its_thread(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "file.db")
    client = Client(APP, file.backend)
    client.sync.list()
    (thread,) = [one for one in threading.enumerate() if one.name == "lambda-workflow client"]
    del client
    gc.collect()
    thread.join(patience(10))
    assert not thread.is_alive()
    file.close()


def test_ctrl_c_ends_a_wait_of_the_door(tmp_path: Path) -> None:
    """A wait of the main thread is broken off, and the door goes on."""
    file = SqliteFile(tmp_path / "file.db")
    client = Client(APP, file.backend)
    started = client.sync.start(double, 1)
    main = threading.get_ident()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            client.sync.result(started)
    finally:
        signal.signal(signal.SIGINT, before)
    assert client.sync.list().headers == []
    client.sync.close()
    file.close()


# after a fork


async def test_an_engines_client_is_refused_in_a_forked_process() -> None:
    async with Engine(APP, ":memory:") as engine:
        client = engine.client
        await client.start(double, 1, execution_id="d")
        told = await asyncio.to_thread(in_a_child, lambda: asyncio.run(client.describe("d")))
        assert told.startswith("BackendError: :memory: was opened by process ")
        assert "Enter the Engine, or make the client, after it" in told
        assert await client.result("d") == 2  # the parent goes on


def test_the_door_is_refused_after_a_fork_unless_it_is_used_first_there(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "file.db")
    client = Client(APP, file.backend)
    assert "BackendError" in in_a_child(client.sync.list)
    client.sync.list()
    told = in_a_child(client.sync.list)
    assert told.startswith("WorkflowError: `client.sync` was used by process ")
    assert "make the client after the fork" in told
    assert in_a_child(file.close) == "returned None"  # and waits for no thread
    with pytest.raises(WorkflowError):
        asyncio.run(_within_a_loop(client))
    client.sync.close()
    file.close()


def test_a_file_that_is_opened_after_the_fork_is_the_childs_own(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    SqliteFile(path).close()

    def act() -> int:
        file = SqliteFile(path)
        client = Client(APP, file.backend)
        client.sync.start(double, 1)
        client.sync.close()
        file.close()
        return 1

    assert in_a_child(act) == "returned 1"


async def _within_a_loop(client: Client) -> None:
    client.sync.list()


def test_a_closed_file_says_so(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "file.db")
    client = Client(APP, file.backend)
    file.close()
    with pytest.raises(BackendError, match="is closed"):
        client.sync.list()
    client.sync.close()
