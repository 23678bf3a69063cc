"""How long a cold start of the deployed function takes: `sam build`'s artefact at work.

    make sam && python benchmarks/cold_start_artefact.py

The bank example is built as infra/README.md says, for this machine's Python and processor, and its
queues and table are made on a moto server. Fresh processes of `awslambdaric`, with the workflow
function's folder and what Lambda brings (the client, boto3) and nothing else to import, get one
event each, which starts an execution. Three kinds run in turn: compiled as infra/README.md says; as
`sam build` leaves it, without bytecode; and a handler that does nothing, which is what Python and
the client cost. Nothing writes bytecode, as in Lambda, where the code's folder is read-only. One
JSON line is printed, with medians:

compiled_init_ms         from the process's start to its asking for the first event
compiled_init_cpu_ms     the CPU time of that
compiled_event_ms        the first event: the first connections, a turn, its commit and its sends
compiled_memory_mb       the most that the process had resident
source_…, empty_…        the same of the other two
ratio_init_cpu           source to compiled
size_mb, size_source_mb  of the function's folder
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Final

from examples.bank_transaction.app import app
from examples.bank_transaction.workflow import Transfer, transfer
from lambda_workflow.aws.backend import client_for
from lambda_workflow.aws.config import AwsConfig
from tests.aws.deployed import deploy, environment, take
from tests.aws.lambda_runtime import event_of, function
from tests.aws.server.process import shared_server
from tests.conftest import SAM
from tests.sam.artefact import build, runtime

RUNS: Final = 7
WAIT_SECONDS: Final = 60
MEGABYTE: Final = 1_000_000
HANDLER: Final = "examples.bank_transaction.lambda_function.handler"
EMPTY: Final = "def handler(event, context):\n    return {'batchItemFailures': []}\n"
ORDER: Final = Transfer(source="alice", target="bob", amount=Decimal("12.50"))


async def event(config: AwsConfig, number: int) -> dict[str, Any]:
    """Start an execution, and take the message that does so from the queue."""
    await client_for(app, config).start(transfer, ORDER, execution_id=f"run-{number}")
    return event_of(await take(config.queue_url), config.queue_arn)


def cold(
    handler: str, folders: tuple[Path, Path], variables: Mapping[str, str], given: dict[str, Any]
) -> dict[str, float]:
    """One cold start."""
    begun = time.perf_counter()
    with function(handler, variables, folders=folders) as process:
        if not process.ready.wait(WAIT_SECONDS):
            raise TimeoutError(f"{handler} did not ask for an event in {WAIT_SECONDS} s")
        ready, cpu = time.perf_counter(), cpu_ms(process.pid)
        answer = process.invoke(given)
        answered = time.perf_counter()
        if answer != {"batchItemFailures": []}:
            raise RuntimeError(f"the event was not handled: {answer}")
        memory = memory_mb(process.pid)
    return {
        "init_ms": (ready - begun) * 1000,
        "init_cpu_ms": cpu,
        "event_ms": (answered - ready) * 1000,
        "memory_mb": memory,
    }


def cpu_ms(pid: int) -> float:
    """The CPU time that a process has used, of the system's clock ticks (10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """The most that a process had resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (most,) = (line for line in lines if line.startswith("VmHWM"))
    return int(most.split()[1]) * 1024 / MEGABYTE


def size_mb(folder: Path) -> float:
    """The bytes of all files."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / MEGABYTE


async def measure(base: Path) -> dict[str, Any]:
    """Build, and start each kind in turn."""
    built = build("bank_transaction", base)
    source, empty = base / "source", base / "empty"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(built / "WorkflowFunction", source, ignore=ignored)
    empty.mkdir()
    (empty / "nothing.py").write_text(EMPTY)
    kinds = {"compiled": built / "WorkflowFunction", "source": source, "empty": empty}
    client = runtime(base / "runtime")
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    with shared_server() as server:
        os.environ.update(server.environment)
        config = await deploy(app.adapters)
        variables = {**server.environment, **environment(config), "PYTHONDONTWRITEBYTECODE": "1"}
        for run in range(RUNS * len(kinds)):
            kind = list(kinds)[run % len(kinds)]
            handler = "nothing.handler" if kind == "empty" else HANDLER
            given = await event(config, run)
            figures = await asyncio.to_thread(
                cold, handler, (kinds[kind], client), variables, given
            )
            found[kind].append(figures)
    medians = {
        f"{kind}_{key}": round(median(run[key] for run in runs), 1)
        for kind, runs in found.items()
        for key in runs[0]
    }
    ratio = medians["source_init_cpu_ms"] / medians["compiled_init_cpu_ms"]
    sizes = {"size_mb": size_mb(kinds["compiled"]), "size_source_mb": size_mb(source)}
    return {"ratio_init_cpu": round(ratio, 2), **medians,
            **{name: round(size, 1) for name, size in sizes.items()}}  # fmt: skip


def main() -> None:
    """Measure, and print the line."""
    if not (SAM / ".made").exists():
        print(json.dumps({"skipped": "`make sam` makes the environment of the SAM CLI"}))
        return
    with tempfile.TemporaryDirectory() as base:
        line = asyncio.run(measure(Path(base)))
    print(json.dumps({**line, "cores": os.cpu_count(), "python": sys.version.split()[0]}))


if __name__ == "__main__":
    main()
