"""What each function may do: as little as it needs, derived from what the App uses.

Laws
 1. No action and no resource is a wildcard; `*` stands only behind a name of the stack's own, for
    what is made at run time: schedules of its group, objects below its prefix, streams of its log.
 2. A right is there for a queue, table or bucket that the function's variables name, and for no
    other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lambda_workflow.aws.blobs import OBJECT_PREFIX
from lambda_workflow.aws.synth.resources import Statement, Target
from lambda_workflow.aws.synth.values import Builtin, Param, Ref, Text
from lambda_workflow.model.ids import BLOB_PREFIX

CONSUME: Final = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)


def log(group: str) -> Statement:
    """Write its own log."""
    actions = ("logs:CreateLogStream", "logs:PutLogEvents")
    return Statement("Log", actions, (Ref(group, "streams"),))


def consume(*queues: str) -> Statement:
    """Be fed by a queue, and hurry what failed."""
    return Statement("Consume", CONSUME, tuple(Ref(queue, "arn") for queue in queues))


def send(targets: Sequence[Target]) -> Statement:
    """Send to queues."""
    return Statement("Send", ("sqs:SendMessage",), tuple(targets))


def histories(table: str, *, items: bool) -> Statement:
    """Keep histories; listing them is not the function's business.

    Args:
        items: whether items are got one by one: large payloads that the table has, and headers of
            schedules.
    """
    actions = ("dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem")
    got = ("dynamodb:GetItem",) if items else ()
    return Statement("Histories", got + actions, (Ref(table, "arn"),))


def items(table: str, reads: Sequence[str], writes: Sequence[str]) -> tuple[Statement, Statement]:
    """Read and write items whose partition key begins with a prefix: no histories."""
    return (
        Statement("Items", ("dynamodb:GetItem",), (Ref(table, "arn"),), _leading(reads)),
        Statement("OwnItems", ("dynamodb:PutItem",), (Ref(table, "arn"),), _leading(writes)),
    )


def chunks(table: str, place: str) -> Statement:
    """Write large payloads as items of the table, in a place of one's own."""
    keys = _leading([f"{BLOB_PREFIX}{place}/"])
    return Statement("Payloads", ("dynamodb:PutItem",), (Ref(table, "arn"),), keys)


def _leading(prefixes: Sequence[str]) -> dict[str, dict[str, object]]:
    """A condition on partition keys; `ForAllValues` alone also holds for a request without any."""
    return {
        "ForAllValues:StringLike": {
            "dynamodb:LeadingKeys": [f"{prefix}*" for prefix in sorted(prefixes)]
        },
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def own_table(table: str, actions: Sequence[str]) -> Statement:
    """Work with a service's own table."""
    return Statement("OwnTable", tuple(actions), (Ref(table, "arn"),))


def payloads(bucket: Ref | Param) -> tuple[Statement, Statement]:
    """Read and write all large payloads.

    With the right to list the bucket S3 says of an object that is missing that it is, and not 403.
    """
    return (
        Statement("Payloads", ("s3:GetObject", "s3:PutObject"), (_objects(bucket, ""),)),
        Statement("MissingPayloads", ("s3:ListBucket",), (_bucket(bucket),)),
    )


def placed_payloads(bucket: Ref | Param, place: str) -> tuple[Statement, Statement]:
    """Read large payloads, and write those of one's own place."""
    return (
        Statement("Payloads", ("s3:GetObject",), (_objects(bucket, ""),)),
        Statement("OwnPayloads", ("s3:PutObject",), (_objects(bucket, f"{place}/"),)),
    )


def deposits(bucket: Ref | Param, place: str) -> Statement:
    """Write large payloads of one's own place, and read none."""
    return Statement("Payloads", ("s3:PutObject",), (_objects(bucket, f"{place}/"),))


def _objects(bucket: Ref | Param, place: str) -> Text:
    return Text((*_arn(bucket), f"/{OBJECT_PREFIX}{place}*"))


def _bucket(bucket: Ref | Param) -> Target:
    return Ref(bucket.id, "arn") if isinstance(bucket, Ref) else Text(_arn(bucket))


def _arn(bucket: Ref | Param) -> tuple[str | Ref | Param | Builtin, ...]:
    if isinstance(bucket, Ref):
        return (Ref(bucket.id, "arn"),)
    return ("arn:", Builtin("partition"), ":s3:::", bucket)


def schedules(group: str) -> Statement:
    """Make and withdraw timers."""
    place = ("arn:", Builtin("partition"), ":scheduler:", Builtin("region"), ":")
    account = (Builtin("account"), ":schedule/", Ref(group, "name"), "/*")
    actions = ("scheduler:CreateSchedule", "scheduler:DeleteSchedule")
    return Statement("Timers", actions, (Text((*place, *account)),))


def lend(role: str) -> Statement:
    """Let Scheduler assume its role, and no other service."""
    condition = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    return Statement("TimersRole", ("iam:PassRole",), (Ref(role, "arn"),), condition)


def key(param: Param) -> Statement:
    """Use the key that queues, table and bucket are encrypted with."""
    return Statement("Key", ("kms:Decrypt", "kms:GenerateDataKey"), (param,))
