"""`lambda-workflow list|describe`: which executions there are, and where one stands."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambda_workflow.cli.loading import load_app, read_tag
from lambda_workflow.cli.place import add_place, add_values, client_of
from lambda_workflow.cli.progress import one_line
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.local.schema import resolve
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload_shown import are_values_shown
from lambda_workflow.model.payload_words import payload_words
from lambda_workflow.ports import Header

COLUMNS: Final = ("id", "workflow", "status", "started (UTC)", "custom status", "tags", "reason")
PAGE: Final = 100  # headers of one request


def add_to(commands: Any) -> None:
    """Add the commands to the parser."""
    listing = commands.add_parser("list", help="list executions, newest first")
    listing.add_argument("--workflow", metavar="NAME", help="of this workflow only")
    status = ", ".join(status.lower() for status in Status)
    listing.add_argument("--status", metavar="STATUS", type=_status, help=f"one of {status}")
    listing.add_argument("--tag", metavar="NAME=TEXT", action="append", type=read_tag, default=[])
    listing.add_argument("--limit", metavar="N", type=int, default=20, help="(%(default)s)")
    listing.add_argument("--app", metavar="MODULE:APP", help="on AWS, to list all its workflows")
    listing.set_defaults(command=_list)
    one = commands.add_parser("describe", help="show where an execution stands")
    one.add_argument("id", metavar="ID", help="the execution id")
    one.set_defaults(command=_describe)
    for parser in (listing, one):
        add_place(parser)
        parser.add_argument("--json", action="store_true", help="for other programs")
        add_values(parser)


def _list(arguments: argparse.Namespace) -> int:
    app = load_app(arguments.app) if arguments.app else None
    if arguments.aws and app is None and arguments.workflow is None:
        raise ConfigurationError("list --aws: name a --workflow, or the --app whose all are listed")

    async def read() -> list[Header]:
        async with client_of(arguments, app) as client:
            where = {"status": arguments.status, "tags": dict(arguments.tag)}
            found: list[Header] = []
            limit = min(arguments.limit, PAGE)
            async for header in client.list_all(arguments.workflow, limit=limit, **where):
                found.append(header)
                if len(found) >= arguments.limit:
                    break
            return found

    headers = asyncio.run(read())
    if not arguments.aws:
        sys.stderr.write(f"{resolve(arguments.db)}: {len(headers)} listed\n")
    if arguments.json:
        _print([_plain(header) for header in headers])
    elif not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(_row(header)) + "\n" for header in headers)
    else:
        table = Table(*COLUMNS)
        for header in headers:
            table.add_row(*map(Text, _row(header)))  # as it is: brackets are no markup
        Console().print(table)
    return 0


def _describe(arguments: argparse.Namespace) -> int:
    async def read() -> Header:
        async with client_of(arguments) as client:
            return await client.describe(arguments.id)

    plain = _plain(asyncio.run(read()))
    if arguments.json:
        _print(plain)
    else:
        shown = {name: value for name, value in plain.items() if value not in (None, "", {})}
        sys.stdout.writelines(f"{name}\t{_words(value)}\n" for name, value in shown.items())
    return 0


def _row(header: Header) -> Iterable[str]:
    plain = _plain(header)
    custom = "" if header.custom is None else _words(plain["custom"])
    tags = " ".join(f"{name}={text}" for name, text in header.tags.items())
    return (*(plain[name] for name in islice(plain, 4)), custom, tags, one_line(header.reason))


def _plain(header: Header) -> dict[str, Any]:
    return {
        "id": header.execution_id,
        "workflow": header.workflow,
        "status": header.status.value,
        "started": _time(header.started_at),
        "closed": None if header.closed_at is None else _time(header.closed_at),
        "reason": header.reason,
        "custom": _shown(header.custom),
        "tags": dict(header.tags),
        "memo": _shown(header.memo),
        "usage": header.usage._asdict(),
    }


def _shown(value: Any) -> Any:
    """What the workflow or its starter has kept there; types and sizes without `--values`."""
    return value if value is None or are_values_shown() else payload_words(value)


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _print(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def _status(text: str) -> Status:
    try:
        return Status(text.upper())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no status") from None
