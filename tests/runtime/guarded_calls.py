"""Calls that the guard refuses: of the environment, of files, and of what waits for a thread."""

from __future__ import annotations

import os
import queue
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

STEP = "`await ctx.step(fn)`"
ENVIRONMENT, MACHINE, WAIT = STEP, "in a step", STEP
TAKEN = threading.Lock()
TAKEN.acquire()
PENDING: Future[int] = Future()


ELSEWHERE: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: os.getenv("HOME"), "`os.getenv()`", ENVIRONMENT),
    (lambda: os.environ["HOME"], "`os.environ`", ENVIRONMENT),
    (lambda: os.environ.get("HOME"), "`os.environ`", ENVIRONMENT),
    (lambda: "HOME" in os.environ, "`os.environ`", ENVIRONMENT),
    (lambda: dict(os.environ), "`os.environ`", ENVIRONMENT),
    (lambda: list(os.environ), "`os.environ`", ENVIRONMENT),
    (lambda: os.getpid(), "`os.getpid()`", MACHINE),
    (lambda: os.getcwd(), "`os.getcwd()`", MACHINE),
    (lambda: os.listdir(), "`os.listdir()`", STEP),
    (lambda: os.stat("."), "`os.stat()`", STEP),
    (lambda: os.path.exists("."), "`os.path.exists()`", STEP),
    (lambda: Path().exists(), "`Path.exists()`", STEP),
    (lambda: list(Path().glob("*")), "`Path.glob()`", STEP),
    (lambda: Path("none").unlink(), "`Path.unlink()`", STEP),
    (lambda: shutil.copy("a", "b"), "`shutil.copy()`", STEP),
    (lambda: TAKEN.acquire(timeout=0.01), "`Lock.acquire()`", WAIT),
    (lambda: threading.Event().wait(0.01), "`threading.Event.wait()`", WAIT),
    (lambda: queue.Queue().get(timeout=0.01), "`Queue.get()`", WAIT),
    (lambda: PENDING.result(0.01), "`Future.result()`", WAIT),
]
