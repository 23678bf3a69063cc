"""The contracts of the services `eventbridge_publish` and `eventbridge_wait`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lambda_workflow import BusEvent, RetryPolicy, Service
from lambda_workflow_services.eventbridge.patterns import check_match

__all__ = ["PUBLISH", "WAIT", "BusEvent", "Publish", "Published", "Wait"]

DETAIL_TYPE_CHARACTERS_MAX: Final = 128  # PutEvents, DetailType
SOURCE_CHARACTERS_MAX: Final = 256  # of a pattern that matches it
WAIT_MAX: Final = timedelta(days=366)  # as long as a timer may be

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("it must not have control characters")
    return text


class Publish(BaseModel):
    """An event to put on a bus.

    Args:
        source: who tells it, such as "shop.orders"; "aws." is AWS's own.
        detail_type: what has happened, such as "Order Paid".
        detail: a JSON object, or a pydantic model.
        resources: what it is about, usually ARNs; the task's id is added as the last one.
        bus: one of those that the deployment allows, by name or ARN; empty for the first of them.
        time: when it happened; when it is published, if not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: str = Field(min_length=1, max_length=SOURCE_CHARACTERS_MAX)
    detail_type: str = Field(min_length=1, max_length=DETAIL_TYPE_CHARACTERS_MAX)
    detail: dict[str, Any] = {}
    resources: list[str] = []
    bus: str = ""
    time: datetime | None = None

    @field_validator("source")
    @classmethod
    def _check_source(cls, source: str) -> str:
        if source.startswith("aws."):
            raise ValueError("sources that begin with 'aws.' are AWS's own: choose another")
        return _printable(source)

    @field_validator("detail", mode="before")
    @classmethod
    def _dump_model(cls, detail: object) -> object:
        return detail.model_dump(mode="json") if isinstance(detail, BaseModel) else detail

    @field_validator("time")
    @classmethod
    def _check_time(cls, time: datetime | None) -> datetime | None:
        return _aware(time)


class Published(BaseModel):
    """That EventBridge has the event; it delivers it to the rules that match, at least once."""

    model_config = ConfigDict(frozen=True)

    event_id: str


class Wait(BaseModel):
    """What event to wait for; the result is the first one that matches, a `BusEvent`.

    Args:
        source: exactly; it must be one that the deployment's rule lets through, as must all of it.
        detail_type: exactly.
        match: paths into the detail and what is there, such as {"order.id": "7"}; all must hold.
            See the README for prefix, suffix, exists, anything-but and numeric.
        timeout: then the call fails with `WaitTimedOut`.
        since: events of before do not count, by their own time, to the second; None takes those
            too that came before the wait, as far as they are still kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: str = Field(min_length=1, max_length=SOURCE_CHARACTERS_MAX)
    detail_type: str = Field(min_length=1, max_length=DETAIL_TYPE_CHARACTERS_MAX)
    match: dict[str, Any] = {}
    timeout: timedelta = Field(default=timedelta(days=1), gt=timedelta(0), le=WAIT_MAX)
    since: datetime | None = None

    @field_validator("source", "detail_type")
    @classmethod
    def _check_text(cls, text: str) -> str:
        return _printable(text)

    @field_validator("match")
    @classmethod
    def _check_match(cls, match: dict[str, Any]) -> dict[str, Any]:
        check_match(match)
        return match

    @field_validator("since")
    @classmethod
    def _check_since(cls, since: datetime | None) -> datetime | None:
        return _aware(since)


def _aware(time: datetime | None) -> datetime | None:
    if time is not None and time.tzinfo is None:
        raise ValueError("a time without a zone: write it in UTC, as ctx.now() is")
    return None if time is None else time.astimezone(UTC)


PUBLISH: Final = Service(
    "eventbridge_publish",
    Publish,
    Published,
    attempt_timeout=timedelta(minutes=16),
    retry=RetryPolicy(attempts=5, initial=timedelta(seconds=2)),
)
WAIT: Final[Service[Wait, BusEvent]] = Service("eventbridge_wait", Wait, BusEvent)
