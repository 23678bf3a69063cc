"""IAM documents, which both formats have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lambda_workflow.aws.synth import resources as r
from lambda_workflow.aws.synth.values import Because, Ref, Split, Text, When


def assume(role: r.Role) -> dict[str, Any]:
    """Who may assume a role."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": role.service},
        "Action": "sts:AssumeRole",
    }
    if role.trust:
        statement["Condition"] = role.trust
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(statements: Iterable[r.Statement]) -> dict[str, Any]:
    """What a role or policy allows."""
    made: list[Any] = []
    for statement in statements:
        found: dict[str, Any] = {
            "Sid": statement.sid,
            "Effect": "Allow",
            "Action": list(statement.actions),
            "Resource": (
                Because("*", statement.anything)
                if statement.anything
                else resources(statement.targets)
            ),
        }
        if statement.conditions:
            found["Condition"] = statement.conditions
        made.append(When(statement.unless_empty, found) if statement.unless_empty else found)
    return {"Version": "2012-10-17", "Statement": made}


def resources(targets: tuple[r.Target, ...]) -> Any:
    """Resources of a statement; the list that a parameter is stands for all of them."""
    return targets[0] if isinstance(targets[0], Split) else list(targets)


def queue_policy(policy: r.QueuePolicy) -> dict[str, Any]:
    """Who may not use a queue, and which rule may send to it."""
    refused = _without_tls("sqs:*", [Ref(policy.queue, "arn")])
    if not policy.rule:
        return {"Version": "2012-10-17", "Statement": [refused]}
    allowed = {
        "Sid": "Events",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": Ref(policy.queue, "arn"),
        "Condition": {"ArnEquals": {"aws:SourceArn": Ref(policy.rule, "arn")}},
    }
    needed = policy.rule_unless_empty
    statements = [refused, When(needed, allowed) if needed else allowed]
    return {"Version": "2012-10-17", "Statement": statements}


def bucket_policy(policy: r.BucketPolicy) -> dict[str, Any]:
    """Who may not use a bucket."""
    bucket = Ref(policy.bucket, "arn")
    refused = _without_tls("s3:*", [bucket, Text((bucket, "/*"))])
    return {"Version": "2012-10-17", "Statement": [refused]}


def _without_tls(actions: str, targets: list[Any]) -> dict[str, Any]:
    return {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": targets,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
