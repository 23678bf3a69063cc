"""Writes docs/reference.md from the docstrings of what is public.

python -m tests.docs.reference > docs/reference.md
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import lambda_workflow
from lambda_workflow import testing
from lambda_workflow.aws import answers, backend, handlers, worker
from lambda_workflow.local import Engine, SkippingClock, SqliteFile
from lambda_workflow.runtime.client import Handle, SyncClient
from lambda_workflow.runtime.schedules import ScheduleInfo, Schedules

SECTIONS: Final = ("Args:", "Attributes:", "Raises:")
ENTRY: Final = re.compile(r"    ([\w, ]+): (.*)")
HEAD: Final = """# Reference
Every public name with its docstring; written by `python -m tests.docs.reference`.
"""
ROOMS: Final[dict[str, dict[str, Any]]] = {
    "lambda_workflow": {
        **{name: getattr(lambda_workflow, name) for name in lambda_workflow.__all__},
        "Handle": Handle,
        "SyncClient": SyncClient,
        "ScheduleInfo": ScheduleInfo,
        "Schedules": Schedules,
    },
    "lambda_workflow.local": {
        "Engine": Engine,
        "SkippingClock": SkippingClock,
        "SqliteFile": SqliteFile,
    },
    "lambda_workflow.testing": {name: getattr(testing, name) for name in testing.__all__},
    "lambda_workflow.aws.handlers": {
        "lambda_handler": handlers.lambda_handler,
        "service_handler": handlers.service_handler,
    },
    "lambda_workflow.aws.answers": {name: getattr(answers, name) for name in answers.__all__},
    "lambda_workflow.aws.backend": {"client_for": backend.client_for},
    "lambda_workflow.aws.worker": {"run_worker": worker.run_worker},
}


def reference() -> str:
    """The page."""
    parts = [HEAD]
    for room, names in ROOMS.items():
        parts.append(f"\n## `{room}`\n")
        for name in sorted(names, key=str.lower):
            parts += _entry(name, names[name])
    return "".join(parts)


def _entry(name: str, value: Any) -> Iterator[str]:
    yield f"\n### `{name}{_signature(value)}`\n"
    yield _text(value)
    if inspect.isclass(value):
        for member, function in _members(value):
            function = getattr(function, "__func__", function)
            shown = inspect.isfunction(function) or isinstance(function, property)
            if not shown or member.startswith("_") or not inspect.getdoc(function):
                continue
            yield f"\n#### `{name}.{member}{_signature(function)}`\n"
            yield _text(function)


def _members(value: type) -> Iterator[tuple[str, Any]]:
    """Of the class, and of those bases of this package that have no entry of their own."""
    public = {id(one) for names in ROOMS.values() for one in names.values()}
    for base in value.__mro__:
        if base is value or (base.__module__.startswith("lambda_w") and id(base) not in public):
            yield from vars(base).items()


def _signature(value: Any) -> str:
    if isinstance(value, property) or not callable(value):
        return ""
    if inspect.isclass(value) and issubclass(value, BaseException | Enum):
        return ""
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:
        return ""
    words = []
    for parameter in parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            words.append(f"{parameter.name}=")
        else:
            words.append(str(parameter).partition(":")[0].partition("=")[0])
    return f"({', '.join(words)})"


def _text(value: Any) -> str:
    doc = inspect.getdoc(value) if callable(value) or isinstance(value, property) else None
    if doc is None:
        doc = "A constant." if not callable(value) else ""
    lines: list[str] = []
    section = ""
    for line in doc.splitlines():
        if line in SECTIONS:
            section = line
            lines += [f"**{line.removesuffix(':')}**", ""]
        elif section and (entry := ENTRY.match(line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif section and line.startswith("    "):
            lines.append(f"  {line.strip()}")
        else:
            section = ""
            lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
