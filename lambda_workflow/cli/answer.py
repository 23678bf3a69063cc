"""`lambda-workflow answer TOKEN`: answer a callback, or say that somebody is at work on it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from lambda_workflow.cli.place import add_place, add_values, client_of


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("answer", help="answer a callback by its token")
    given = "as the workflow has given it out; last and after `--` if it begins with a dash"
    parser.add_argument("token", metavar="TOKEN", help=given)
    answer = parser.add_mutually_exclusive_group(required=True)
    answer.add_argument("--result", metavar="JSON", type=_json, help="the answer")
    answer.add_argument(
        "--fail", metavar=("TYPE", "MESSAGE"), nargs=2, help="an error as the answer"
    )
    answer.add_argument("--heartbeat", action="store_true", help="somebody is at work on it")
    add_place(parser)
    add_values(parser)
    parser.set_defaults(command=_answer)


def _answer(arguments: argparse.Namespace) -> int:
    async def send() -> str:
        async with client_of(arguments) as client:
            if arguments.heartbeat:
                await client.heartbeat(arguments.token)
                return "the heartbeat is sent"
            if arguments.fail is not None:
                await client.fail_callback(arguments.token, *arguments.fail)
            else:
                await client.complete_callback(arguments.token, arguments.result[0])
            return "the answer is sent; the execution's engine or worker takes it in"

    sys.stderr.write(f"{asyncio.run(send())}\n")
    return 0


def _json(text: str) -> tuple[Any]:
    """In a tuple, so that `null` is an answer too."""
    try:
        return (json.loads(text),)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from error
