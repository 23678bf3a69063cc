"""IAM documents, which both formats have in common."""

from __future__ import annotations

from typing import Any

from lambda_workflow.aws.synth import resources as r


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


def policy(role: r.Role) -> dict[str, Any]:
    """What a role may do."""
    statements: list[dict[str, Any]] = []
    for statement in role.statements:
        found: dict[str, Any] = {
            "Sid": statement.sid,
            "Effect": "Allow",
            "Action": list(statement.actions),
            "Resource": list(statement.targets),
        }
        statements.append(found | ({"Condition": statement.conditions} if statement.conditions
                                   else {}))  # fmt: skip
    return {"Version": "2012-10-17", "Statement": statements}
