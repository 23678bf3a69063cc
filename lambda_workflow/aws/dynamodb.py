"""The store on DynamoDB: one table, one conditional put a turn.

Laws
 1. An item is `(execution_id, turn)`; it is put on the condition that it does not exist. An equal
    item in its place is our own, whose answer was lost.
 2. The first turn's item carries the header, and the sparse index `listing` carries that.
 3. A closed execution's first and last item expire after the retention. The items between cannot
    know when it will close; every item expires HORIZON_DAYS after it was written at the latest, and
    is renewed when a turn comes in the second half of that time, so that no live execution that
    wakes at least once in HORIZON_DAYS / 2 loses its history. Nor does one that replaces a closed
    one: what that has left is renewed with its first turn.
 4. The item of a turn with which a later run begins has the mark `b`. Reading goes backwards, and
    ends there: what it costs does not grow with the runs before. An execution is gone as soon as
    one of these items has expired or is missing. Only they, and the header, are renewed: of an
    execution that lives for years the earlier runs expire.
 5. An id is free once its execution is gone, though DynamoDB takes days to delete the last items,
    and keeps those between for the horizon. Before another first item is put, what is left is
    marked DEAD; what is dead is not read, not renewed, and written over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Self

from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.listing import INDEX, Listing, header_attributes, is_kept, listed_bytes
from lambda_workflow.errors import Conflict
from lambda_workflow.model.events import Started
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import read_units
from lambda_workflow.ports import Clock, Commit, Effect, Header, Loaded, Page, Query

FIRST_ITEMS_MAX: Final = 64  # of the first page read: nearly always all, and of many runs not many
HORIZON_DAYS: Final = 800  # twice the longest timer (366 days) and more
DEAD: Final = "1"  # expiry, in seconds since 1970, of what is left of an execution that is gone
REMAINS_MAX: Final = 10_000  # ids in memory
_DAY_MS: Final = 24 * 3_600_000
_HALF_MS: Final = HORIZON_DAYS * _DAY_MS // 2
_KEYS_BYTES: Final = 5 + 2 + 6  # names, turn and expiry of an item, beside the id and the record


def table_definition(name: str) -> dict[str, Any]:
    """The parameters of CreateTable."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
            {"AttributeName": "lk", "AttributeType": "S"},
            {"AttributeName": "ls", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "n", "KeyType": "RANGE"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": INDEX,
                "KeySchema": [
                    {"AttributeName": "lk", "KeyType": "HASH"},
                    {"AttributeName": "ls", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["h", "x"]},
            }
        ],
    }


