"""DynamoDB and SQS answered at once, in process, by as little code as will do.

`InstantAws` answers at the client's one method. `through_client` leaves the client as it is, JSON,
signature and parsing included, and answers where it would write to its socket.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig, variable_of
from lambda_workflow.aws.wire import Address, Answer, Pool
from lambda_workflow.runtime.app import App

PAGE_BYTES_MAX: Final = 1024 * 1024  # of a DynamoDB query
QUEUES: Final = "https://sqs.us-east-1.amazonaws.com/123456789012/"


class Table:
    """Items by key, in memory; the queues take everything and remember nothing.

    Attributes:
        counts: calls by (service, operation).
    """

    def __init__(self) -> None:
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self._pages: dict[tuple[str, int, int, int], dict[str, Any]] = {}
        self._encoded: dict[bytes, bytes] = {}

    def answer(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """What AWS would answer, as far as the runtime looks at it."""
        self.counts[service, operation] += 1
        if operation == "PutItem":
            item = params["Item"]
            self.items.setdefault(item["id"]["S"], []).append(item)
        elif operation == "Query":
            return self._page(params)
        elif operation not in {"SendMessageBatch", "UpdateItem"}:
            raise NotImplementedError(f"{service} {operation}")
        return {}

    def encoded(self, params: bytes) -> bytes:
        """The answer to a query as AWS sends it; the same query gets the same again."""
        if params not in self._encoded:
            answer = self.answer("dynamodb", "Query", json.loads(params))
            self._encoded[params] = json.dumps(answer).encode()
        return self._encoded[params]

    def _page(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The items below a key, the latest first."""
        assert params["ScanIndexForward"] is False
        id_ = params["ExpressionAttributeValues"][":id"]["S"]
        items = self.items.get(id_, [])
        start = params.get("ExclusiveStartKey")
        below = int(start["n"]["N"]) - 1 if start else len(items)
        key = (id_, below, len(items), int(params.get("Limit", below)))
        if key not in self._pages:
            self._pages[key] = _cut(items[:below][::-1], key[-1])
        return self._pages[key]


def _cut(items: list[dict[str, Any]], most: int) -> dict[str, Any]:
    size = 0
    for number, item in enumerate(items):
        size += sum(len(k) + len(str(next(iter(v.values())))) for k, v in item.items())
        if size > PAGE_BYTES_MAX or number == most:
            last = {name: items[number - 1][name] for name in ("id", "n")}
            return {"Items": items[:number], "LastEvaluatedKey": last}
    return {"Items": items}


class InstantAws(Aws):
    """See the module."""

    def __init__(self, table: Table) -> None:
        super().__init__(region="us-east-1")
        self._table = table

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        return self._table.answer(service, operation, params)


class _InstantPool(Pool):
    """Answers in the place of a socket."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def post(
        self, address: Address, headers: Mapping[str, str], body: bytes, seconds_max: float
    ) -> Answer:
        target = headers["X-Amz-Target"]
        operation = target.rpartition(".")[2]
        service = "sqs" if target.startswith("AmazonSQS") else "dynamodb"
        if operation != "Query":
            self._table.answer(service, operation, json.loads(body))
            return Answer(200, {}, b"{}")
        return Answer(200, {}, self._table.encoded(body))

    async def close(self) -> None:
        pass


def through_client(table: Table) -> Aws:
    """The client itself over a table in memory; needs credentials (any) in the environment."""
    aws = Aws(region="us-east-1")
    aws._pool = _InstantPool(table)
    return aws


def config_for(app: App) -> AwsConfig:
    """Queues and a table that exist by name only."""
    services = {variable_of(name): f"{QUEUES}service-{name}" for name in app.services}
    return AwsConfig("state", f"{QUEUES}in.fifo", service_queue_urls=services)
