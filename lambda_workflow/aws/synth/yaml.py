"""A small emitter of YAML: what a template needs, with comments, and the same text every time.

Strings stand plain where YAML reads them back as they are, else in single quotes.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.aws.synth.values import Because

WIDTH: Final = 98
_PLAIN: Final = re.compile(
    r"(?:[.]{0,2}/|[A-Za-z])[A-Za-z0-9 /_.,()+=…~;-]*(?:::?[A-Za-z0-9/_.-]+)*"
)
_OTHER_TYPES: Final = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|nan)")


@dataclass(frozen=True, slots=True)
class Tag:
    """A value with a tag, such as `!Ref Name`."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Block:
    """A text that keeps its lines, with a tag if it has one."""

    text: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Titled:
    """A value with a comment above it."""

    value: Any
    comment: str


def to_yaml(tree: Mapping[str, Any]) -> str:
    """The YAML of a tree; a top-level key after an empty line."""
    parts = ("\n".join(_mapping({key: value}, 0)) for key, value in tree.items())
    return "\n\n".join(parts) + "\n"


def _mapping(tree: Mapping[str, Any], depth: int) -> Iterator[str]:
    for number, (key, value) in enumerate(tree.items()):
        if isinstance(value, Titled | Because):
            if isinstance(value, Titled) and number:
                yield ""
            reason = value.comment if isinstance(value, Titled) else value.reason
            yield from _comment(reason, depth)
            value = value.value
        yield from _entry(f"{'  ' * depth}{_scalar(key)}:", value, depth + 1)


def _comment(text: str, depth: int) -> Iterator[str]:
    start = "  " * depth + "# "
    yield from textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=start)


def _entry(start: str, value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, Tag) and isinstance(value.value, list | tuple):
        if (line := f"{start} !{value.name} {_flow(value.value)}") and len(line) <= WIDTH:
            yield line
            return
        yield f"{start} !{value.name}"
        yield from _sequence(value.value, depth)
    elif isinstance(value, Block):
        yield f"{start}{f' !{value.tag}' if value.tag else ''} |"
        yield from ("  " * depth + line for line in value.text.splitlines())
    elif isinstance(value, Mapping) and value:
        yield start
        yield from _mapping(value, depth)
    elif isinstance(value, list | tuple) and value:
        if all(isinstance(item, str | int) for item in value):
            line = f"{start} {_flow(value)}"
            if len(line) <= WIDTH:
                yield line
                return
        yield start
        yield from _sequence(value, depth)
    else:
        yield f"{start} {_scalar(value)}"


def _sequence(items: list[Any] | tuple[Any, ...], depth: int) -> Iterator[str]:
    for item in items:
        lines = list(_entry("", item, depth + 1))
        if not lines[0].strip():
            lines.pop(0)
        yield f"{'  ' * depth}- {lines[0].strip()}"
        yield from lines[1:]


def _flow(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_flow(item) for item in value)}]"
    if isinstance(value, Tag) and isinstance(value.value, list | tuple):
        return f"!{value.name} {_flow(value.value)}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_scalar(k)}: {_flow(v)}' for k, v in value.items())}}}"
    text = _scalar(value)
    return _quoted(text) if isinstance(value, str) and "," in text and text[0] != "'" else text


def _scalar(value: Any) -> str:
    match value:
        case Tag(name, inner):
            return f"!{name} {_scalar(inner)}"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            is_plain = _PLAIN.fullmatch(value) and not _OTHER_TYPES.fullmatch(value)
            return value if is_plain and value == value.strip() else _quoted(value)
        case Mapping() | list() | tuple():
            return "{}" if isinstance(value, Mapping) else "[]"
        case _:
            raise TypeError(f"{type(value).__name__} has no YAML here")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
