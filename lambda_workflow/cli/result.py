"""`lambda-workflow result`: wait for an execution to end, and print its result."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from lambda_workflow.cli.loading import load_app, read_seconds
from lambda_workflow.cli.place import add_place, client_of
from lambda_workflow.errors import ExecutionFailed, ResultTimeout
from lambda_workflow.runtime.app import App


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "result", help="wait for an execution to end, and print its result"
    )
    parser.add_argument("app", metavar="MODULE:APP", help="such as shop.app:app")
    parser.add_argument("id", metavar="ID", help="the execution id")
    wait: Any = {"type": read_seconds, "default": timedelta(seconds=60)}
    parser.add_argument("--timeout", metavar="SECONDS", help="how long to wait (60)", **wait)
    add_place(parser)
    parser.set_defaults(command=_result)


def _result(arguments: argparse.Namespace) -> int:
    app = load_app(arguments.app)
    try:
        result = asyncio.run(_read(arguments, app))
    except ExecutionFailed as failed:
        sys.stderr.write(f"failed: {failed.type}: {failed.message}\n")
        return 1
    except ResultTimeout as late:
        sys.stderr.write(f"{late}\n")
        return 1
    sys.stdout.write(f"{json.dumps(result, ensure_ascii=False)}\n")
    return 0


async def _read(arguments: argparse.Namespace, app: App) -> Any:
    """The result as JSON has it."""
    async with client_of(arguments, app) as client:
        result = await client.result(arguments.id, timeout=arguments.timeout)
        started = (await client.history(arguments.id)).started
    assert started is not None  # it has ended
    return app.code_of(started.workflow, started.version).result_codec.encode(result)
