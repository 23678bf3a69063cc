"""What a container leaves in S3 for its workflow."""

from __future__ import annotations

import json
from typing import Any, Final

from lambda_workflow import ServiceError
from lambda_workflow.aws.client import AwsError
from lambda_workflow.aws.present import aws_client
from lambda_workflow_services.ecs_task.running import result_place
from lambda_workflow_services.ecs_task.settings import Settings

RESULT_BYTES_MAX: Final = 5 * 2**20  # it is a payload of the workflow: what is larger stays in S3


async def read_result(task_id: str, settings: Settings) -> Any:
    """The JSON that the container left.

    Raises:
        ServiceError: there is none, or it is too large, or no JSON.
        AwsError: S3 cannot now; the task comes again.
    """
    bucket, key = result_place(task_id, settings)
    try:
        found = await aws_client().call("s3", "GetObject", Bucket=bucket, Key=key)
    except AwsError as error:
        if error.transient:
            raise
        raise _useless(bucket, key, f"cannot be read: {error.code}: {error.message}") from error
    body: bytes = found["Body"]
    if len(body) > RESULT_BYTES_MAX:
        why = f"is {len(body):,} bytes, and at most {RESULT_BYTES_MAX:,} become a result"
        raise _useless(bucket, key, why)
    try:
        return json.loads(body)
    except ValueError as error:
        raise _useless(bucket, key, f"is no JSON: {error}") from error


def _useless(bucket: str, key: str, why: str) -> ServiceError:
    place = f"s3://{bucket}/{key}"
    return ServiceError(
        f"the container ended with 0, and its result {place} {why}",
        type="NoResult",
        retryable=False,
        details={"place": place},
    )
