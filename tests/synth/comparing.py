"""What was called, beside what a policy allows."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

Calls = Iterable[tuple[str, str]]
# What AWS itself does with a function's role, outside of the function.
LAMBDAS = {"sqs:GetQueueAttributes", "logs:CreateLogStream", "logs:PutLogEvents"}
# The statement by which S3 says of a missing object that it is missing: nothing is called by it.
TELLING = "MissingPayloads"
KMS = {"kms:Decrypt", "kms:GenerateDataKey"}


def allows(statement: dict[str, Any], action: str, arn: str) -> bool:
    """Whether a statement does, its conditions aside."""
    return action in statement["Action"] and any(
        fnmatchcase(arn, pattern) for pattern in statement["Resource"]
    )


def refused(statements: list[dict[str, Any]], calls: Calls) -> set[tuple[str, str]]:
    """The calls that no statement allows."""
    return {call for call in calls if not any(allows(s, *call) for s in statements)}


def unused(statements: list[dict[str, Any]], calls: Calls) -> set[tuple[str, str]]:
    """What is allowed, and was not called."""
    return {
        (action, arn)
        for statement in statements
        if statement["Sid"] != TELLING
        for action in statement["Action"]
        for arn in statement["Resource"]
        if action not in LAMBDAS | KMS
        if not any(allows({"Action": [action], "Resource": [arn]}, *call) for call in calls)
    }
