"""Apply each mutant in a copy of the tree, and run the tests that must notice it."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from tests.mutants.catalog import MUTANTS, Mutant

ROOT: Final = Path(__file__).resolve().parents[2]
COPIED: Final = (
    "lambda_workflow",
    "tests",
    "examples",
    "pyproject.toml",
    "pytest_lambda_workflow.py",
)
SECONDS_MAX: Final = 600  # of the tests of one mutant: a loop that a mutant makes ends there
FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: the tests that failed for it, or why none could be run."""

    mutant: Mutant
    killers: Sequence[str] = ()
    wrong: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        name = f"{self.mutant.name} ({self.mutant.file}), {self.seconds:.0f} s"
        if self.wrong:
            return f"WRONG     {name}: {self.wrong}"
        if not self.killers:
            return f"SURVIVES  {name}: {self.mutant.why}"
        return f"killed    {name}: {', '.join(self.killers)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants; 1 if one survives, or is none any more."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument(
        "--only", default="", help="mutants whose name contains this (default: all)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="copies of the tree (default: 1)")
    parser.add_argument("--find", action="store_true", help="run the whole files that are named")
    options = parser.parse_args(arguments)
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.name]
    bad = 0
    with copies(options.jobs) as free, ThreadPoolExecutor(options.jobs) as pool:
        for verdict in pool.map(lambda mutant: try_one(mutant, free, options.find), chosen):
            bad += not verdict.killers
            print(verdict, flush=True)
    print(f"{len(chosen)} mutants, {bad} not killed")
    return 1 if bad or not chosen else 0


@contextmanager
def copies(count: int) -> Iterator[SimpleQueue[Path]]:
    """Copies of the tree, for one mutant at a time each."""
    free: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number in range(count):
            copy = Path(folder) / str(number)
            for name in COPIED:
                source = ROOT / name
                if source.is_dir():
                    shutil.copytree(
                        source, copy / name, ignore=shutil.ignore_patterns("__pycache__")
                    )
                else:
                    shutil.copy(source, copy / name)
            free.put(copy)
        yield free


def try_one(mutant: Mutant, free: SimpleQueue[Path], find: bool) -> Verdict:
    """Run a mutant's tests on a tree that has it."""
    copy, begin = free.get(), time.monotonic()
    path = copy / mutant.file
    sound = path.read_text()
    try:
        if sound.count(mutant.text) != 1:
            return Verdict(mutant, wrong=f"its text stands {sound.count(mutant.text)} times there")
        path.write_text(sound.replace(mutant.text, mutant.replacement))
        output = run_tests(copy, mutant, find)
        killers = tuple(dict.fromkeys(FAILED.findall(output)))
        wrong = "" if killers or " passed" in output else output[-500:]
        if "error while loading conftest" in output or "errors during collection" in output:
            killers, wrong = (), f"it does not even run: {output[-500:]}"
        return Verdict(mutant, killers, wrong, time.monotonic() - begin)
    finally:
        path.write_text(sound)
        free.put(copy)


def run_tests(copy: Path, mutant: Mutant, find: bool) -> str:
    """What pytest says of a mutant's tests; a mutant that hangs has failed the first of them."""
    tests = [test.partition("::")[0] for test in mutant.tests] if find else list(mutant.tests)
    flags = ["-q", "-n0", "-p", "no:cacheprovider", "--no-header", "-rfE", "--tb=no"]
    command = [sys.executable, "-m", "pytest", *flags, *([] if find else ["-x"]), *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return f"FAILED {tests[0]} (took more than {SECONDS_MAX} s)"
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
