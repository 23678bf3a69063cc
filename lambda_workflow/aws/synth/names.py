"""What the parts of a stack are called within it."""

from __future__ import annotations

from typing import Final

from lambda_workflow.aws.synth.values import Parameter

EXPIRY: Final = "x"  # the attribute of dynamodb.py that TTL looks at, in each table
INBOX: Final = "workflow-queue"
DEAD: Final = "workflow-dead-letters"
DELAY: Final = "delay-queue"
DELAY_DEAD: Final = "delay-dead-letters"
RESPONSES: Final = "response-queue"
TABLE: Final = "table"
BUCKET: Final = "payload-bucket"
STARTERS: Final = "starter-policy"
GROUP: Final = "timer-group"
TIMER_ROLE: Final = "timer-role"
KMS: Final = Parameter(  # IAM takes the ARN of a key; that of an alias allows nothing
    "kms-key-arn",
    "ARN of the KMS key for queues, table and bucket; not of an alias.",
    pattern="^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$",
)
SHARED_BUCKET: Final = Parameter(
    "shared-bucket-name",
    "Name of the bucket for payloads over 32 KB, which another stack has.",
    pattern="^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
)
STANDARD_ARN: Final = "^arn:[^:]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+$"
FIFO_ARN: Final = "^arn:[^:]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+[.]fifo$"


def service_id(name: str, part: str) -> str:
    """The id of a part of a service."""
    return f"service-{name}-{part}"


def app_id(name: str) -> str:
    """The parameter with the FIFO queue of another App."""
    return f"app-{name}-queue-arn"
