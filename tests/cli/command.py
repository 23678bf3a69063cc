"""The command line as a user types it, without a new interpreter for each command."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lambda_workflow.cli import main

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """What a command left, as `subprocess.CompletedProcess` has it."""

    returncode: int
    stdout: str
    stderr: str


def call(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> Done:
    """Run a command in a folder; modules that it imports from there are forgotten afterwards,
    unless it is this repository's.
    """
    out, err = io.StringIO(), io.StringIO()
    path, known = sys.path.copy(), set(sys.modules)
    try:
        with (
            environment(variables or {}),
            chdir(folder),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                code = main(words)
            except SystemExit as end:  # argparse's
                code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if folder != ROOT and file.startswith(f"{folder}{os.sep}"):
                del sys.modules[name]
    return Done(code, out.getvalue(), err.getvalue())


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for as long as the block lasts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


async def called(folder: Path, *words: str, code: int = 0) -> str:
    """Standard output of a command that succeeds, else what it says of its failure."""
    done = await asyncio.to_thread(call, folder, *words)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout
