"""Events of an event bus, as a rule puts them on a service's queue: EventBridge's JSON envelope.

They are no part of a history; those are in events.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lambda_workflow.errors import MessageError
from lambda_workflow.model.payload import Json, dumps, loads

_TEXTS: Final = ("id", "source", "detail-type", "time")


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event that a rule has sent to the queue of a service.

    Attributes:
        id: the bus's own; a repeated delivery has the same one.
        source: who tells it: `aws.s3`, or a name of the publisher's own.
        detail_type: what has happened.
        detail: a JSON object.
        time: when, to the second, as the publisher or the bus says; in UTC.
        resources: what it is about, usually ARNs.
        account: whose event it is.
        region: where it happened.
    """

    id: str
    source: str
    detail_type: str
    detail: Json
    time: datetime
    resources: tuple[str, ...] = ()
    account: str = ""
    region: str = ""

    def to_json(self) -> dict[str, Any]:
        """The envelope, as `parse_bus_event` reads it."""
        return {
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": self.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.region,
            "resources": list(self.resources),
            "detail": self.detail,
        }


def render_bus_event(event: BusEvent) -> str:
    """The envelope's JSON text."""
    return dumps(event.to_json())


def parse_bus_event(body: str) -> BusEvent:
    """The event in a queue message's body.

    Raises:
        MessageError: it is no envelope of an event; says why.
    """
    try:
        data = loads(body)
    except ValueError as error:
        raise MessageError(f"not JSON ({error})") from error
    if not isinstance(data, dict) or not isinstance(data.get("detail"), dict):
        raise MessageError("no event: `detail` is missing or not an object")
    if not isinstance(resources := data.get("resources") or [], list):
        raise MessageError("no event: `resources` is not a list")
    for name in _TEXTS:
        if not isinstance(data.get(name), str) or not data[name]:
            raise MessageError(f"no event: `{name}` is missing or not a non-empty string")
    try:
        time = datetime.fromisoformat(data["time"])
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise MessageError(f"`time` is {data['time']!r}, which is no time") from error
    return BusEvent(
        data["id"],
        data["source"],
        data["detail-type"],
        data["detail"],
        time,
        tuple(map(str, resources)),
        str(data.get("account") or ""),
        str(data.get("region") or ""),
    )
