"""The request log: what was asked, and what AWS would have billed for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from tests.aws.server import units
from tests.aws.server.records import Request

_ONE_ITEM_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_NAMES: Final = ("QueueUrl", "QueueName", "TableName", "Name", "Bucket")


def opened(service: str, operation: str, params: Mapping[str, Any]) -> Request:
    """The line of a request that has just come."""
    name = next((str(params[key]) for key in _NAMES if key in params), "")
    entries = len(params["Entries"]) if "Entries" in params else 1
    if operation == "ReceiveMessage":
        entries = 0  # until something is found
    return Request(service, operation, name.rpartition("/")[2], entries)


class Meter:
    """Looks at the table before and after a DynamoDB request."""

    def __init__(self, region: str, request: Request, params: Mapping[str, Any]) -> None:
        self._request = request
        self._params = params
        self._backend = dynamodb_backends[DEFAULT_ACCOUNT_ID][region]
        self._before = self._item()

    def measure(self, answer: Mapping[str, Any]) -> None:
        """Write sizes and units into the request's line."""
        request, params = self._request, self._params
        consistent = bool(params.get("ConsistentRead"))
        if request.operation in _ONE_ITEM_WRITES:
            after = self._item()
            request.bytes = units.item_bytes(after or self._before or {})
            request.write_units = units.write_units(self._before, after)
            request.index_units = sum(
                units.index_units(index, self._before, after)
                for index in self._backend.get_table(request.name).global_indexes
            )
        elif request.operation == "GetItem":
            request.bytes = units.item_bytes(self._before or {})
            request.read_units = units.read_units(request.bytes, consistent)
        elif request.operation in {"Query", "Scan"}:
            items = answer.get("Items", [])
            request.entries = len(items)
            request.bytes = sum(map(units.item_bytes, items))
            request.read_units = units.read_units(request.bytes, consistent)

    def _item(self) -> units.Item | None:
        params, request = self._params, self._request
        if request.operation not in _ONE_ITEM_WRITES | {"GetItem"}:
            return None
        if request.name not in self._backend.tables:
            return None
        table = self._backend.get_table(request.name)
        source = params.get("Key") or params.get("Item") or {}
        found = self._backend.get_item(
            request.name, {name: source[name] for name in table.table_key_attrs}
        )
        return dict(found.to_json()["Attributes"]) if found else None
