"""The strict guard: what user code may not call, and everything else that it must let pass."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import cProfile
import datetime
import importlib
import io
import linecache
import logging
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date
from datetime import datetime as dt
from pathlib import Path
from random import randint as roll
from time import time as clock
from types import FrameType, ModuleType
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from lambda_workflow.errors import NonDeterministicCall
from lambda_workflow.replay.places import shown_path
from lambda_workflow.runtime.guard import Guard
from tests.patience import patience
from tests.runtime.guarded_calls import ELSEWHERE

NOW, SLEEP = "`ctx.now()`", "`await ctx.sleep(...)`"
RANDOM, UUID, STEP = "`ctx.random`", "`ctx.uuid()`", "`await ctx.step(fn)`"

HERE = shown_path(__file__)


class Moment(dt):
    """A user's own subclass."""


@dataclass
class Ticket:
    id: uuid.UUID = field(default_factory=uuid4)


@dataclass
class Stamp:
    at: float = field(default_factory=time.time)


def connect(plug: socket.socket) -> None:
    with plug:
        plug.connect(("127.0.0.1", 9))


def generated() -> Iterator[float]:
    yield time.time()


SYSTEM_DICE = random.SystemRandom()
POOL = ThreadPoolExecutor(1)  # starts its thread at the first submit, which never comes

REFUSED: list[tuple[Callable[[], Any], str, str]] = [
    *ELSEWHERE,
    (lambda: time.time(), "`time.time()`", NOW),
    (lambda: clock(), "`time.time()`", NOW),
    (lambda: time.time_ns(), "`time.time_ns()`", NOW),
    (lambda: time.monotonic(), "`time.monotonic()`", NOW),
    (lambda: time.monotonic_ns(), "`time.monotonic_ns()`", NOW),
    (lambda: time.perf_counter(), "`time.perf_counter()`", NOW),
    (lambda: time.process_time(), "`time.process_time()`", NOW),
    (lambda: time.sleep(0), "`time.sleep()`", SLEEP),
    (lambda: dt.now(UTC), "`datetime.now()`", NOW),
    (lambda: datetime.datetime.now(tz=UTC), "`datetime.now()`", NOW),
    (lambda: Moment.now(UTC), "`datetime.now()`", NOW),
    (lambda: dt.today(), "`date.today()`", NOW),  # noqa: DTZ002 - is what is tested
    (lambda: date.today(), "`date.today()`", NOW),  # noqa: DTZ011 - is what is tested
    (lambda: random.random(), "`random.random()`", RANDOM),
    (lambda: random.randint(1, 6), "`random.randint()`", RANDOM),
    (lambda: roll(1, 6), "`random.randint()`", RANDOM),
    (lambda: random.choice([1]), "`random.choice()`", RANDOM),
    (lambda: random.shuffle([1]), "`random.shuffle()`", RANDOM),
    (lambda: random.uniform(0, 1), "`random.uniform()`", RANDOM),
    (lambda: random.getrandbits(8), "`random.getrandbits()`", RANDOM),
    (lambda: random.seed(7), "`random.seed()`", RANDOM),
    (lambda: random.Random(), "`random.Random()`", RANDOM),
    (lambda: random.Random(7).seed(), "`random.seed()`", RANDOM),
    (lambda: random.SystemRandom(), "`random.Random()`", RANDOM),
    (lambda: SYSTEM_DICE.random(), "`random.random()`", RANDOM),
    (lambda: SYSTEM_DICE.randint(1, 6), "`random.randint()`", RANDOM),
    (lambda: os.urandom(8), "`os.urandom()`", RANDOM),
    (lambda: secrets.token_hex(), "`secrets.token_hex()`", RANDOM),
    (lambda: secrets.randbelow(9), "`secrets.randbelow()`", RANDOM),
    (lambda: secrets.choice([1]), "`random.choice()`", RANDOM),
    (lambda: secrets.randbits(9), "`random.getrandbits()`", RANDOM),
    (lambda: uuid.uuid1(), "`uuid.uuid1()`", UUID),
    (lambda: uuid4(), "`uuid.uuid4()`", UUID),
    (lambda: Ticket(), "`uuid.uuid4()`", UUID),
    (lambda: Stamp(), "`time.time()`", NOW),
    (lambda: list(map(roll, [1], [6])), "`random.randint()`", RANDOM),
    (lambda: next(generated()), "`time.time()`", NOW),
    (lambda: open(__file__), "`open()`", STEP),  # noqa: SIM115 - never opens
    (lambda: io.open(__file__), "`open()`", STEP),  # noqa: SIM115, UP020 - never opens
    (lambda: os.open(__file__, os.O_RDONLY), "`os.open()`", STEP),
    (lambda: Path(__file__).read_text(), "`Path.read_text()`", STEP),
    (lambda: Path(__file__).open(), "`Path.open()`", STEP),  # noqa: SIM115 - never opens
    (lambda: builtins.input(), "`input()`", STEP),
    (lambda: connect(socket.socket()), "`socket.connect()`", STEP),
    (lambda: socket.create_connection(("127.0.0.1", 9)), "`socket.create_connection()`", STEP),
    (lambda: urllib.request.urlopen("http://127.0.0.1:9"), "`socket.getaddrinfo()`", STEP),
    (lambda: subprocess.run(["true"], check=True), "`subprocess.run()`", STEP),
    (lambda: subprocess.Popen(["true"]), "`subprocess.Popen()`", STEP),
    (lambda: os.system("true"), "`os.system()`", STEP),
    (lambda: threading.Thread(target=print).start(), "`Thread.start()`", STEP),
    (lambda: POOL.submit(print), "`ThreadPoolExecutor.submit()`", STEP),
]  # fmt: skip


