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

from lambda_workflow.aws.synth.resources import Statement, Target
from lambda_workflow.aws.synth.values import Builtin, Param, Ref, Text

CONSUME: Final = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)
PAYLOADS: Final = "payloads/"  # the prefix of S3Blobs


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


def items(table: str, prefixes: Sequence[str]) -> Statement:
    """Read and write items whose partition key begins with a prefix: no histories."""
    keys = {"dynamodb:LeadingKeys": [f"{prefix}*" for prefix in prefixes]}
    return Statement(
        "Items",
        ("dynamodb:GetItem", "dynamodb:PutItem"),
        (Ref(table, "arn"),),
        {"ForAllValues:StringLike": keys},
    )


def chunks(table: str) -> Statement:
    """Write large payloads as items of the table."""
    keys = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["blob:*"]}}
    return Statement("Payloads", ("dynamodb:PutItem",), (Ref(table, "arn"),), keys)


def own_table(table: str, actions: Sequence[str]) -> Statement:
    """Work with a service's own table."""
    return Statement("OwnTable", tuple(actions), (Ref(table, "arn"),))


def payloads(bucket: Ref | Param) -> Statement:
    """Read and write large payloads."""
    return Statement("Payloads", ("s3:GetObject", "s3:PutObject"), (_objects(bucket),))


def deposits(bucket: Ref | Param) -> Statement:
    """Write large payloads, and read none."""
    return Statement("Payloads", ("s3:PutObject",), (_objects(bucket),))


def _objects(bucket: Ref | Param) -> Text:
    if isinstance(bucket, Ref):
        return Text((Ref(bucket.id, "arn"), f"/{PAYLOADS}*"))
    return Text(("arn:", Builtin("partition"), ":s3:::", bucket, f"/{PAYLOADS}*"))


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
