"""`lambda-workflow schedule`: look at schedules, and steer them."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambda_workflow.cli.loading import load_app
from lambda_workflow.cli.place import add_place, client_of
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.runtime.schedule import OVERLAPS
from lambda_workflow.runtime.schedules import ScheduleInfo, Schedules
from lambda_workflow.runtime.timetable import zone_of

Act = Callable[[argparse.Namespace, Schedules], Awaitable[None]]

COLUMNS: Final = (
    "name", "workflow", "when", "overlap", "state", "started", "failed", "skipped", "missed",
    "options",
)  # fmt: skip


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("schedule", help="look at schedules, and steer them")
    ways = parser.add_subparsers(required=True, metavar="ACTION")
    _add_preview(ways)
    apply = _add(ways, "apply", _apply, "make the schedules of an App as its code has them")
    apply.add_argument("app", metavar="MODULE:APP", help="such as shop.app:app")
    list_ = _add(ways, "list", _list, "all schedules")
    show = _add(ways, "show", _show, "one schedule, its last executions and its next times", "name")
    for shown in (list_, show):
        shown.add_argument("--json", action="store_true", help="for other programs")
    pause = _add(ways, "pause", _order(_pause), "start nothing until it is resumed", "name")
    pause.add_argument("--note", default="", metavar="WORDS", help="why, for those who look")
    _add(ways, "resume", _order(lambda a, s: s.resume(a.name)), "go on from now", "name")
    _add(ways, "trigger", _order(lambda a, s: s.trigger(a.name)), "start its workflow now", "name")
    backfill = _add(ways, "backfill", _backfill, "run what was due in the past", "name")
    backfill.add_argument("start", metavar="START", help="such as 2026-01-01T00:00+01:00")
    backfill.add_argument("end", metavar="END", help="the first moment that does not count")
    backfill.add_argument(
        "--overlap", choices=OVERLAPS[1:], help="one after another, or all at once"
    )
    _add(
        ways,
        "delete",
        _order(lambda a, s: s.delete(a.name)),
        "end it; its executions go on",
        "name",
    )


def _add(ways: Any, verb: str, act: Act, words: str, *names: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = ways.add_parser(verb, help=words)
    for name in names:
        parser.add_argument(name, metavar=name.upper(), help="of the schedule")
    add_place(parser)
    parser.set_defaults(command=lambda arguments: _run(arguments, act), action=verb)
    return parser


def _add_preview(ways: Any) -> None:
    parser = ways.add_parser("preview", help="when the schedules of an App are due, before it runs")
    parser.add_argument("app", metavar="MODULE:APP", help="such as shop.app:app")
    parser.add_argument("--count", type=int, default=5, metavar="N", help="times (%(default)s)")
    parser.set_defaults(command=_preview)


def _order(act: Act) -> Act:
    """An action of which nothing is seen: it says what it has done."""

    async def told(arguments: argparse.Namespace, schedules: Schedules) -> None:
        await act(arguments, schedules)
        words = f"{arguments.action} is sent; its engine or worker obeys it"
        sys.stderr.write(f"{arguments.name}: {words}\n")

    return told


def _run(arguments: argparse.Namespace, act: Act) -> int:
    async def run() -> None:
        app = load_app(arguments.app) if hasattr(arguments, "app") else None
        async with client_of(arguments, app) as client:
            await act(arguments, client.schedules)

    asyncio.run(run())
    return 0


async def _apply(arguments: argparse.Namespace, schedules: Schedules) -> None:
    for name, done in (await schedules.apply()).items():
        sys.stdout.write(f"{name}\t{done}\n")


async def _pause(arguments: argparse.Namespace, schedules: Schedules) -> None:
    await schedules.pause(arguments.name, arguments.note)


async def _backfill(arguments: argparse.Namespace, schedules: Schedules) -> None:
    start, end = _moment(arguments.start), _moment(arguments.end)
    count = await schedules.backfill(arguments.name, start, end, overlap=arguments.overlap)
    sys.stdout.write(f"{count} times\n")


async def _list(arguments: argparse.Namespace, schedules: Schedules) -> None:
    found = sorted([info async for info in schedules.list()], key=lambda info: info.name)
    if arguments.json:
        _write_json([_in_full(info) for info in found])
    else:
        _print(COLUMNS, [_row(info) for info in found])


async def _show(arguments: argparse.Namespace, schedules: Schedules) -> None:
    info = await schedules.describe(arguments.name)
    if arguments.json:
        _write_json(_in_full(info))
        return
    _print(COLUMNS, [_row(info)])
    zone = zone_of(info.timetable.timezone)
    rows = [(f"{run.due.astimezone(zone):%F %T %z}", run.outcome, run.execution_id)
            for run in info.recent]  # fmt: skip
    rows += [(f"{due.astimezone(zone):%F %T %z}", "to come", "") for due in _next(info)]
    _print(("due", "outcome", "execution"), rows)


def _preview(arguments: argparse.Namespace) -> int:
    now, rows = datetime.now(UTC), list[tuple[str, ...]]()
    for schedule in load_app(arguments.app).schedules.values():
        zone = zone_of(schedule.timetable.timezone)
        rows += [
            (schedule.name, f"{due.astimezone(zone):%a %F %T %z}", f"{due:%F %T}")
            for due in schedule.next_times(arguments.count, now)
        ]
    _print(("schedule", "due", "in UTC"), rows)
    return 0


def _next(info: ScheduleInfo) -> list[datetime]:
    return [] if info.paused is not None else info.next_times(3, datetime.now(UTC))


def _row(info: ScheduleInfo) -> tuple[str, ...]:
    state = info.status.value if info.paused is None else f"paused {info.paused}".rstrip()
    counts = (info.started, info.failed, info.skipped, info.missed)
    when = str(info.timetable)
    return (info.name, info.workflow, when, info.overlap, state, *map(str, counts), _options(info))


def _options(info: ScheduleInfo) -> str:
    """What its author has chosen beside the timetable, as the code has it."""
    given = {"jitter": info.jitter, "catch_up": info.catch_up}
    chosen = [f"{name}={value}" for name, value in given.items() if value is not None]
    return " ".join([*chosen, *(["pause_on_failure"] if info.pause_on_failure else [])])


def _in_full(info: ScheduleInfo) -> dict[str, Any]:
    return {**asdict(info), "next": _next(info)}


def _write_json(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def _print(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on a terminal, lines with tabs elsewhere."""
    if not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(row) + "\n" for row in rows)
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text}: no time; write it as 2026-01-01T00:00+01:00") from error
