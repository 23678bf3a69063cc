"""Where two payloads differ: paths, types, sizes, digests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.payload import Json
from lambda_workflow.model.payload_words import payload_digest

LINES_MAX: Final = 8


def differing(old: Json | BlobRef, new: Json | BlobRef) -> list[str]:
    """The first places where a payload of the history and one of the code differ."""
    if isinstance(old, BlobRef) or isinstance(new, BlobRef):
        return [f"payload: {payload_digest(old)} in the history, {payload_digest(new)} in the code"]
    lines: list[str] = []
    for line in _places(old, new, ""):
        if len(lines) == LINES_MAX:
            return [*lines, "and more"]
        lines.append(line)
    return lines


def _places(old: Any, new: Any, path: str) -> Iterator[str]:
    if type(old) is dict and type(new) is dict:
        for key in sorted({*old, *new}):
            here = f"{path}.{key}" if path else str(key)
            if key not in old:
                yield f"{here}: only in the code ({payload_digest(new[key])})"
            elif key not in new:
                yield f"{here}: only in the history ({payload_digest(old[key])})"
            else:
                yield from _places(old[key], new[key], here)
    elif type(old) is list and type(new) is list and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _places(*pair, f"{path}[{index}]")
    elif type(old) is not type(new) or old != new:
        both = f"{payload_digest(old)} in the history, {payload_digest(new)} in the code"
        yield f"{path or 'payload'}: {both}"
