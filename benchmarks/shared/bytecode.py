"""Modules compiled beforehand, whatever the machine's habits are."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache


def compiled(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment whose processes keep their bytecode until this process ends.

    The first of them compiles. Without this, where PYTHONDONTWRITEBYTECODE is set (in containers it
    often is) the compiler would be timed for what pip has not compiled: our own modules alone.
    """
    kept = {k: v for k, v in environment.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": _folder()}


@cache
def _folder() -> str:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