class DynamoStore:
    """See the module's laws.

    Args:
        workflows: the names that a listing over all workflows goes through.
    """

    transactional: Final = False

    def __init__(
        self, aws: Aws, table: str, clock: Clock, *, workflows: Sequence[str], retention_days: int
    ) -> None:
        self._aws = aws
        self._table = table
        self._clock = clock
        self._retention_ms = retention_days * _DAY_MS
        self._listing = Listing(aws, table, clock, workflows)
        self._remains: set[str] = set()  # ids whose execution is gone, and its items are not

    async def load(self, execution_id: str, *, whole: bool = False) -> Loaded:
        texts: list[str] = []
        size, complete, below = 0, 0, ""
        keys = len(execution_id) + _KEYS_BYTES
        async for items in self._backwards(execution_id):
            for item in items:
                if item["x"]["N"] == DEAD:
                    continue
                text = item["d"]["S"]
                size += keys + listed_bytes(item)
                size += len(text) if text.isascii() else len(text.encode())
                if complete and not whole:  # of an earlier run, and paid for
                    continue
                if not is_kept(item, self._clock.now()) or (below and item["n"]["N"] != below):
                    return self._loaded(execution_id, texts[:complete], size)
                texts.append(text)
                below = str(int(item["n"]["N"]) - 1)
                if "b" in item or below == "0":
                    complete = len(texts)
            if complete and not whole:
                break
        return self._loaded(execution_id, texts[:complete], size)

    def _loaded(self, execution_id: str, backwards: list[str], size: int) -> Loaded:
        if size and not backwards:
            if len(self._remains) >= REMAINS_MAX:
                self._remains.clear()
            self._remains.add(execution_id)
        return Loaded(backwards[::-1], read_units(size))

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        turn, execution_id = commit.turn, commit.execution_id
        item: dict[str, Any] = {
            "id": {"S": execution_id},
            "n": {"N": str(turn.number)},
            "d": {"S": commit.text},
            "x": {"N": str(self._expiry(commit.header))},
        }
        if commit.begins_run:
            item["b"] = {"BOOL": True}
        if turn.number == 1:
            item |= header_attributes(commit.header)
            if execution_id in self._remains:
                await self._bury(execution_id)
        await self._put(item)
        is_old = turn.at - commit.run_began > _HALF_MS
        if is_old or _replaces(turn):
            await self._renew(execution_id, turn.at, whole=not is_old)
        return commit.effects

    async def _put(self, item: dict[str, Any], over: str = "") -> None:
        """Put an item where there is none, or over one that is dead and expires then."""
        try:
            await self._aws.call(
                "dynamodb",
                "PutItem",
                TableName=self._table,
                Item=item,
                ConditionExpression="x = :x" if over else "attribute_not_exists(id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **({"ExpressionAttributeValues": {":x": {"N": over}}} if over else {}),
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            present = error.response.get("Item", {})
            if present.get("d") == item["d"]:
                return
            if not over and "x" in present and self._is_over(present):
                await self._put(item, over=present["x"]["N"])
                return
            raise Conflict(
                f"turn {item['n']['N']} of execution {item['id']['S']} was committed by another "
                "worker"
            ) from error

    def _is_over(self, item: dict[str, Any]) -> bool:
        """Whether an item is of an execution that is gone: the first one of it has expired."""
        is_first = item["n"]["N"] == "1"
        return item["x"]["N"] == DEAD or (is_first and not is_kept(item, self._clock.now()))

    async def _bury(self, execution_id: str) -> None:
        """Mark what is left of an execution that is gone; what another worker has begun stays."""
        async for items in self._backwards(execution_id):
            for item in items:
                if item["n"]["N"] != "1" and item["x"]["N"] != DEAD:
                    await self._set_expiry(execution_id, item["n"]["N"], DEAD, item["x"]["N"])
        self._remains.discard(execution_id)

    async def put_header(self, header: Header) -> None:
        await self._listing.put(header, self._expiry(header))

    async def header(self, execution_id: str) -> Header | None:
        return await self._listing.get(execution_id)

    async def list(self, query: Query) -> Page:
        return await self._listing.page(query)

    def _backwards(self, execution_id: str) -> _Pages:
        query = {
            "TableName": self._table,
            "KeyConditionExpression": "id = :id",
            "ExpressionAttributeValues": {":id": {"S": execution_id}},
            "ConsistentRead": True,
            "ScanIndexForward": False,
        }
        return _Pages(self._aws, query)

    async def _renew(self, execution_id: str, now: int, *, whole: bool) -> None:
        """Move the expiry of the present run's items that have passed half of it, or of all."""
        async for items in self._backwards(execution_id):
            for item in items:
                if item["x"]["N"] == DEAD:
                    continue
                begins = "b" in item and not whole
                if int(item["x"]["N"]) * 1000 - now < _HALF_MS:
                    await self._extend(execution_id, item["n"]["N"], now)
                    if begins:  # the first item has the header: it is as old as its last run
                        await self._extend(execution_id, "1", now)
                if begins:
                    return

    async def _extend(self, execution_id: str, number: str, now: int) -> None:
        await self._set_expiry(execution_id, number, str((now + 2 * _HALF_MS) // 1000))

    async def _set_expiry(
        self, execution_id: str, number: str, expiry: str, present: str = ""
    ) -> None:
        """Set when an item expires, if it is there, and expires at the `present` time yet."""
        values = {":x": {"N": expiry}, **({":p": {"N": present}} if present else {})}
        try:
            await self._aws.call(
                "dynamodb",
                "UpdateItem",
                TableName=self._table,
                Key={"id": {"S": execution_id}, "n": {"N": number}},
                UpdateExpression="SET x = :x",
                ConditionExpression="x = :p" if present else "attribute_exists(id)",
                ExpressionAttributeValues=values,
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    def _expiry(self, header: Header) -> int:
        """Seconds since the epoch, as DynamoDB's TTL wants it."""
        kept = self._retention_ms if header.closed_at is not None else HORIZON_DAYS * _DAY_MS
        return (self._clock.now() + kept) // 1000


class _Pages:
    """Items by pages. No generator, which takes a task of the event loop to leave early."""

    def __init__(self, aws: Aws, query: dict[str, Any]) -> None:
        self._aws = aws
        self._query = query
        self._more: dict[str, Any] | None = {"Limit": FIRST_ITEMS_MAX}

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[dict[str, Any]]:
        if self._more is None:
            raise StopAsyncIteration
        page = await self._aws.call("dynamodb", "Query", **self._query, **self._more)
        start = page.get("LastEvaluatedKey")
        self._more = {"ExclusiveStartKey": start} if start else None
        items: Sequence[dict[str, Any]] = page["Items"]
        return items


def _replaces(turn: Turn) -> bool:
    """Whether it begins anew under the id of an execution that has ended."""
    first = turn.events[0] if turn.events and turn.number > 1 else None
    return isinstance(first, Started) and not first.run.since