def refusal_of(call: Callable[[], Any], guard: Guard | None = None) -> NonDeterministicCall | None:
    """What the guard refuses in a call, if anything."""
    guard = guard or Guard()
    raised = None
    try:
        with guard:
            call()
    except NonDeterministicCall as refused:
        raised = refused
    assert guard.refused is raised
    assert sys.getprofile() is None
    return raised


def line_of(function: Callable[..., Any], offset: int = 0) -> str:
    path = shown_path(function.__code__.co_filename)
    return f"{path}:{function.__code__.co_firstlineno + offset}"


@pytest.mark.parametrize(
    ("call", "name", "advice"), REFUSED, ids=[name.strip("`") for _, name, _ in REFUSED]
)
def test_what_replay_cannot_repeat_is_refused(
    call: Callable[[], Any], name: str, advice: str
) -> None:
    message = str(refusal_of(call))
    assert f" calls {name}, which " in message
    assert message.endswith(f"{advice}")
    inner = {"generated": line_of(generated, 1), "connect": line_of(connect, 2)}
    lines = [line for name, line in inner.items() if name in call.__code__.co_names]
    assert message.startswith(f"{(lines or [line_of(call)])[0]} calls ")


def test_the_message_reads_as_it_should() -> None:
    assert str(refusal_of(lambda: clock())) == (
        f"{HERE}:{sys._getframe().f_lineno - 1} calls `time.time()`, which asks the clock: "
        "replay would get another answer. Use `ctx.now()`"
    )


class Dice(random.Random):
    """Stands for the execution's own."""


class Shout(logging.Handler):
    """A user's handler: what it does is for the eyes of operators, not for the workflow."""

    def emit(self, record: logging.LogRecord) -> None:
        self.seen = (time.time(), uuid4(), record.getMessage())


def log_something() -> None:
    logger = logging.getLogger("tests.guard")
    handler = Shout()
    logger.addHandler(handler)
    try:
        logger.warning("it is %s", "late")
    finally:
        logger.removeHandler(handler)
    assert handler.seen[2] == "it is late"


OWN_DICE = Dice(7)

