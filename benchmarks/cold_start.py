"""How long a cold start of the Lambda function takes, beside boto3 with two clients.

    python benchmarks/cold_start.py

All modules are compiled beforehand, as in a deployment package. Fresh processes run in turn: one
imports the bank example's Lambda module and gives its handler an event without records, which makes
the clients; one imports boto3 and makes its SQS and DynamoDB clients. One JSON line is printed:

ratio_to_boto3_clients  of the medians of the time from a process's start to its end
ratio_cpu               of the medians of the CPU time, which other load disturbs less
ours_ms, boto3_ms       those medians
python_ms               a process that does nothing, which is part of both
ours_imports_ms         our own time by top-level package, from `-X importtime`, the largest first;
                        boto3_imports_ms likewise (the flag itself makes imports dearer)
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.shared.bytecode import compiled

ROOT: Final = Path(__file__).resolve().parents[1]
RUNS: Final = 15
PACKAGES_SHOWN: Final = 12
OURS: Final = """
from examples.bank_transaction.lambda_function import handler
assert handler({"Records": []}, None) == {"batchItemFailures": []}
"""
BOTO3: Final = """
import boto3
boto3.client("sqs")
boto3.client("dynamodb")
"""
QUEUES: Final = "https://sqs.us-east-1.amazonaws.com/123456789012/"
ENVIRONMENT: Final = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "LAMBDA_WORKFLOW_TABLE": "state",
    "LAMBDA_WORKFLOW_QUEUE_URL": f"{QUEUES}in.fifo",
    "LAMBDA_WORKFLOW_DLQ_URL": f"{QUEUES}dead.fifo",
    "LAMBDA_WORKFLOW_SERVICE_BALANCE_QUEUE_URL": f"{QUEUES}balance",
    "LAMBDA_WORKFLOW_SERVICE_FRAUD_QUEUE_URL": f"{QUEUES}fraud",
    "LAMBDA_WORKFLOW_SERVICE_LEDGER_QUEUE_URL": f"{QUEUES}ledger",
}
IMPORT_LINE: Final = re.compile(r"import time:\s*(\d+) \|\s*\d+ \| +([\w.]+)")


def run(code: str, *flags: str) -> tuple[float, float, str]:
    """Wall and CPU milliseconds of a fresh process, and what it wrote to stderr."""
    command = [sys.executable, *flags, "-c", code]
    env = compiled({**os.environ, **ENVIRONMENT})
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=True, text=True)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user - before.children_user
    cpu += after.children_system - before.children_system
    return wall * 1000, cpu * 1000, done.stderr


def imports(code: str) -> dict[str, float]:
    """Milliseconds that packages' own modules take to import, the largest first."""
    spent: Counter[str] = Counter()
    for line in run(code, "-X", "importtime")[2].splitlines():
        if found := IMPORT_LINE.match(line):
            name = found[2].partition(".")[0]
            own = name if name not in sys.stdlib_module_names else f"{name} (standard library)"
            spent[own] += int(found[1])
    total = {"all": sum(spent.values())}
    largest = {**total, **dict(spent.most_common(PACKAGES_SHOWN))}
    return {name: round(microseconds / 1000, 1) for name, microseconds in largest.items()}


def main() -> None:
    """Measure in turn, and print the line."""
    codes = {"ours": OURS, "boto3": BOTO3, "python": ""}
    walls: dict[str, list[float]] = {name: [] for name in codes}
    cpus: dict[str, list[float]] = {name: [] for name in codes}
    for code in codes.values():
        run(code)
    for _ in range(RUNS):
        for name, code in codes.items():
            wall, cpu, _ = run(code)
            walls[name].append(wall)
            cpus[name].append(cpu)
    wall_of = {name: median(times) for name, times in walls.items()}
    cpu_of = {name: median(times) for name, times in cpus.items()}
    line = {
        "ratio_to_boto3_clients": round(wall_of["ours"] / wall_of["boto3"], 2),
        "ratio_cpu": round(cpu_of["ours"] / cpu_of["boto3"], 2),
        **{f"{name}_ms": round(wall_of[name], 1) for name in codes},
        **{f"{name}_cpu_ms": round(cpu_of[name], 1) for name in codes},
        "ours_imports_ms": imports(OURS),
        "boto3_imports_ms": imports(BOTO3),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
