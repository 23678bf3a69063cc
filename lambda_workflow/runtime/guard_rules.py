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
_THREAD: Final = "starts a thread: replay cannot repeat its timing. Use `await ctx.step(fn)`"


@dataclass(frozen=True, slots=True)
class Rule:
    """One forbidden call.

    Attributes:
        words: the call, why it is refused, and what to use.
        holds: tells this call from others of its name; is given the builtin function itself, or
            the arguments of a Python function.
        however_deep: refused in library code as well, where user code called that.
    """

    words: str
    holds: Callable[[Any], bool]
    however_deep: bool = False


@cache
def rules() -> tuple[dict[str, list[Rule]], dict[int, Rule]]:
    """The rules for builtin functions by name, and for Python functions by the id of their code."""
    of_name: dict[str, list[Rule]] = {}
    of_code: dict[int, Rule] = {}
    for name, rule in [*_clocks(), *_dice(), *_files(), *_network()]:
        of_name.setdefault(name, []).append(rule)
    for function, rule in [*_python_dice(), *_python_calls()]:
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
        ("open", _rule("os.open", _IO, _is(os.open))),
        ("input", _rule("input", _IO, _is(input))),
        ("system", _rule("os.system", _IO, _is(os.system))),
        ("start_new_thread", _rule("start_new_thread", _THREAD, _is(_thread.start_new_thread))),
    ]


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
    import pathlib
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
        *_functions(path, "Path.", _IO, "open read_text read_bytes write_text write_bytes"),
    ]


def _functions(where: Any, prefix: str, why: str, names: str) -> list[tuple[FunctionType, Rule]]:
    """Those of the functions that this Python has."""
    return [
        (function, _rule(f"{prefix}{name}".removesuffix(".__init__"), why, _always))
        for name in names.split()
        if isinstance(function := getattr(where, name, None), FunctionType)
    ]
