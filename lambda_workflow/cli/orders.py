"""`lambda-workflow cancel|terminate|pause|resume|redrive`: an order to one execution."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

from lambda_workflow.cli.loading import read_seconds
from lambda_workflow.cli.place import add_place, client_of
from lambda_workflow.runtime.client import Client
from lambda_workflow.runtime.controls import GRACE

_HELP: Final = {
    "cancel": "ask an execution to end; its code may clean up",
    "terminate": "end an execution at once",
    "pause": "hold an execution; what arrives is kept",
    "resume": "let a paused execution go on",
    "redrive": "try a BLOCKED execution again",
}


def add_to(commands: Any) -> None:
    """Add the commands to the parser."""
    for order, told in _HELP.items():
        parser = commands.add_parser(order, help=told)
        parser.add_argument("id", metavar="ID", help="the execution id")
        if order not in ("resume", "redrive"):
            parser.add_argument("--reason", metavar="TEXT", default="", help="for the history")
        if order == "cancel":
            parser.add_argument(
                "--grace",
                metavar="SECONDS",
                type=read_seconds,
                default=GRACE,
                help=f"that the cleanup may take ({GRACE.total_seconds():g})",
            )
        add_place(parser)
        parser.set_defaults(command=_give, order=order)


def _give(arguments: argparse.Namespace) -> int:
    async def send() -> None:
        async with client_of(arguments) as client:
            await _ORDERS[arguments.order](client, arguments)

    asyncio.run(send())
    sys.stderr.write(f"{arguments.id}: {arguments.order} is sent; its engine or worker obeys it\n")
    return 0


_ORDERS: Final[dict[str, Callable[[Client, Any], Coroutine[Any, Any, None]]]] = {
    "cancel": lambda client, given: client.cancel(given.id, given.reason, grace=given.grace),
    "terminate": lambda client, given: client.terminate(given.id, given.reason),
    "pause": lambda client, given: client.pause(given.id, given.reason),
    "resume": lambda client, given: client.resume(given.id),
    "redrive": lambda client, given: client.redrive(given.id),
}
