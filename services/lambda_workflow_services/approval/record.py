"""What is kept of a question, and the three steps of its life: open, decided, told.

Laws
 1. A question is stored once; a repeated task finds what the first one stored.
 2. It is decided once, by one conditional write, in its time alone.
 3. The callback's token is kept as long as the answer has not been passed on, no longer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.model.payload import codec_for, dumps, loads
from lambda_workflow_services.approval import Choice, Decision, Language, Question
from lambda_workflow_services.approval.links import code_of, id_of, key_of, nonce_of

KEPT: Final = timedelta(days=7)  # after its end: for a late look at what was decided
_FAILED: Final = "ConditionalCheckFailedException"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows of a question."""

    title: str
    text: str
    facts: dict[str, str]
    choices: tuple[Choice, ...]
    language: Language


@dataclass(frozen=True, slots=True)
class Record:
    """A question as it is kept; times in milliseconds since the epoch.

    Attributes:
        key: what its link and form are signed with.
        token, queue_url: what the answer is passed on with; empty once it was.
    """

    id: str
    key: str
    shown: Shown
    expires: int
    token: str
    queue_url: str
    decision: Decision | None = None

    @property
    def told(self) -> bool:
        """Whether the answer was passed on."""
        return not self.token

    @property
    def code(self) -> str:
        """What stands in the link."""
        return code_of(self.id, self.key)

    @property
    def nonce(self) -> str:
        """What the form of the page must carry."""
        return nonce_of(self.id, self.key)

    @property
    def end(self) -> datetime:
        """When the link ends."""
        return datetime.fromtimestamp(self.expires / 1000, UTC)


def record_of(
    question: Question, task_id: str, queue_url: str, *, expires: int, choices: tuple[Choice, ...]
) -> Record:
    """The record of a question that is asked for the first time."""
    q = question
    shown = Shown(q.title, q.text, q.facts, choices, q.language)
    return Record(id_of(task_id, q.token), key_of(q.token), shown, expires, q.token, queue_url)


class Table:
    """The service's own table."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self._name = name

    async def keep(self, record: Record) -> Record:
        """Store a new question; what is stored, which for a repeated task is the earlier one."""
        try:
            await self._aws.call(
                "dynamodb",
                "PutItem",
                TableName=self._name,
                Item=_item(record),
                ConditionExpression="attribute_not_exists(id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code != _FAILED:
                raise
            return _record(error.response["Item"])
        return record

    async def get(self, id_: str) -> Record | None:
        """The question of an id; None if there is none any more."""
        answer = await self._aws.call(
            "dynamodb",
            "GetItem",
            TableName=self._name,
            Key={"id": {"S": id_}},
            ConsistentRead=True,
        )
        item = answer.get("Item")
        return _record(item) if item else None

    async def decide(self, record: Record, decision: Decision, now: int) -> Record | None:
        """Law 2: the question as it is then, whoever decided it; None if it is there no more."""
        try:
            await self._aws.call(
                "dynamodb",
                "UpdateItem",
                TableName=self._name,
                Key={"id": {"S": record.id}},
                UpdateExpression="SET #decision = :decision",
                ConditionExpression="attribute_exists(id) AND attribute_not_exists(#decision) "
                "AND #expires > :now",
                ExpressionAttributeNames={"#decision": "decision", "#expires": "expires"},
                ExpressionAttributeValues={
                    ":decision": {"S": _written(Decision, decision)},
                    ":now": {"N": str(now)},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code != _FAILED:
                raise
            item = error.response.get("Item")
            return _record(item) if item else None
        return replace(record, decision=decision)

    async def tell(self, record: Record) -> None:
        """Law 3: the answer was passed on."""
        await self._aws.call(
            "dynamodb",
            "UpdateItem",
            TableName=self._name,
            Key={"id": {"S": record.id}},
            UpdateExpression="REMOVE #token, #queue",
            ConditionExpression="attribute_exists(id)",
            ExpressionAttributeNames={"#token": "token", "#queue": "queue"},
        )


def _item(record: Record) -> dict[str, Any]:
    ends = record.expires // 1000 + int(KEPT.total_seconds())
    return {
        "id": {"S": record.id},
        "key": {"S": record.key},
        "shown": {"S": _written(Shown, record.shown)},
        "expires": {"N": str(record.expires)},
        "token": {"S": record.token},
        "queue": {"S": record.queue_url},
        "x": {"N": str(ends)},
    }


def _record(item: dict[str, Any]) -> Record:
    text = {name: value.get("S", "") for name, value in item.items()}
    decided = text.get("decision")
    return Record(
        text["id"],
        text["key"],
        codec_for(Shown).decode(loads(text["shown"])),
        int(item["expires"]["N"]),
        text.get("token", ""),
        text.get("queue", ""),
        codec_for(Decision).decode(loads(decided)) if decided else None,
    )


def _written(tp: type[Any], value: Any) -> str:
    return dumps(codec_for(tp).encode(value))
