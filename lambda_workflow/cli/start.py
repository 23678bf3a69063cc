"""`lambda-workflow start`: begin an execution, and leave it to an engine or worker."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any, get_args

from lambda_workflow.cli.loading import load_app, read_input, read_seconds, read_tag
from lambda_workflow.cli.place import add_place, add_values, client_of
from lambda_workflow.runtime.sent_start import OnConflict


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("start", help="start an execution, and do not wait for it")
    parser.add_argument("app", metavar="MODULE:APP", help="such as examples.greeter.app:app")
    parser.add_argument("workflow", metavar="WORKFLOW", help="the workflow's name")
    parser.add_argument("--input", required=True, metavar="JSON|@FILE", help="the request")
    parser.add_argument("--id", metavar="ID", help="the execution id; a random one if not given")
    parser.add_argument(
        "--on-conflict",
        choices=get_args(OnConflict),
        default="same_request",
        help="what to do where the id is known (%(default)s)",
    )
    parser.add_argument(
        "--tag", metavar="NAME=TEXT", action="append", type=read_tag, default=[], help="to find it"
    )
    parser.add_argument("--memo", metavar="JSON|@FILE", help="what `describe` is to show of it")
    delay = "until its code begins"
    parser.add_argument("--delay", metavar="SECONDS", type=read_seconds, help=delay)
    limit = "after which it ends as TIMED_OUT"
    parser.add_argument("--execution-timeout", metavar="SECONDS", type=read_seconds, help=limit)
    add_place(parser)
    add_values(parser)
    parser.set_defaults(command=_start)


def _start(arguments: argparse.Namespace) -> int:
    app = load_app(arguments.app)
    workflow = app.workflow(arguments.workflow)
    request = workflow.request_codec.decode(read_input(arguments.input), "--input")
    memo = None if arguments.memo is None else read_input(arguments.memo, "--memo")

    async def send() -> str:
        async with client_of(arguments, app, creates=True) as client:
            handle = await client.start(
                workflow,
                request,
                execution_id=arguments.id,
                on_conflict=arguments.on_conflict,
                tags=dict(arguments.tag),
                memo=memo,
                delay=arguments.delay,
                execution_timeout=arguments.execution_timeout,
            )
            return handle.execution_id

    execution_id = asyncio.run(send())
    sys.stdout.write(f"{execution_id}\n")
    sys.stderr.write(f"{execution_id}: its start is sent; an engine or worker of its App runs it\n")
    return 0
