"""What workflow code may not call, and what it can call instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from types import FunctionType
from typing import Any, Final

_CLOCK: Final = "asks the clock: replay would get another answer. Use `ctx.now()`"
_SLEEP: Final = "blocks the worker and every execution in it. Use `await ctx.sleep(...)`"
_RANDOM: Final = "rolls dice: replay would get another number. Use `ctx.random`"
_UNSEEDED: Final = "is seeded by chance: replay would get other numbers. Use `ctx.random`"
_UUID: Final = "makes an id by chance: replay would get another one. Use `ctx.uuid()`"
_IO: Final = "does I/O: replay would do it again. Do it once, in `await ctx.step(fn)`"
_ENVIRONMENT: Final = (
    "reads the environment: another worker or a later deployment may have another value. Read it "
    "where the module is imported, or in `await ctx.step(fn)`"
)
_MACHINE: Final = "differs from machine to machine, and so between two replays. Ask in a step"
_WAIT: Final = (
    "may block the worker and every execution in it. Use asyncio's own, such as `asyncio.Lock`, or "
    "`await ctx.step(fn)`"
)
_PRINT: Final = "is done again at each replay. Use `ctx.logger.info(...)`, which is silent then"
_THREAD: Final = "starts a thread: replay cannot repeat its timing. Use `await ctx.step(fn)`"


@dataclass(frozen=True, slots=True)
class Rule:
    """One forbidden call.

    Attributes:
        words: the call, why it is refused, and what to use.
        holds: tells this call from others of its name; is given the builtin function itself, or
            the arguments of a Python function.
        however_deep: refused in library code as well, where user code called that.
        allowed: it is told, and not refused: it changes nothing that the code decides.
    """

    words: str
    holds: Callable[[Any], bool]
    however_deep: bool = False
    allowed: bool = False


@cache
def rules() -> tuple[dict[str, list[Rule]], dict[int, Rule]]:
    """The rules for builtin functions by name, and for Python functions by the id of their code."""
    of_name: dict[str, list[Rule]] = {}
    of_code: dict[int, Rule] = {}
    for name, rule in [*_clocks(), *_dice(), *_files(), *_network(), *_waits(), *_output()]:
        of_name.setdefault(name, []).append(rule)
    of_python = [*_python_dice(), *_python_calls(), *_python_waits(), *_environment()]
    for function, rule in of_python:
        of_code[id(function.__code__)] = rule
    return of_name, of_code


def _rule(call: str, why: str, holds: Callable[[Any], bool]) -> Rule:
    return Rule(f"`{call}()`, which {why}", holds)


def _is(function: Any) -> Callable[[Any], bool]:
    return lambda called: called is function


def _always(_: Any) -> bool:
    return True


def _clocks() -> list[tuple[str, Rule]]:
    import datetime
    import time

    kinds = ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
    names = [name for kind in kinds for name in (kind, f"{kind}_ns") if hasattr(time, name)]
    found = [(name, _rule(f"time.{name}", _CLOCK, _is(getattr(time, name)))) for name in names]
    found.append(("sleep", _rule("time.sleep", _SLEEP, _is(time.sleep))))

    def is_of_date(called: Any) -> bool:
        return isinstance(called.__self__, type) and issubclass(called.__self__, datetime.date)

    calls = {"now": "datetime.now", "utcnow": "datetime.utcnow", "today": "date.today"}
    return found + [(name, _rule(call, _CLOCK, is_of_date)) for name, call in calls.items()]


def _dice() -> list[tuple[str, Rule]]:
    import os
    import random

    shared: Any = random.random
    found = [
        (name, _rule(f"random.{name}", _RANDOM, lambda called: called.__self__ is shared.__self__))
        for name in ("random", "getrandbits")
    ]
    names = [name for name in ("urandom", "getrandom") if hasattr(os, name)]
    return found + [(name, _rule(f"os.{name}", _RANDOM, _is(getattr(os, name)))) for name in names]


def _files() -> list[tuple[str, Rule]]:
    import _thread
    import os

    return [
        ("open", _rule("open", _IO, _is(open))),
        ("input", _rule("input", _IO, _is(input))),
        *(
            (name, _rule(f"os.{name}", _IO, _is(getattr(os, name))))
            for name in _OS_CALLS.split()
            if hasattr(os, name)
        ),
        *((name, _rule(f"os.{name}", _MACHINE, _is(getattr(os, name)))) for name in _OS_FACTS),
        ("connect", _rule("sqlite3.connect", _IO, _is_named("_sqlite3", "connect"))),
        ("start_new_thread", _rule("start_new_thread", _THREAD, _is(_thread.start_new_thread))),
    ]


_OS_CALLS: Final = (
    "open system listdir scandir stat lstat mkdir rmdir remove unlink rename replace link symlink "
    "chmod chown truncate utime fork posix_spawn kill"
)
_OS_FACTS: Final = ("getpid", "getcwd", "cpu_count")


def _is_named(module: str, name: str) -> Callable[[Any], bool]:
    return lambda called: called.__name__ == name and called.__module__ in (module, "sqlite3")


def _waits() -> list[tuple[str, Rule]]:
    import _thread
    import select

    def is_taken(called: Any) -> bool:
        lock = called.__self__
        return isinstance(lock, _thread.LockType) and lock.locked()

    return [
        ("acquire", _rule("Lock.acquire", _WAIT, is_taken)),
        ("select", _rule("select.select", _WAIT, _is(select.select))),
    ]


def _output() -> list[tuple[str, Rule]]:
    import sys

    def is_of_terminal(called: Any) -> bool:
        return called.__self__ is sys.stdout or called.__self__ is sys.stderr

    rules = [
        ("print", _rule("print", _PRINT, _is(print))),
        ("write", _rule("sys.stdout.write", _PRINT, is_of_terminal)),
    ]
    return [(name, replace(rule, allowed=True)) for name, rule in rules]


def _environment() -> list[tuple[FunctionType, Rule]]:
    import os
    from collections.abc import Mapping

    environ: Any = type(os.environ)
    mapping: Any = Mapping

    def is_environment(arguments: Any) -> bool:
        return arguments.get("self") is os.environ

    reads = "get keys items values __contains__"
    own = "__getitem__ __iter__ copy"
    found = [getattr(mapping, name) for name in reads.split()]
    found += [getattr(environ, name) for name in own.split()]
    rule = Rule(f"`os.environ`, which {_ENVIRONMENT}", is_environment)
    asked = _rule("os.getenv", _ENVIRONMENT, _always)
    return [(function, rule) for function in found] + [(os.getenv, asked)]


def _network() -> list[tuple[str, Rule]]:
    import _socket

    def of_socket(called: Any) -> bool:
        return isinstance(called.__self__, _socket.socket)

    methods = ("connect", "connect_ex", "bind", "sendto")
    lookups = ("getaddrinfo", "gethostbyname", "gethostbyaddr")
    found = [(name, _rule(f"socket.{name}", _IO, of_socket)) for name in methods]
    found += [(name, _rule(f"socket.{name}", _IO, _is(vars(_socket)[name]))) for name in lookups]
    return [(name, replace(rule, however_deep=True)) for name, rule in found]


def _python_dice() -> list[tuple[FunctionType, Rule]]:
    import random
    import secrets

    shared: Any = random.random

    def is_hidden(arguments: Any) -> bool:
        dice = arguments.get("self")
        return dice is shared.__self__ or isinstance(dice, random.SystemRandom)

    def is_unseeded(arguments: Any) -> bool:
        given = arguments.get("x", arguments.get("a"))
        return is_hidden(arguments) or given is None

    found: list[tuple[FunctionType, Rule]] = []
    for cls in (random.Random, random.SystemRandom):
        for name, function in vars(cls).items():
            if isinstance(function, FunctionType):
                found.append((function, _rule(f"random.{name}", _RANDOM, is_hidden)))
    seeded: dict[str, Any] = {"Random": random.Random.__init__, "seed": random.Random.seed}
    for call, function in seeded.items():
        found.append((function, _rule(f"random.{call}", _UNSEEDED, is_unseeded)))
    for name, function in vars(secrets).items():
        if isinstance(function, FunctionType):
            found.append((function, _rule(f"secrets.{name}", _RANDOM, _always)))
    return found


def _python_calls() -> list[tuple[FunctionType, Rule]]:
    import concurrent.futures
    import genericpath
    import pathlib
    import shutil
    import socket
    import subprocess
    import threading
    import uuid

    pool, path = concurrent.futures.ThreadPoolExecutor, pathlib.Path
    started = "run call check_call check_output getoutput getstatusoutput"
    return [
        *_functions(uuid, "uuid.", _UUID, "uuid1 uuid4 uuid6 uuid7"),
        *_functions(threading.Thread, "Thread.", _THREAD, "start"),
        *_functions(pool, "ThreadPoolExecutor.", _THREAD, "submit"),
        *_functions(subprocess, "subprocess.", _IO, started),
        *_functions(subprocess.Popen, "subprocess.Popen.", _IO, "__init__"),
        *_functions(socket, "socket.", _IO, "create_connection create_server"),
        *_functions(socket, "socket.", _MACHINE, "getfqdn"),
        *_functions(path, "Path.", _IO, _PATH_CALLS),
        *_functions(genericpath, "os.path.", _IO, "exists isfile isdir getsize getmtime"),
        *_functions(shutil, "shutil.", _IO, "copy copy2 copyfile copytree move rmtree"),
    ]


def _python_waits() -> list[tuple[FunctionType, Rule]]:
    """What waits for another thread, where it would have to wait."""
    import concurrent.futures
    import queue
    import threading

    def waits(where: Any, prefix: str, names: str, holds: Callable[[Any], bool]) -> None:
        for function, rule in _functions(where, prefix, _WAIT, names):
            found.append((function, replace(rule, holds=holds)))

    found: list[tuple[FunctionType, Rule]] = []
    waits(threading.Thread, "Thread.", "join", lambda a: a["self"].is_alive())
    waits(threading.Event, "threading.Event.", "wait", lambda a: not a["self"].is_set())
    waits(threading.Condition, "threading.Condition.", "wait wait_for", _always)
    waits(queue.Queue, "Queue.", "get put", lambda a: a["block"])
    future: Any = concurrent.futures.Future
    waits(future, "Future.", "result exception", lambda a: not a["self"].done())
    return found


_PATH_CALLS: Final = (
    "open read_text read_bytes write_text write_bytes exists is_file is_dir stat iterdir glob "
    "rglob mkdir rmdir unlink rename replace touch"
)


def _functions(where: Any, prefix: str, why: str, names: str) -> list[tuple[FunctionType, Rule]]:
    """Those of the functions that this Python has."""
    return [
        (function, _rule(f"{prefix}{name}".removesuffix(".__init__"), why, _always))
        for name in names.split()
        if isinstance(function := getattr(where, name, None), FunctionType)
    ]
