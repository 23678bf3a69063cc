"""Whether the process of an engine is still there, asked without waiting for its lease to run out.

A file in WAL mode is shared through memory, so all engines on it run on one kernel: one of an
earlier boot is gone. A process id means something within its own namespace only (a container has
its own), and it is used again: the time of the process's start tells two with one id apart.
"""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def identity() -> str:
    """This process, as another can look for it: boot, namespace, id, start; `-` is unknown."""
    pid = os.getpid()
    return " ".join([_boot(), _namespace(), str(pid), _start(pid) or "-"])


def is_gone(process: object) -> bool:
    """Whether the process of an `identity` is known to have ended; False when in doubt."""
    parts = process.split(" ") if isinstance(process, str) else []
    if len(parts) != 4 or not parts[2].isdigit():
        return False  # a damaged row: its lease says when that engine has gone
    boot, namespace, pid, start = parts
    if "-" not in (boot, _boot()) and boot != _boot():
        return True
    if namespace != _namespace():
        return False
    return _start(int(pid)) != start if start != "-" else _is_missing(int(pid))


def _is_missing(pid: int) -> bool:
    if os.name != "posix":
        return False  # os.kill with signal 0 is no harmless question on Windows
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "-"


def _namespace() -> str:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return "-"


def _start(pid: int) -> str | None:
    """When a running process started, in ticks since the boot; None when there is none."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    state, start = fields[0], fields[19]
    return None if state in "ZX" else start