ALLOWED: list[Callable[[], Any]] = [
    log_something,
    lambda: logging.getLogger("tests.guard").info("quiet"),
    lambda: dt.fromisoformat("2026-01-01") + datetime.timedelta(1),
    lambda: dt.fromtimestamp(0, UTC),
    lambda: time.gmtime(0),
    lambda: time.strftime("%Y", time.gmtime(0)),
    lambda: OWN_DICE.random() + OWN_DICE.randint(1, 6) + OWN_DICE.choice([1]),
    lambda: OWN_DICE.shuffle([1, 2, 3]),
    lambda: OWN_DICE.getrandbits(8),
    lambda: random.Random(7).random(),
    lambda: uuid.uuid5(uuid.NAMESPACE_DNS, "example.com"),
    lambda: ZoneInfo.no_cache("Europe/Berlin"),
    lambda: linecache.updatecache(__file__),
    lambda: importlib.reload(importlib.import_module("this_month")),
    lambda: asyncio.Queue[int]().put_nowait(1),
    lambda: threading.Lock().acquire(),
    lambda: io.StringIO("text").read(),
    lambda: subprocess.list2cmdline(["a"]),
]


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user that reads the clock at its top, and an installed library that does."""
    source = "import time, socket\nSTART = time.time()\ndef now(): return time.time()\n"
    fetch = "def fetch(): socket.create_connection(('127.0.0.1', 9))\n"
    installed = tmp_path / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (tmp_path / "this_month.py").write_text(source)
    (installed / "some_client.py").write_text(source + fetch)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(installed)
    for name in ("this_month", "some_client"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return installed


@pytest.mark.parametrize("call", ALLOWED, ids=range(len(ALLOWED)))
def test_what_replay_repeats_or_libraries_do_is_allowed(call: Callable[[], Any]) -> None:
    assert refusal_of(call) is None


def test_an_installed_library_may_read_the_clock_but_not_reach_the_network() -> None:
    library: Any = importlib.import_module("some_client")
    assert refusal_of(lambda: library.now()) is None
    refused = refusal_of(lambda: library.fetch())
    assert f"{HERE}:{sys._getframe().f_lineno - 1} calls `socket.getaddrinfo()`" in str(refused)


def test_an_installed_workflow_can_be_declared_the_users_own(modules: Path) -> None:
    library: Any = importlib.import_module("some_client")
    guard = Guard(own=[str(modules / "some_client.py")])
    assert "some_client.py:3 calls `time.time()`" in str(refusal_of(lambda: library.now(), guard))


def test_code_of_no_file_is_judged_by_the_module_it_is_made_for() -> None:
    namespace: dict[str, Any] = {"time": time, "__name__": "sketch"}
    exec("def now(): return time.time()", namespace)
    assert refusal_of(lambda: namespace["now"]()) is not None
    frozen: Any = sys.modules["importlib._bootstrap"]
    assert refusal_of(lambda: frozen._find_spec("no_such_module", None)) is None


def drained(coroutine: Coroutine[Any, Any, Any], guard: Guard) -> None:
    """Runs a coroutine as far as it goes, as a turn does."""
    with guard:
        coroutine.send(None)


@pytest.mark.parametrize("depth", [0, 1, 30])
def test_it_watches_coroutines_between_their_awaits(depth: int) -> None:
    async def work(depth: int) -> None:
        if depth:
            return await work(depth - 1)
        await asyncio.sleep(0)
        time.time()
        raise AssertionError("the clock was asked")

    guard, coroutine = Guard(), work(depth)
    drained(coroutine, guard)
    assert guard.refused is None
    time.time()  # between two drains nobody watches
    with pytest.raises(NonDeterministicCall, match=r"calls `time\.time\(\)`"):
        drained(coroutine, guard)


def test_a_swallowed_refusal_is_kept_until_the_next_enter() -> None:
    guard = Guard()
    with guard:
        with contextlib.suppress(NonDeterministicCall):
            time.time()
        uuid4()  # the interpreter has stopped the watch
    assert "`time.time()`" in str(guard.refused)
    with guard:
        pass
    assert guard.refused is None
    assert refusal_of(lambda: uuid4(), guard) is not None


def test_it_is_quiet_outside_and_after() -> None:
    guard = Guard()
    for _ in range(1000):
        with guard:
            pass
    time.time()
    with pytest.raises(ZeroDivisionError), guard:
        _ = 1 / 0
    time.time()
    assert sys.getprofile() is None


def test_an_earlier_profile_function_is_put_back() -> None:
    seen: list[str] = []

    def profile(frame: FrameType, event: str, arg: object) -> None:
        seen.append(frame.f_code.co_name)

    def refused_work() -> None:
        time.time()

    guard = Guard()
    sys.setprofile(profile)
    try:
        with pytest.raises(NonDeterministicCall), guard:
            refused_work()
        assert sys.getprofile() is profile
        line_of(refused_work)
    finally:
        sys.setprofile(None)
    assert "refused_work" not in seen
    assert "line_of" in seen


def test_a_profiler_in_c_is_left_alone() -> None:
    def work() -> None:
        len(str(1))

    guard = Guard()
    profiler = cProfile.Profile()
    profiler.enable()
    try:
        with guard:
            work()
        line_of(work)
    finally:
        profiler.disable()
    called = {
        entry.code.co_name for entry in profiler.getstats() if not isinstance(entry.code, str)
    }
    assert {"work", "line_of"} <= called
    assert sys.getprofile() is None


def test_it_works_beside_a_trace_function() -> None:
    """As coverage and debuggers set one."""
    lines: list[int] = []

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        time.time()
        lines.append(frame.f_lineno)
        return trace

    def work() -> float:
        number = 1
        number += 1
        return time.time() + number

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        refused = refusal_of(work)
    finally:
        sys.settrace(before)
    first = work.__code__.co_firstlineno
    assert str(refused).startswith(f"{HERE}:{first + 3} calls `time.time()`")
    assert {first + 1, first + 2, first + 3} <= set(lines)


def test_other_threads_are_not_watched() -> None:
    entered, asked = threading.Event(), threading.Event()
    answers: list[float] = []

    def ask() -> None:
        entered.wait(patience(10))
        answers.append(time.time())
        asked.set()

    thread = threading.Thread(target=ask)
    thread.start()
    with Guard():
        entered.set()
        while not asked.is_set():
            pass
    thread.join()
    assert len(answers) == 1


def test_a_module_that_only_looks_like_one_is_no_clock() -> None:
    fake: Any = ModuleType("time")
    fake.time = lambda: 5
    assert refusal_of(lambda: fake.time()) is None
