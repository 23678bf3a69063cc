"""The dead-letter queue, as far as messages are put there by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lambda_workflow.aws.client import Aws
from lambda_workflow.errors import BackendError
from lambda_workflow.model.ids import deduplication_id
from lambda_workflow.runtime.batch import Record

REASON_CHARACTERS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """The dead-letter queue; its messages keep the body, and carry the reason as an attribute."""

    aws: Aws
    url: str

    async def put(self, record: Record, reason: str) -> None:
        """Keep a record.

        Raises:
            BackendError: there is no queue for it, or it could not be sent.
        """
        if not self.url:
            raise BackendError("no dead-letter queue: set LAMBDA_WORKFLOW_DLQ_URL")
        attributes = {**record.attributes, "reason": reason[:REASON_CHARACTERS_MAX]}
        fifo = {
            "MessageGroupId": record.group or "unreadable",
            "MessageDeduplicationId": deduplication_id(record.id, "dead"),
        }
        await self.aws.call(
            "sqs",
            "SendMessage",
            QueueUrl=self.url,
            MessageBody=record.body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value or "-"}
                for name, value in list(attributes.items())[:10]
            },
            **(fifo if self.url.endswith(".fifo") else {}),
        )
