"""`lambda-workflow run`: one execution on the embedded engine, watched."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import time
from typing import Any

from lambda_workflow.cli.loading import load_app, read_input
from lambda_workflow.cli.progress import Progress, history_rows
from lambda_workflow.errors import ExecutionFailed
from lambda_workflow.local import Engine, SkippingClock
from lambda_workflow.model.history import History

INTERRUPTED = 130  # as a shell reports a process that SIGINT ended


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("run", help="run a workflow on the embedded engine")
    parser.add_argument("app", metavar="MODULE:APP", help="such as examples.greeter.app:app")
    parser.add_argument("workflow", metavar="WORKFLOW", help="the workflow's name")
    parser.add_argument("--input", required=True, metavar="JSON|@FILE", help="the request")
    parser.add_argument("--id", metavar="ID", help="the execution id; resumes it if it exists")
    parser.add_argument("--db", metavar="FILE", help="the engine's file (lambda-workflow.sqlite3)")
    parser.add_argument("--skip-time", action="store_true", help="let waits pass at once")
    parser.add_argument("--history", action="store_true", help="print the history at the end")
    parser.add_argument("--check", action="store_true", help="replay at every turn, and compare")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Run it: 0 when the execution completed, 1 when it failed, 130 when it was interrupted."""
    app = load_app(arguments.app)
    workflow = app.workflow(arguments.workflow)
    request = workflow.request_codec.decode(read_input(arguments.input), "--input")
    arguments.id = arguments.id or f"{workflow.name}-{secrets.token_hex(4)}"
    arguments.db = arguments.db or "lambda-workflow.sqlite3"
    try:
        return asyncio.run(_run(arguments, app, workflow, request))
    except KeyboardInterrupt:
        skip = " --skip-time" if arguments.skip_time else ""
        sys.stderr.write(
            f"\ninterrupted; nothing is lost. To go on:\n  lambda-workflow run {arguments.app} "
            f"{arguments.workflow} --input '{arguments.input}' --id {arguments.id} "
            f"--db {arguments.db}{skip}\n"
        )
        return INTERRUPTED


async def _run(arguments: argparse.Namespace, app: Any, workflow: Any, request: Any) -> int:
    began = time.perf_counter()
    progress = Progress(arguments.id)
    clock = SkippingClock() if arguments.skip_time else None
    engine = Engine(app, arguments.db, clock=clock, observer=progress, check=arguments.check)
    async with engine:
        client = engine.client
        handle = await client.start(workflow, request, execution_id=arguments.id)
        warning = asyncio.create_task(_warn_of_waiting(engine))
        try:
            result = await handle.result()
            text, code = json.dumps(workflow.result_codec.encode(result), ensure_ascii=False), 0
        except ExecutionFailed as failed:
            text, code = f"failed: {failed.type}: {failed.message}", 1
        finally:
            warning.cancel()
        history = await client.history(arguments.id)
    if arguments.history:
        _print_history(history)
    (sys.stderr if code else sys.stdout).write(f"{text}\n")
    seconds, turns = time.perf_counter() - began, len(history.turns)
    sys.stderr.write(f"{arguments.id}: {history.status} in {seconds:.2f} s, {turns} turns\n")
    return code


async def _warn_of_waiting(engine: Engine) -> None:
    """Say once which services nobody serves."""
    while True:
        await asyncio.sleep(2)
        if waiting := await engine.waiting_services():
            names = ", ".join(sorted(waiting))
            sys.stderr.write(f"waiting for {names}: no engine on this file has an adapter for it\n")
            return


def _print_history(history: History) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("turn", "time (UTC)", "operation", "what")
    for row in history_rows(history):
        table.add_row(*row)
    Console(stderr=True).print(table)
