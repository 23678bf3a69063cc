"""Recorded payloads and errors for a reader: types, sizes and digests, and values where shown."""

from __future__ import annotations

from typing import Final

from lambda_workflow.model.events import BlobRef, Failure
from lambda_workflow.model.history import digest
from lambda_workflow.model.payload import Json, dumps
from lambda_workflow.model.payload_shown import are_values_shown, kind_of

CHARACTERS_MAX: Final = 120


def payload_words(payload: Json | BlobRef, most: int = CHARACTERS_MAX) -> str:
    """`dict of 2, 45 bytes`; or the JSON text itself where values are shown, cut short."""
    if isinstance(payload, BlobRef):
        return f"{payload.bytes} bytes, stored apart"
    text = dumps(payload)
    if are_values_shown():
        return text if len(text) <= most else f"{text[: most - 1]}…"
    if payload is None or isinstance(payload, bool | int | float):
        return kind_of(payload)
    return f"{kind_of(payload)}, {len(text.encode())} bytes"


def payload_digest(payload: Json | BlobRef) -> str:
    """The same for a reader who compares: with the digest, where the value is not shown."""
    words = payload_words(payload)
    is_whole = are_values_shown() and not isinstance(payload, BlobRef)
    return words if is_whole else f"{words}, digest {digest(payload)[:8]}"


def failure_words(failure: Failure, most: int = CHARACTERS_MAX) -> str:
    """The type of an error, and its message, which may have values in it, where they are shown."""
    if not are_values_shown() or not failure.message:
        return failure.type
    text = f"{failure.type}: {failure.message}"
    return text if len(text) <= most else f"{text[: most - 1]}…"
