"""The listing on DynamoDB: a header on the first item of each execution, and an index of these.

Laws
 1. The attributes `lk` (workflow and status) and `ls` (start and id) put a first item into the
    sparse index, which carries the header `h`; no other item has them.
 2. A header replaces an older one, `ht` says which is, and never a newer one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import dumps
from lambda_workflow.model.payload_text import loads_recorded
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import Clock, Header, Page, Query

INDEX: Final = "listing"
_Rows = list[tuple[str, Header]]
_NAMES_BYTES: Final = 7 + 3  # names of the header's attributes, and the turn that it is of


class Listing:
    """See the module's laws.

    Args:
        workflows: the names that a listing over all workflows goes through.
    """

    def __init__(self, aws: Aws, table: str, clock: Clock, workflows: Sequence[str]) -> None:
        self._aws = aws
        self._table = table
        self._clock = clock
        self._workflows = tuple(workflows)

    async def put(self, header: Header, expiry: int) -> None:
        """Put a header in place of an older one; the item expires then, in seconds."""
        values = {f":{k}": v for k, v in header_attributes(header).items()}
        values[":x"] = {"N": str(expiry)}
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

    async def get(self, execution_id: str) -> Header | None:
        """The header of an execution, read consistently."""
        answer = await self._aws.call(
            "dynamodb",
            "GetItem",
            TableName=self._table,
            Key={"id": {"S": execution_id}, "n": {"N": "1"}},
            ConsistentRead=True,
            ProjectionExpression="id, h, x",
        )
        item = answer.get("Item")
        return _header(item) if item and is_kept(item, self._clock.now()) else None

    async def page(self, query: Query) -> Page:
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

    async def _partition(self, key: str, query: Query, below: str | None) -> _Rows:
        low = f"{0 if query.started_after is None else query.started_after + 1:015d}"
        now = self._clock.now()
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
            items = [i for i in page["Items"] if i["ls"]["S"] != below and is_kept(i, now)]
            rows = [(item["ls"]["S"], _header(item)) for item in items]
            found += [row for row in rows if query.tags.items() <= row[1].tags.items()]
            if (start := page.get("LastEvaluatedKey")) is None:
                break
        return found


def is_kept(item: dict[str, Any], now: int) -> bool:
    """Whether an item has not expired; DynamoDB takes days to remove one that has."""
    return int(item["x"]["N"]) * 1000 >= now


def header_attributes(header: Header) -> dict[str, Any]:
    """What a first item has for the listing's sake."""
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
        "h": {"S": dumps(row)},
        "ht": {"N": str(header.turn)},
        "lk": {"S": f"{header.workflow}/{header.status}"},
        "ls": {"S": f"{header.started_at:015d}/{header.execution_id}"},
    }


def listed_bytes(item: dict[str, Any]) -> int:
    """How much longer an item is for them."""
    if "h" not in item:
        return 0
    texts = (item["h"]["S"], item["lk"]["S"], item["ls"]["S"])
    return _NAMES_BYTES + sum(len(text.encode()) for text in texts)


def _header(item: dict[str, Any]) -> Header:
    row = loads_recorded(item["h"]["S"])
    workflow, status, started, turn, closed, reason, usage, *told = row
    return Header(
        item["id"]["S"], workflow, Status(status), started, turn, closed, reason, Usage(*usage),
        *told,
    )  # fmt: skip


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _parse_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ConfigurationError(f"cursor {cursor!r} is not one that a listing returned") from error
