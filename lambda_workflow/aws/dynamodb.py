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
 4. A record that no item can hold (a turn that starts thousands of calls) stands in chunk items,
    named by its content and put before the item that refers to it.
 5. The item of a turn with which a later run begins has the mark `b`. Reading goes backwards, and
    ends there: what it costs does not grow with the runs before. An execution is gone as soon as
    one of these items has expired or is missing. Only they, and the header, are renewed: of an
    execution that lives for years the earlier runs expire.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final, Self

from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.errors import BackendError, ConfigurationError, Conflict
from lambda_workflow.model.events import Started
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.turn import Turn
from lambda_workflow.model.usage import Usage, read_units
from lambda_workflow.ports import Clock, Commit, Effect, Header, Loaded, Page, Query

INDEX: Final = "listing"
FIRST_ITEMS_MAX: Final = 64  # of the first page read: nearly always all, and of many runs not many
HORIZON_DAYS: Final = 800  # twice the longest timer (366 days) and more
CHUNK_BYTES: Final = 390_000  # an item may have 400 KB
_DAY_MS: Final = 24 * 3_600_000
_HALF_MS: Final = HORIZON_DAYS * _DAY_MS // 2
_Rows = list[tuple[str, Header]]
_CHUNK_KEY: Final = "blob:"
_KEYS_BYTES: Final = 5 + 2 + 6  # names, turn and expiry of an item, beside the id and the record
_LISTED_BYTES: Final = 7 + 3  # names of the header's attributes, and the turn that it is of


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
        self._workflows = tuple(workflows)
        self._retention_ms = retention_days * _DAY_MS
        self._chunks = DynamoBlobs(aws, table, clock)

    async def load(self, execution_id: str, *, whole: bool = False) -> Loaded:
        texts: list[str] = []
        size, complete, below = 0, 0, ""
        keys = len(execution_id) + _KEYS_BYTES
        async for items in self._backwards(execution_id):
            for item in items:
                size += keys + _listed_bytes(item)
                if complete and not whole:  # of an earlier run, and paid for
                    size += len(item["d"]["S"].encode() if "d" in item else "")
                    continue
                text = item["d"]["S"] if "d" in item else await self._text(item)
                size += len(text) if text.isascii() else len(text.encode())
                if not self._is_kept(item) or (below and item["n"]["N"] != below):
                    return Loaded(texts[:complete][::-1], read_units(size))
                texts.append(text)
                below = str(int(item["n"]["N"]) - 1)
                if "b" in item or below == "0":
                    complete = len(texts)
            if complete and not whole:
                break
        return Loaded(texts[:complete][::-1], read_units(size))

    async def commit(self, commit: Commit) -> Sequence[Effect]:
        turn, execution_id = commit.turn, commit.execution_id
        item: dict[str, Any] = {
            "id": {"S": execution_id},
            "n": {"N": str(turn.number)},
            "x": {"N": str(self._expiry(commit.header))},
        }
        record = await self._record(commit.text)
        item |= record
        if commit.begins_run:
            item["b"] = {"BOOL": True}
        if turn.number == 1:
            item |= _header_attributes(commit.header)
        try:
            await self._aws.call(
                "dynamodb",
                "PutItem",
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            present = error.response.get("Item", {})
            if any(present.get(name) != value for name, value in record.items()):
                raise Conflict(
                    f"turn {turn.number} of execution {execution_id} was committed by another "
                    "worker"
                ) from error
        is_old = turn.at - commit.run_began > _HALF_MS
        if is_old or _replaces(turn):
            await self._renew(execution_id, turn.at, whole=not is_old)
        return commit.effects

    async def put_header(self, header: Header) -> None:
        values = {f":{k}": v for k, v in _header_attributes(header).items()}
        values[":x"] = {"N": str(self._expiry(header))}
        try:
            await self._aws.call(
                "dynamodb",
                "UpdateItem",
                TableName=self._table,
                Key={"id": {"S": header.execution_id}, "n": {"N": "1"}},
                UpdateExpression="SET h = :h, ht = :ht, lk = :lk, ls = :ls, x = :x",
                ConditionExpression="ht < :ht",
                ExpressionAttributeValues=values,
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    async def header(self, execution_id: str) -> Header | None:
        answer = await self._aws.call(
            "dynamodb",
            "GetItem",
            TableName=self._table,
            Key={"id": {"S": execution_id}, "n": {"N": "1"}},
            ConsistentRead=True,
            ProjectionExpression="id, h, x",
        )
        item = answer.get("Item")
        return _header(item) if item and self._is_kept(item) else None

    async def list(self, query: Query) -> Page:
        """Queries one partition of the index for each workflow and status, and merges them."""
        names = (query.workflow,) if query.workflow is not None else self._workflows
        statuses = (query.status,) if query.status is not None else tuple(Status)
        below = _parse_cursor(query.cursor) if query.cursor else None
        if query.started_before is not None:
            before = f"{query.started_before:015d}"
            below = min(below, before) if below else before
        newest: dict[str, Header] = {}  # one that changes its status meanwhile is met twice
        for name in names:
            for status in statuses:
                for place, header in await self._partition(f"{name}/{status}", query, below):
                    if place not in newest or newest[place].turn < header.turn:
                        newest[place] = header
        found = sorted(newest.items(), key=lambda pair: pair[0], reverse=True)
        page = found[: query.limit]
        cursor = _cursor(page[-1][0]) if len(found) > query.limit and page else None
        return Page([header for _, header in page], cursor)

    async def _record(self, text: str) -> dict[str, Any]:
        """Law 4: the attribute that holds a record, or names its chunks."""
        content = text.encode()
        if len(content) <= CHUNK_BYTES:
            return {"d": {"S": text}}
        key = f"turn/{hashlib.sha256(content).hexdigest()}"
        await self._chunks.put(key, content)
        return {"r": {"S": key}}

    async def _text(self, item: dict[str, Any]) -> str:
        if "r" in item:
            return (await self._chunks.get(item["r"]["S"])).decode()
        return str(item["d"]["S"])

    async def _partition(self, key: str, query: Query, below: str | None) -> _Rows:
        low = f"{0 if query.started_after is None else query.started_after + 1:015d}"
        found: _Rows = []
        start = None
        while len(found) <= query.limit:
            page = await self._aws.call(
                "dynamodb",
                "Query",
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="lk = :k AND ls BETWEEN :low AND :high",
                ExpressionAttributeValues={
                    ":k": {"S": key},
                    ":low": {"S": low},
                    ":high": {"S": below or "~"},
                },
                ScanIndexForward=False,
                **({} if query.tags else {"Limit": query.limit + 2}),  # or as much as a page holds
                **({"ExclusiveStartKey": start} if start else {}),
            )
            items = [i for i in page["Items"] if i["ls"]["S"] != below and self._is_kept(i)]
            rows = [(item["ls"]["S"], _header(item)) for item in items]
            found += [row for row in rows if query.tags.items() <= row[1].tags.items()]
            if (start := page.get("LastEvaluatedKey")) is None:
                break
        return found

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
                begins = "b" in item and not whole
                if int(item["x"]["N"]) * 1000 - now < _HALF_MS:
                    await self._extend(execution_id, item["n"]["N"], now)
                    if begins:  # the first item has the header: it is as old as its last run
                        await self._extend(execution_id, "1", now)
                if begins:
                    return

    async def _extend(self, execution_id: str, number: str, now: int) -> None:
        try:
            await self._aws.call(
                "dynamodb",
                "UpdateItem",
                TableName=self._table,
                Key={"id": {"S": execution_id}, "n": {"N": number}},
                UpdateExpression="SET x = :x",
                ConditionExpression="attribute_exists(id)",
                ExpressionAttributeValues={":x": {"N": str((now + 2 * _HALF_MS) // 1000)}},
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    def _expiry(self, header: Header) -> int:
        """Seconds since the epoch, as DynamoDB's TTL wants it."""
        kept = self._retention_ms if header.closed_at is not None else HORIZON_DAYS * _DAY_MS
        return (self._clock.now() + kept) // 1000

    def _is_kept(self, item: dict[str, Any]) -> bool:
        return int(item["x"]["N"]) * 1000 >= self._clock.now()


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


class DynamoBlobs:
    """Large payloads as chunk items of the same table."""

    def __init__(self, aws: Aws, table: str, clock: Clock) -> None:
        self._aws = aws
        self._table = table
        self._clock = clock

    async def put(self, key: str, content: bytes) -> None:
        count = -(-len(content) // CHUNK_BYTES) or 1
        expiry = (self._clock.now() + HORIZON_DAYS * _DAY_MS) // 1000
        for number in reversed(range(count)):  # the first chunk last: it says that all are there
            chunk = content[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
            item = {
                "id": {"S": _CHUNK_KEY + key},
                "n": {"N": str(number)},
                "d": {"B": chunk},
                "c": {"N": str(count)},
                "x": {"N": str(expiry)},
            }
            await self._aws.call("dynamodb", "PutItem", TableName=self._table, Item=item)

    async def get(self, key: str) -> bytes:
        chunks: list[bytes] = []
        count = 1
        while len(chunks) < count:
            answer = await self._aws.call(
                "dynamodb",
                "GetItem",
                TableName=self._table,
                Key={"id": {"S": _CHUNK_KEY + key}, "n": {"N": str(len(chunks))}},
                ConsistentRead=True,
            )
            if (item := answer.get("Item")) is None:
                raise BackendError(f"the payload {key} is not in table {self._table}")
            chunks.append(bytes(item["d"]["B"]))
            count = int(item["c"]["N"])
        return b"".join(chunks)


def _header_attributes(header: Header) -> dict[str, Any]:
    row: Any = [
        header.workflow,
        header.status.value,
        header.started_at,
        header.turn,
        header.closed_at,
        header.reason,
        header.usage.to_json(),
    ]
    if header.custom is not None or header.tags or header.memo is not None:
        row += [header.custom, dict(header.tags), header.memo]
    return {
        "h": {"S": json.dumps(row, separators=(",", ":"))},
        "ht": {"N": str(header.turn)},
        "lk": {"S": f"{header.workflow}/{header.status}"},
        "ls": {"S": f"{header.started_at:015d}/{header.execution_id}"},
    }


def _listed_bytes(item: dict[str, Any]) -> int:
    if "h" not in item:
        return 0
    texts = (item["h"]["S"], item["lk"]["S"], item["ls"]["S"])
    return _LISTED_BYTES + sum(len(text.encode()) for text in texts)


def _header(item: dict[str, Any]) -> Header:
    row = json.loads(item["h"]["S"])
    workflow, status, started, turn, closed, reason, usage, *told = row
    return Header(
        item["id"]["S"], workflow, Status(status), started, turn, closed, reason, Usage(*usage),
        *told,
    )  # fmt: skip


def _replaces(turn: Turn) -> bool:
    """Whether it begins anew under the id of an execution that has ended."""
    first = turn.events[0] if turn.events and turn.number > 1 else None
    return isinstance(first, Started) and not first.run.since


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _parse_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ConfigurationError(f"cursor {cursor!r} is not one that a listing returned") from error
