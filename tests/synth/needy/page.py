"""The page where questions are answered, behind a function URL."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from typing import Any

from lambda_workflow.aws.client import Aws


async def respond(event: Mapping[str, Any], aws: Aws, environ: Mapping[str, str]) -> Any:
    """Show a question on GET; on POST take the answer and post it as the task's result."""
    key = {"id": {"S": event["queryStringParameters"]["id"]}}
    table = environ["ASK_TABLE"]
    if event["requestContext"]["http"]["method"] == "GET":
        found = await aws.call("dynamodb", "GetItem", TableName=table, Key=key)
        return {"statusCode": 200, "body": found["Item"]["question"]["S"]}
    answer = await aws.call("dynamodb", "UpdateItem", TableName=table, Key=key,
                            UpdateExpression="SET answer = :a", ReturnValues="ALL_NEW",
                            ExpressionAttributeValues={":a": {"S": event["body"]}})  # fmt: skip
    item = answer["Attributes"]
    update = {
        "type": "Update",
        "execution_id": item["execution"]["S"],
        "task_id": item["id"]["S"],
        "payload": event["body"],
    }
    await aws.call("sqs", "SendMessage", QueueUrl=item["to"]["S"], MessageBody=json.dumps(update),
                   MessageGroupId=update["execution_id"],
                   MessageDeduplicationId=update["task_id"])  # fmt: skip
    return {"statusCode": 200, "body": "thank you"}


def handler(event: Mapping[str, Any], context: Any) -> Any:
    """What Lambda calls."""
    return asyncio.run(_once(event))


async def _once(event: Mapping[str, Any]) -> Any:
    aws = Aws()
    try:
        return await respond(event, aws, os.environ)
    finally:
        await aws.close()
