"""The ways to reach DynamoDB and SQS that the package could have taken, measured.

    python benchmarks/cold_start_alternatives.py [--install]

Prints one JSON line with, for each alternative:

clients_ms, clients_cpu_ms   a fresh process, from its start until the two clients are made, and end
cpu_ms_per_call              against a server on loopback, one call after another
cpu_ms_per_call_ten_at_once  ten at a time

An alternative that is not installed here is null, and `how_to_install` says what would measure it:
with `--install` those are put into environments of their own in a temporary folder (they want
different versions of botocore; needs a package index).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.shared.bytecode import compiled
from benchmarks.shared.canned import canned_server
from benchmarks.shared.clients import MAKERS

RUNS: Final = 9
CALLS: Final = 1_000
ROUNDS: Final = 3
CLIENTS: Final = str(Path(__file__).resolve().parent / "shared" / "clients.py")
ENVIRONMENT: Final = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}


def has(python: str, distribution: str) -> bool:
    """Whether an interpreter can import a distribution."""
    found = subprocess.run(
        [python, "-c", f"import {distribution}"], check=False, capture_output=True
    )
    return found.returncode == 0


def install(folder: Path, distribution: str) -> str:
    """The interpreter of a new environment."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", distribution]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return python


def run(python: str, name: str) -> tuple[float, float]:
    """Wall and CPU milliseconds of a process that makes the clients."""
    before, start = os.times(), time.perf_counter()
    env = compiled({**os.environ, **ENVIRONMENT})
    subprocess.run([python, CLIENTS, name], env=env, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user - before.children_user
    return wall * 1000, (cpu + after.children_system - before.children_system) * 1000


def calls(python: str, name: str, url: str) -> dict[str, Any]:
    """The best of several rounds: other load only ever adds time."""
    env = {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL": url}
    command = [python, CLIENTS, name, str(CALLS)]
    done = [
        json.loads(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
        for _ in range(ROUNDS)
    ]
    return {key: min(figures[key] for figures in done) for key in done[0]}


def measure(pythons: Mapping[str, str]) -> dict[str, Any]:
    """The figures of all that can be measured, the runs of all in turn."""
    walls: dict[str, list[float]] = {name: [] for name in pythons}
    cpus: dict[str, list[float]] = {name: [] for name in pythons}
    for number in range(RUNS + 1):
        for name, python in pythons.items():
            wall, cpu = run(python, name)
            if number:  # the first run compiles
                walls[name].append(wall)
                cpus[name].append(cpu)
    with canned_server() as url:
        return {
            name: {
                "clients_ms": round(median(walls[name]), 1),
                "clients_cpu_ms": round(median(cpus[name]), 1),
                **calls(python, name, url),
            }
            for name, python in pythons.items()
        }


def main() -> None:
    """Measure what is here, or can be brought here, and print the line."""
    with tempfile.TemporaryDirectory() as folder:
        pythons: dict[str, str] = {}
        for name, (_, distribution) in MAKERS.items():
            if has(sys.executable, distribution):
                pythons[name] = sys.executable
            elif "--install" in sys.argv:
                pythons[name] = install(Path(folder) / name, distribution)
        figures = measure(pythons)
    line: dict[str, Any] = {name: figures.get(name) for name in MAKERS}
    if len(pythons) < len(MAKERS):
        line["how_to_install"] = "python benchmarks/cold_start_alternatives.py --install"
    print(json.dumps({**line, "cores": os.cpu_count(), "python": sys.version.split()[0]}))


if __name__ == "__main__":
    main()
