"""The options of a start: what may be given, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict

from lambda_workflow.errors import ConfigurationError, LimitExceeded
from lambda_workflow.model.arguments import check_duration, check_kind, check_moment
from lambda_workflow.model.ids import check_text
from lambda_workflow.model.limits import (
    MEMO_BYTES_MAX,
    TAG_CHARACTERS_MAX,
    TAG_NAME_CHARACTERS_MAX,
    TAGS_MAX,
)
from lambda_workflow.model.payload import Json, codec_for, dumps
from lambda_workflow.runtime.sent_start import OnConflict

YEAR: Final = timedelta(days=366)  # hosts keep timers for a little longer than this


class StartWith(TypedDict, total=False):
    """The options that `Client.start` and `Client.start_with_update` share; see `Client.start`."""

    execution_id: str | None
    on_conflict: OnConflict
    execution_timeout: timedelta | None
    delay: timedelta | None
    start_at: datetime | None
    tags: Mapping[str, str] | None
    memo: Any


def begin_ms(now: int, delay: timedelta | None, start_at: datetime | None) -> int:
    """When the code begins, in milliseconds since the epoch; 0 for at once.

    Raises:
        ConfigurationError: both are given, or it is not within 366 days.
    """
    if start_at is not None:
        if delay is not None:
            raise ConfigurationError("start: give `delay` or `start_at`, not both")
        check_moment(start_at, "start_at")
        delay = max(timedelta(0), start_at - datetime.fromtimestamp(now / 1000, UTC))
    if delay is None:
        return 0
    check_duration(delay, "delay")
    if not timedelta(0) <= delay <= YEAR:
        raise ConfigurationError(f"delay={delay}: it must be between nothing and 366 days")
    return now + round(delay / timedelta(milliseconds=1)) if delay else 0


def timeout_ms(now: int, timeout: timedelta | None, not_before: int) -> int:
    """An execution timeout in milliseconds; 0 for none.

    Raises:
        ConfigurationError: it is too short, or ends after 366 days.
    """
    if timeout is None:
        return 0
    check_duration(timeout, "execution_timeout")
    span = round(timeout / timedelta(milliseconds=1))
    ahead = max(0, not_before - now)
    if span <= 0 or timedelta(milliseconds=span + ahead) > YEAR:
        raise ConfigurationError(
            f"execution_timeout={timeout}: it must be at least a millisecond, and end within "
            "366 days of the start"
        )
    return span


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags, if there are not too many, and none is too long.

    Raises:
        ConfigurationError, LimitExceeded: says which.
    """
    check_kind(tags, Mapping, "tags", "texts by name, such as {'team': 'blue'}")
    if len(tags) > TAGS_MAX:
        raise LimitExceeded(
            f"{len(tags)} tags: the limit is {TAGS_MAX}; put the rest into the memo"
        )
    for name, text in tags.items():
        both: tuple[object, object] = (name, text)  # a number is an easy mistake
        if not all(isinstance(one, str) for one in both):
            raise ConfigurationError(f"tag {name!r}: {text!r}: name and text must be strings")
        if not 0 < len(name) <= TAG_NAME_CHARACTERS_MAX or len(text) > TAG_CHARACTERS_MAX:
            raise LimitExceeded(
                f"tag {name!r:.100}: its name may have 1 to {TAG_NAME_CHARACTERS_MAX} characters, "
                f"its text up to {TAG_CHARACTERS_MAX}"
            )
        check_text("tag", name + text)
    return dict(tags)


def checked_memo(memo: Any) -> Json:
    """A memo as JSON.

    Raises:
        EncodeError: it has no JSON form.
        LimitExceeded: it is too large.
    """
    if memo is None:
        return None
    value = codec_for(type(memo)).encode(memo, "memo")
    if (size := len(dumps(value).encode())) > MEMO_BYTES_MAX:
        raise LimitExceeded(
            f"a memo of {size} bytes: the limit is {MEMO_BYTES_MAX}; it stands in every listing"
        )
    return value
