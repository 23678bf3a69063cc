"""A policy for those who start executions, ask for them, and send them signals."""

from __future__ import annotations

from lambda_workflow.aws.listing import INDEX
from lambda_workflow.aws.synth import rights
from lambda_workflow.aws.synth.choices import Choices
from lambda_workflow.aws.synth.names import INBOX, STARTERS, TABLE
from lambda_workflow.aws.synth.resources import Policy, Statement
from lambda_workflow.aws.synth.values import Ref, Text
from lambda_workflow.model.references import CLIENT_PLACE


def starter_policy(chosen: Choices) -> Policy:
    """What `Client` calls, and no more."""
    table = Ref(TABLE, "arn")
    read = ("dynamodb:GetItem", "dynamodb:Query")
    statements: list[Statement] = [
        rights.send([Ref(INBOX, "arn")]),
        Statement("Executions", read, (table,)),
        Statement("Listing", ("dynamodb:Query",), (Text((table, f"/index/{INDEX}")),)),
    ]
    if chosen.bucket:
        statements += rights.placed_payloads(chosen.bucket, CLIENT_PLACE)
    else:
        statements.append(rights.chunks(TABLE, CLIENT_PLACE))
    return Policy(
        id=STARTERS,
        why="For those who start executions, ask for them and send them signals.",
        statements=(*statements, *chosen.key_right),
    )
