"""`lambda-workflow run`: one execution on the embedded engine, watched."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambda_workflow.cli.live import progress_of
from lambda_workflow.cli.loading import load_app, read_input
from lambda_workflow.cli.place import add_values
from lambda_workflow.cli.progress import Progress, history_rows
from lambda_workflow.cli.run_surroundings import refuse_to_skip_for_others, workflow_logs
from lambda_workflow.errors import ConfigurationError, ExecutionFailed, ExecutionNotFound
from lambda_workflow.local import Engine, SkippingClock
from lambda_workflow.local.schema import DEFAULT_PATH
from lambda_workflow.model.history import History
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.client import Client, Handle

FLAGS = ("skip_time", "history", "check", "values", "no_guard")
COMMAND = "lambda-workflow"
SILENCE_SECONDS = 0.3  # after which an interrupted command says what it waits for
INTERRUPTED = 130  # as a shell reports a process that SIGINT ended


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("run", help="run a workflow on the embedded engine")
    parser.add_argument("app", metavar="MODULE:APP", help="such as examples.greeter.app:app")
    parser.add_argument("workflow", metavar="WORKFLOW", help="the workflow's name")
    request = "the request; an execution that exists goes on without it"
    parser.add_argument("--input", metavar="JSON|@FILE", help=request)
    parser.add_argument("--id", metavar="ID", help="the execution id; resumes it if it exists")
    file = "the engine's file (%(default)s)"
    parser.add_argument("--db", metavar="FILE", default=DEFAULT_PATH, help=file)
    parser.add_argument("--skip-time", action="store_true", help="let waits pass at once")
    parser.add_argument("--history", action="store_true", help="print the history at the end")
    parser.add_argument("--check", action="store_true", help="replay at every turn, and compare")
    add_values(parser)
    parser.add_argument(
        "--no-guard", action="store_true", help="let workflow code use the clock, chance and I/O"
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Run it: 0 when it completed, 1 when it failed or is BLOCKED, 130 when interrupted."""
    app = load_app(arguments.app)
    workflow = app.workflow(arguments.workflow)
    if arguments.input is None and arguments.id is None:
        raise ConfigurationError("run: give the request by --input, or the --id of an execution")
    request = None
    if arguments.input is not None:
        request = workflow.request_codec.decode(read_input(arguments.input), "--input")
    arguments.id = arguments.id or f"{workflow.name}-{secrets.token_hex(4)}"
    try:
        return asyncio.run(_run(arguments, app, workflow, request))
    except KeyboardInterrupt:
        sys.stderr.write(f"\ninterrupted; nothing is lost. To go on:\n{_again(arguments)}")
        return INTERRUPTED


async def _run(arguments: argparse.Namespace, app: App, workflow: Any, request: Any) -> int:
    began = time.perf_counter()
    progress = progress_of(arguments.id)
    progress.resume = f"{_program()} {shlex.join(['resume', arguments.id, '--db', arguments.db])}"
    clock = SkippingClock() if arguments.skip_time else None
    engine = Engine(
        app, arguments.db, clock=clock, observer=progress, check=arguments.check,
        guard=not arguments.no_guard,
    )  # fmt: skip
    async with engine:
        if arguments.skip_time:
            await refuse_to_skip_for_others(engine.client, arguments.id, arguments.db)
        with progress.shown(), workflow_logs(progress):
            earlier = await _earlier(engine.client, arguments.id)
            if earlier is not None:
                progress.recall(earlier.turns)
                progress.note(progress.paused_words(earlier.status))
            handle = await _begin(engine.client, workflow, request, arguments)
            if earlier is not None and earlier.status is Status.BLOCKED:
                await engine.client.redrive(arguments.id)
            try:
                outcome = await _outcome(engine, handle, progress)
            except asyncio.CancelledError:
                asyncio.get_running_loop().call_later(SILENCE_SECONDS, _tell_to_wait)
                raise
        history = await engine.client.history(arguments.id)
    if arguments.history:
        _print_history(history)
    if isinstance(outcome, ExecutionFailed):
        sys.stderr.write(f"failed: {outcome.type}: {outcome.message}\n")
    elif outcome is not None:
        sys.stdout.write(f"{outcome}\n")
    seconds, turns = time.perf_counter() - began, len(history.turns)
    if earlier is not None:
        turns -= len(earlier.turns)
    sys.stderr.write(f"{arguments.id}: {history.status} in {seconds:.2f} s, {turns} turns\n")
    if history.status is Status.BLOCKED:
        sys.stderr.write(progress.traceback)
        sys.stderr.write("mend the code, then go on where it stopped:\n" + _again(arguments))
    return 0 if history.status is Status.COMPLETED else 1


async def _begin(
    client: Client, workflow: Any, request: Any, arguments: argparse.Namespace
) -> Handle[Any]:
    """Start it, or go on with what an earlier command has started."""
    if arguments.input is not None:
        return await client.start(workflow, request, execution_id=arguments.id)
    if await _earlier(client, arguments.id) is None:
        raise ConfigurationError(f"run: no execution {arguments.id}: give its request by --input")
    return Handle(client, arguments.id, workflow)


async def _earlier(client: Client, execution_id: str) -> History | None:
    """What an earlier command left."""
    try:
        return await client.history(execution_id)
    except ExecutionNotFound:
        return None


async def _outcome(
    engine: Engine, handle: Handle[Any], progress: Progress
) -> str | ExecutionFailed | None:
    """The result as JSON text, the failure, or None when the execution is BLOCKED."""
    warning = asyncio.create_task(_warn_of_waiting(engine))
    blocked = asyncio.create_task(progress.blocked.wait())
    ending = asyncio.create_task(handle.result())
    try:
        await asyncio.wait((ending, blocked), return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            return None
        result = handle.workflow.result_codec.encode(ending.result())
        return json.dumps(result, ensure_ascii=False)
    except ExecutionFailed as failed:
        return failed
    finally:
        for task in (warning, blocked, ending):
            task.cancel()
        await asyncio.gather(warning, blocked, ending, return_exceptions=True)


def _again(arguments: argparse.Namespace) -> str:
    """The command that goes on with the same execution."""
    words = [_program(), "run", arguments.app, arguments.workflow]
    given = arguments.input or ""
    if given.startswith("@") or (given and arguments.values):
        words += ["--input", given]
    words += ["--id", arguments.id, "--db", arguments.db]
    words += [f"--{name.replace('_', '-')}" for name in FLAGS if getattr(arguments, name)]
    return f"  {shlex.join(words)}\n"


def _program() -> str:
    """This command as its user can type it again, in a virtual environment that is not active."""
    typed = Path(sys.argv[0])
    if typed.name != COMMAND or shutil.which(COMMAND) == str(typed):
        return COMMAND
    return str(typed)


def _tell_to_wait() -> None:
    sys.stderr.write("interrupted; what is at work may end (Ctrl-C again: at once) …\n")


async def _warn_of_waiting(engine: Engine) -> None:
    """Say once which services nobody serves."""
    while True:
        await asyncio.sleep(2)
        if waiting := await engine.waiting_services():
            names = ", ".join(sorted(waiting))
            sys.stderr.write(f"waiting for {names}: no engine on this file has an adapter for it\n")
            return


def _print_history(history: History) -> None:
    table = Table("turn", "time (UTC)", "operation", "what")
    for row in history_rows(history):
        table.add_row(*map(Text, row))  # as it is: brackets are no markup
    Console(stderr=True).print(table)
