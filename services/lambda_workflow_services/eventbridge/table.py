"""The table of `eventbridge_wait`: waiters, events that came, and what became of each wait.

Laws
 1. What came is put down before it is looked who waits for it, and a waiter is put down before it
    is looked what came; both looks are consistent reads. So whichever is second finds the first.
 2. A wait has one end, the first that is put down under its task's id: an event, or that its time
    is over. Every delivery of the task, and every event that matches, goes by that.
 3. Expired items count as gone, whenever DynamoDB gets round to deleting them.

Keys: `waiter⏎source⏎detail type` / task id, `event⏎source⏎detail type` / time and event id,
`end⏎task id` / 0, and `part⏎event id` / number for what is over an item's size.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lambda_workflow import BusEvent, Task
from lambda_workflow.aws.answers import parse_task, render_task
from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.model.bus_events import parse_bus_event, render_bus_event
from lambda_workflow_services.eventbridge import Wait

ITEM_BYTES_MAX: Final = 380_000  # of 400 KB; keys and the rest are below 4 KB
END_SECONDS: Final = 15 * 86_400  # no queue keeps a task or an event longer than 14 days


@dataclass(frozen=True, slots=True)
class Waiter:
    """A task that waits; `until` its time is over, in milliseconds since the epoch."""

    task: Task
    wait: Wait
    until: int


@dataclass(frozen=True, slots=True)
class End:
    """How a wait ended; without an event its time was over."""

    event: BusEvent | None


class WaitTable:
    """See the module.

    Args:
        keep_seconds: how long events are kept for those who come late.
        now: milliseconds since the epoch.
    """

    def __init__(self, aws: Aws, name: str, keep_seconds: int, now: Callable[[], int]) -> None:
        self._aws = aws
        self._name = name
        self._keep_seconds = keep_seconds
        self.now = now

    async def put_waiter(self, waiter: Waiter) -> Waiter:
        """Put a waiter down, or its task's newer attempt; the waiter as it stands: a wait that is
        delivered again is not prolonged."""
        place = _key("waiter", waiter.wait, waiter.task.task_id)
        answer = await self._aws.call(
            "dynamodb",
            "UpdateItem",
            TableName=self._name,
            Key=place,
            UpdateExpression="SET #t = :t, w = :w, u = if_not_exists(u, :u), "
            "x = if_not_exists(x, :x)",
            ExpressionAttributeNames={"#t": "t"},
            ExpressionAttributeValues={
                ":t": {"S": render_task(waiter.task)},
                ":w": {"S": waiter.wait.model_dump_json()},
                ":u": {"N": str(waiter.until)},
                ":x": {"N": str(waiter.until // 1000 + END_SECONDS)},
            },
            ReturnValues="ALL_NEW",
        )
        return _waiter(answer["Attributes"])

    async def remove(self, waiter: Waiter) -> None:
        """Nobody needs to be looked for any more."""
        place = _key("waiter", waiter.wait, waiter.task.task_id)
        await self._aws.call("dynamodb", "DeleteItem", TableName=self._name, Key=place)

    async def waiters(self, event: BusEvent) -> list[Waiter]:
        """Who waits for events of this source and type, and whose time is not over."""
        found = [_waiter(item) async for item in self._query(_group("waiter", event))]
        return [waiter for waiter in found if waiter.until > self.now()]

    async def put_event(self, event: BusEvent) -> None:
        """Keep an event."""
        expiry = self.now() // 1000 + self._keep_seconds
        place = f"{_milliseconds(event.time):015d}/{event.id}"
        item = {**_key("event", event, place), **await self._content(event), "x": _number(expiry)}
        await self._aws.call("dynamodb", "PutItem", TableName=self._name, Item=item)

    async def events(self, wait: Wait) -> AsyncIterator[BusEvent]:
        """The events kept that a wait may be for, the oldest first."""
        low = 0 if wait.since is None else _milliseconds(wait.since.replace(microsecond=0))
        async for item in self._query(_group("event", wait), f"{low:015d}"):
            if int(item["x"]["N"]) * 1000 > self.now():
                yield await self._event(item)

    async def end(self, task_id: str) -> End | None:
        """How a wait has ended; None if it goes on."""
        answer = await self._aws.call(
            "dynamodb",
            "GetItem",
            TableName=self._name,
            Key=_end_key(task_id),
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return await self._end(item) if item else None

    async def settle(self, task_id: str, event: BusEvent | None) -> End:
        """End a wait, unless it has ended; how it has ended."""
        content = {} if event is None else await self._content(event)
        expiry = _number(self.now() // 1000 + END_SECONDS)
        try:
            await self._aws.call(
                "dynamodb",
                "PutItem",
                TableName=self._name,
                Item={**_end_key(task_id), **content, "x": expiry},
                ConditionExpression="attribute_not_exists(id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return await self._end(error.response["Item"])
        return End(event)

    async def _end(self, item: dict[str, Any]) -> End:
        return End(await self._event(item) if "d" in item or "p" in item else None)

    async def _content(self, event: BusEvent) -> dict[str, Any]:
        """The attribute that holds an event, or counts its parts, which are put first."""
        packed = zlib.compress(render_bus_event(event).encode())
        if len(packed) <= ITEM_BYTES_MAX:
            return {"d": {"B": packed}}
        expiry = _number(self.now() // 1000 + self._keep_seconds + END_SECONDS)
        starts = range(0, len(packed), ITEM_BYTES_MAX)
        for number, start in enumerate(starts):
            part = {
                "id": {"S": f"part\n{event.id}"},
                "n": {"S": str(number)},
                "d": {"B": packed[start : start + ITEM_BYTES_MAX]},
                "x": expiry,
            }
            await self._aws.call("dynamodb", "PutItem", TableName=self._name, Item=part)
        return {"p": _number(len(starts)), "e": {"S": event.id}}

    async def _event(self, item: dict[str, Any]) -> BusEvent:
        if "d" in item:
            packed = item["d"]["B"]
        else:
            group = f"part\n{item['e']['S']}"
            parts = {p["n"]["S"]: p["d"]["B"] async for p in self._query(group)}
            packed = b"".join(parts[str(number)] for number in range(int(item["p"]["N"])))
        return parse_bus_event(zlib.decompress(packed).decode())

    async def _query(self, group: str, low: str = "") -> AsyncIterator[dict[str, Any]]:
        start: dict[str, Any] = {}
        values = {":id": {"S": group}, **({":low": {"S": low}} if low else {})}
        while True:
            page = await self._aws.call(
                "dynamodb",
                "Query",
                TableName=self._name,
                KeyConditionExpression="id = :id" + (" AND n >= :low" if low else ""),
                ExpressionAttributeValues=values,
                ConsistentRead=True,
                **start,
            )
            for item in page["Items"]:
                yield item
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _group(kind: str, of: Wait | BusEvent) -> str:
    return f"{kind}\n{of.source}\n{of.detail_type}"


def _key(kind: str, of: Wait | BusEvent, place: str) -> dict[str, Any]:
    return {"id": {"S": _group(kind, of)}, "n": {"S": place}}


def _end_key(task_id: str) -> dict[str, Any]:
    return {"id": {"S": f"end\n{task_id}"}, "n": {"S": "0"}}


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}


def _waiter(item: dict[str, Any]) -> Waiter:
    task, wait = parse_task(item["t"]["S"]), Wait.model_validate_json(item["w"]["S"])
    return Waiter(task, wait, int(item["u"]["N"]))


def _milliseconds(time: datetime) -> int:
    return max(0, int(time.astimezone(UTC).timestamp() * 1000))
