"""What a history keeps of an exception: names and words of bounded length, JSON details."""

from __future__ import annotations

from typing import Any, Final

from lambda_workflow.errors import EncodeError, ServiceError
from lambda_workflow.model.events import Failure
from lambda_workflow.model.payload import Json, codec_for, dumps

MESSAGE_CHARACTERS_MAX: Final = 4_000  # a dump of a response in a message must not fill a record
DETAILS_CHARACTERS_MAX: Final = 16_000
STACK_CHARACTERS_MAX: Final = 4_000  # the innermost frames say it


def failure_of(error: BaseException, stack: str | None = None) -> Failure:
    """The facts of an exception; a ServiceError says its own."""
    kind = type(error)
    plain = kind.__module__ in ("builtins", "lambda_workflow.errors")
    name = kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, ServiceError):
        name = error.type
    after = error.retry_after if isinstance(error, ServiceError) else None
    return Failure(
        name,
        clipped(str(error)),
        getattr(error, "retryable", True) is not False,
        as_details(getattr(error, "details", None)),
        stack[-STACK_CHARACTERS_MAX:] if stack else None,
        max(0.0, after.total_seconds()) if after is not None else None,
    )


def as_details(details: Any) -> Json:
    """Details as JSON of bounded length; their `repr` where they have none."""
    try:
        encoded: Json = codec_for(Any).encode(details)
    except EncodeError:
        return clipped(repr(details))
    text = dumps(encoded)
    if len(text) <= DETAILS_CHARACTERS_MAX:
        return encoded
    return clipped(text, DETAILS_CHARACTERS_MAX)


def clipped(text: str, most: int = MESSAGE_CHARACTERS_MAX) -> str:
    """A text of bounded length, with word of what is left out."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most} characters more)"
