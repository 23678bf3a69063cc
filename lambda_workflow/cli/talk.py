"""`lambda-workflow signal|update|query`: tell a workflow something, or ask it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from lambda_workflow.cli.loading import load_app, read_input, read_seconds
from lambda_workflow.cli.place import add_place, add_values, client_of
from lambda_workflow.model.signal import Signal, Update


def add_to(commands: Any) -> None:
    """Add the commands to the parser."""
    signal = commands.add_parser("signal", help="tell a running workflow something")
    update = commands.add_parser("update", help="ask a running workflow, and print its reply")
    query = commands.add_parser("query", help="look into a workflow by a query of its code")
    query.add_argument("app", metavar="MODULE:APP", help="such as shop.app:app")
    for parser, act, words in (
        (signal, _signal, "of the signal"),
        (update, _update, "of the update"),
        (query, _query, "of the query"),
    ):
        parser.add_argument("id", metavar="ID", help="the execution id")
        parser.add_argument("name", metavar="NAME", help=words)
        given = "the payload as JSON, or @ and a file that has it (null)"
        parser.add_argument("--input", metavar="JSON|@FILE", default="null", help=given)
        add_place(parser)
        add_values(parser)
        parser.set_defaults(command=act)
    for parser in (signal, update):
        words = "an id that makes it one, however often it is sent"
        parser.add_argument("--once", metavar="TEXT", help=words)
    wait: Any = {"type": read_seconds, "default": timedelta(seconds=60)}
    words = "how long to wait for the reply (60)"
    update.add_argument("--timeout", metavar="SECONDS", help=words, **wait)


def _signal(arguments: argparse.Namespace) -> int:
    signal: Signal[Any] = Signal(arguments.name, object)
    payload = read_input(arguments.input)

    async def send() -> None:
        async with client_of(arguments) as client:
            await client.signal(arguments.id, signal, payload, id=arguments.once)

    asyncio.run(send())
    sys.stderr.write(f"{arguments.id}: the signal is sent; its engine or worker takes it in\n")
    return 0


def _update(arguments: argparse.Namespace) -> int:
    update: Update[Any, Any] = Update(arguments.name, object, object)
    payload, timeout = read_input(arguments.input), arguments.timeout

    async def ask() -> Any:
        async with client_of(arguments) as client:
            once = arguments.once
            return await client.update(arguments.id, update, payload, timeout=timeout, id=once)

    return _printed(asyncio.run(ask()))


def _query(arguments: argparse.Namespace) -> int:
    app, argument = load_app(arguments.app), read_input(arguments.input)

    async def ask() -> Any:
        async with client_of(arguments, app) as client:
            return await client.query_by_name(arguments.id, arguments.name, argument)

    return _printed(asyncio.run(ask()))


def _printed(answer: Any) -> int:
    json.dump(answer, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")
    return 0
