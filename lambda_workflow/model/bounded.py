"""Texts and details of errors, made such that every store and queue can keep them.

Law: nothing here raises, whatever it is given. Recording an error can never fail.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from lambda_workflow.model.limits import (
    DEPTH_MAX,
    ERROR_DETAILS_CHARACTERS_MAX,
    ERROR_MESSAGE_CHARACTERS_MAX,
    RETRY_AFTER_SECONDS_MAX,
)
from lambda_workflow.model.payload import Json, codec_for, dumps
from lambda_workflow.model.payload_text import is_within_depth

__all__ = ["as_details", "clipped", "encodable", "seconds_of", "text_of"]

_ANYTHING = (Exception, SystemExit, GeneratorExit)  # what the code of a value may raise


def encodable(text: str) -> str:
    r"""The text, lone surrogates written as `\udcff`: UTF-8 has no form for half a character."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def clipped(text: str, most: int = ERROR_MESSAGE_CHARACTERS_MAX) -> str:
    """A text of bounded length, with word of what is left out; cut again, it stays as it is."""
    if len(text) <= most:
        return text
    rest = f"… ({len(text) - most} characters more)"
    if text.endswith(" characters more)") and len(text) <= most + len(rest) + 12:
        return text  # this function has cut it
    return f"{text[:most]}{rest}"


def text_of(value: object) -> str:
    """`str(value)` in a form that can be kept; the type's name where that raises."""
    try:
        return encodable(str(value))
    except _ANYTHING as error:  # the law above
        return f"({type(value).__qualname__}, whose text raises {type(error).__qualname__})"


def as_details(details: Any) -> Json:
    """Details as JSON of bounded length and depth; their `repr` where they have no JSON form."""
    if details is None:
        return None
    try:
        encoded: Json = codec_for(Any).encode(details)
        if type(encoded) is str:
            return clipped(encoded, ERROR_DETAILS_CHARACTERS_MAX)
        if is_within_depth(encoded, DEPTH_MAX):
            text = dumps(encoded)
            if len(text) <= ERROR_DETAILS_CHARACTERS_MAX:
                return encoded
            return clipped(text, ERROR_DETAILS_CHARACTERS_MAX)
    except _ANYTHING:  # the law above; the next line says what can be said
        pass
    return _shown(details)


def _shown(details: Any) -> str:
    try:
        return clipped(encodable(repr(details)))
    except _ANYTHING as error:  # the law above
        return f"({type(details).__qualname__}, whose repr raises {type(error).__qualname__})"


def seconds_of(delay: object) -> float | None:
    """A delay in seconds that a timer can keep; None for what is no delay."""
    if type(delay) is int:
        return min(delay, RETRY_AFTER_SECONDS_MAX) if delay >= 0 else None
    if isinstance(delay, float) and isfinite(delay) and delay >= 0:
        return min(delay, RETRY_AFTER_SECONDS_MAX)
    return None
