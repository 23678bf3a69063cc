"""What was sent, and what is being sent: an item for each task in a table of the service's own.

1. Who sends has said so first, by a put that succeeds once, or by taking over what was left in
   doubt. Nobody else sends until LEASE_MS have passed.
2. Whoever knows says how it ended: sent, with SES's id; not sent, and the item goes; in doubt, and
   the lease ends at once. Whoever dies says nothing, and the lease runs out: that is doubt too.
3. An item is kept for as long as its task can come again.

An item: id, `s` (sending or sent), `u` (end of the lease, in milliseconds), `m` (SES's id), `x`
(when it may go, in seconds).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lambda_workflow.aws.client import AwsError
from lambda_workflow.aws.present import aws_client

LEASE_MS: Final = 60_000  # a request to SES is over after half of it
KEPT_SECONDS: Final = 15 * 86_400  # SQS keeps no task for longer than 14 days


@dataclass(frozen=True, slots=True)
class Mine:
    """Send it now; `until` is the lease's end, by which it is known."""

    until: int


@dataclass(frozen=True, slots=True)
class Done:
    """It was sent."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else is sending it, for at most so long."""

    left_ms: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """Somebody has begun to send it, and nobody knows how that ended; take it over with `until`."""

    until: int


class Ledger:
    """See the module.

    Args:
        now: milliseconds since the epoch.
    """

    def __init__(self, table: str, now: Callable[[], int]) -> None:
        self._table = table
        self._now = now

    async def begin(self, task_id: str) -> Mine | Done | Busy | Doubt:
        """Law 1: whether the caller is to send."""
        now = self._now()
        item = {"id": {"S": task_id}, **self._sending(now)}
        try:
            await self._call(
                "PutItem",
                Item=item,
                ConditionExpression="attribute_not_exists(id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return _state(error.response["Item"], now)
        return Mine(now + LEASE_MS)

    async def take_over(self, task_id: str, doubt: Doubt) -> Mine | Busy:
        """Begin again what was left in doubt."""
        now = self._now()
        update, condition = "SET s = :s, u = :u, x = :x", "s = :s AND u = :old"
        old = {"N": str(doubt.until)}
        if await self._changed(task_id, update, condition, old=old, **self._sending(now)):
            return Mine(now + LEASE_MS)
        return Busy(LEASE_MS)

    async def sent(self, task_id: str, message_id: str) -> None:
        """Law 2: it was sent."""
        await self._call(
            "PutItem",
            Item={
                "id": {"S": task_id},
                "s": {"S": "sent"},
                "m": {"S": message_id},
                "x": {"N": str(self._now() // 1000 + KEPT_SECONDS)},
            },
        )

    async def in_doubt(self, task_id: str, mine: Mine) -> None:
        """Law 2: nobody knows whether it was."""
        old = {"N": str(mine.until)}
        await self._changed(task_id, "SET u = :zero", "u = :old", old=old, zero={"N": "0"})

    async def not_sent(self, task_id: str, mine: Mine) -> None:
        """Law 2: it surely was not."""
        try:
            await self._call(
                "DeleteItem",
                Key={"id": {"S": task_id}},
                ConditionExpression="u = :old",
                ExpressionAttributeValues={":old": {"N": str(mine.until)}},
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    def _sending(self, now: int) -> dict[str, Any]:
        return {
            "s": {"S": "sending"},
            "u": {"N": str(now + LEASE_MS)},
            "x": {"N": str(now // 1000 + KEPT_SECONDS)},
        }

    async def _changed(
        self, task_id: str, update: str, condition: str, **values: dict[str, str]
    ) -> bool:
        """Whether the item was as the condition says; `values` by their names in both."""
        try:
            await self._call(
                "UpdateItem",
                Key={"id": {"S": task_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    async def _call(self, operation: str, **params: Any) -> None:
        await aws_client().call("dynamodb", operation, TableName=self._table, **params)


def _state(item: dict[str, Any], now: int) -> Done | Busy | Doubt:
    if item["s"]["S"] == "sent":
        return Done(item["m"]["S"])
    until = int(item["u"]["N"])
    return Busy(until - now) if until > now else Doubt(until)
