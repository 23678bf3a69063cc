"""The dead-letter queue, as far as messages are put there by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lambda_workflow.aws.client import Aws
from lambda_workflow.errors import BackendError
from lambda_workflow.model.bounded import encodable
from lambda_workflow.model.ids import deduplication_id
from lambda_workflow.model.limits import MESSAGE_BYTES_MAX
from lambda_workflow.runtime.batch import Record

REASON_CHARACTERS_MAX: Final = 1000
ATTRIBUTES_MAX: Final = 10  # of an SQS message


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
        fifo = {
            "MessageGroupId": record.group or "unreadable",
            "MessageDeduplicationId": deduplication_id(record.id, "dead"),
        }
        await self.aws.call(
            "sqs",
            "SendMessage",
            QueueUrl=self.url,
            MessageBody=record.body,
            MessageAttributes=_attributes(record, encodable(reason)),
            **(fifo if self.url.endswith(".fifo") else {}),
        )


def _attributes(record: Record, reason: str) -> dict[str, dict[str, str]]:
    """The reason and the record's own attributes, as far as they fit beside the body.

    A body of 1 MiB leaves no room: it is kept whole, and the log alone has the reason.
    """
    room = MESSAGE_BYTES_MAX - len(record.body.encode())
    kept: dict[str, dict[str, str]] = {}
    for name, value in [("reason", reason[:REASON_CHARACTERS_MAX]), *record.attributes.items()]:
        left = room - len(name) - len("String")
        text = value.encode()[: max(0, left)].decode(errors="ignore") or "-"
        if left >= 1 and len(kept) < ATTRIBUTES_MAX:
            kept[name] = {"DataType": "String", "StringValue": text}
            room = left - len(text.encode())
    return kept
