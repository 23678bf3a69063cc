"""`lambda-workflow history`: what an execution has been through, to read or to keep."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambda_workflow.cli.place import add_place, add_values, client_of
from lambda_workflow.cli.progress import history_rows
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.exported import read_history, write_history
from lambda_workflow.model.history import History
from lambda_workflow.model.payload_shown import are_values_shown, kind_of
from lambda_workflow.model.payload_words import payload_words


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("history", help="show or export an execution's history")
    ways = parser.add_subparsers(required=True, metavar="show|export")
    show = ways.add_parser("show", help="as a table, or as JSON for other programs")
    show.add_argument("id", metavar="ID", help="the execution id")
    add_place(show)
    show.add_argument("--json", action="store_true", help="each event and command in full")
    add_values(show)
    show.set_defaults(command=lambda arguments: _with_history(arguments, _show))
    export = ways.add_parser(
        "export",
        help="as a file that assert_replays takes; a replay needs its values, so it has them",
    )
    export.add_argument("id", metavar="ID", help="the execution id")
    add_place(export)
    export.add_argument("--output", metavar="FILE", help="standard output if not given")
    export.set_defaults(command=lambda arguments: _with_history(arguments, _export))


def _with_history(arguments: argparse.Namespace, act: Any) -> int:
    async def read() -> History:
        async with client_of(arguments) as client:
            return await client.history(arguments.id)

    act(arguments, asyncio.run(read()))
    return 0


def _show(arguments: argparse.Namespace, history: History) -> None:
    if arguments.json:
        shown = read_history(write_history(history))  # without what signs callbacks
        json.dump(_in_full(shown), sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
        return
    rows = history_rows(history)
    if not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(row) + "\n" for row in rows)
        return
    table = Table("turn", "time (UTC)", "operation", "what")
    for row in rows:
        table.add_row(*map(Text, row))  # as it is: brackets are no markup
    Console().print(table)


def _export(arguments: argparse.Namespace, history: History) -> None:
    text = write_history(history)
    if arguments.output is None:
        sys.stdout.write(text)
        return
    try:
        Path(arguments.output).parent.mkdir(parents=True, exist_ok=True)
        Path(arguments.output).write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"--output {arguments.output}: {error.strerror}") from error
    sys.stderr.write(f"{arguments.output}: {history.execution_id}, {len(history.turns)} turns\n")


def _in_full(history: History) -> dict[str, Any]:
    started = history.started
    return {
        "execution_id": history.execution_id,
        "workflow": started.workflow if started else "",
        "version": started.version if started else "",
        "status": history.status.value,
        "turns": [_plain(turn) for turn in history.turns],
    }


def _plain(value: Any) -> Any:
    """Facts as JSON: a record becomes an object with its `type`."""
    if is_dataclass(value) and not isinstance(value, type):
        named = {
            field.name: _hidden(field.name, getattr(value, field.name)) for field in fields(value)
        }
        return {"type": type(value).__name__, **named}
    if isinstance(value, tuple):
        return value._asdict() if hasattr(value, "_asdict") else [_plain(one) for one in value]
    return value


_PAYLOADS: Final = ("payload", "request", "details", "memo")
_TEXTS: Final = ("message", "stack")


def _hidden(name: str, value: Any) -> Any:
    """A field as JSON; one that has values of payloads as words, unless values are shown."""
    if are_values_shown() or value is None:
        return _plain(value)
    if name in _PAYLOADS and not isinstance(value, BlobRef):
        return payload_words(value)
    return kind_of(value) if name in _TEXTS else _plain(value)
