"""The adapters: copy, wait for, read and write objects."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from lambda_workflow import Later, ServiceError, Task, serve
from lambda_workflow_services.s3_object import (
    CONTENT_BYTES_MAX,
    S3_COPY,
    S3_GET,
    S3_PUT,
    S3_WAIT,
    CopyObject,
    GetObject,
    PutObject,
    S3Content,
    S3Object,
    WaitForObject,
)
from lambda_workflow_services.s3_object import copying as c
from lambda_workflow_services.s3_object.asking import (
    ask,
    check_bucket,
    described,
    etag_of,
    existing,
    head,
    of_version,
)
from lambda_workflow_services.s3_object.settings import part_bytes

FIRST_PAUSE: Final = timedelta(seconds=5)
TASK: Final = "lambda-workflow-task"  # metadata of what s3_put writes
_DOUBLINGS_MAX: Final = 16
_MILLISECOND: Final = timedelta(milliseconds=1)


@serve(S3_COPY)
async def s3_copy(wanted: CopyObject, task: Task) -> S3Object:
    """Copy an object; delivered twice, the task finds the copy."""
    source = await existing(wanted.bucket, wanted.key, wanted.version_id)
    await c.copy(c.Copying(wanted, source, part_bytes()), task)
    made = await existing(wanted.to_bucket, wanted.to_key)
    return described(wanted.to_bucket, wanted.to_key, made)


@serve(S3_WAIT)
async def s3_wait(wanted: WaitForObject, task: Task) -> S3Object:
    """Look for an object, and come back Later if there is none."""
    state = task.state or {"looks": 0}
    # Not before it was due: an engine that skips waits skips none of this clock's time.
    now = max(time.time_ns() // 1_000_000, state.get("due", 0))
    until = state.get("until", now + wanted.timeout // _MILLISECOND)
    left = timedelta(milliseconds=until - now)
    pause = FIRST_PAUSE * 2 ** min(state["looks"], _DOUBLINGS_MAX)
    pause = min(pause, wanted.look_every, left)
    state = {**state, "until": until, "due": now + pause // _MILLISECOND}
    try:
        found = await head(wanted.bucket, wanted.key)
        if found is None and not state["looks"]:
            await check_bucket(wanted.bucket)
    except ServiceError as error:
        if not error.retryable or left <= timedelta(0):
            raise
        raise Later(pause, state) from error  # a new attempt would have the whole time again
    if found is not None and etag_of(found) != _bare(wanted.changed_from):
        return described(wanted.bucket, wanted.key, found)
    if left <= timedelta(0):
        what = "has not changed" if found else "has not come"
        raise ServiceError(
            f"s3://{wanted.bucket}/{wanted.key} {what} within {wanted.timeout}",
            type="WaitTimedOut",
            retryable=False,
        )
    raise Later(pause, {**state, "looks": state["looks"] + 1})


@serve(S3_GET)
async def s3_get(wanted: GetObject) -> S3Content:
    """Read an object."""
    found = await existing(wanted.bucket, wanted.key, wanted.version_id)
    if found["ContentLength"] > CONTENT_BYTES_MAX:
        raise ServiceError(
            f"s3://{wanted.bucket}/{wanted.key} has {found['ContentLength']:,} bytes, and at most "
            f"{CONTENT_BYTES_MAX:,} travel with a result: read it where it is used",
            type="ObjectTooLarge",
            retryable=False,
        )
    answer = await ask(
        "GetObject",
        "s3:GetObject",
        Bucket=wanted.bucket,
        Key=wanted.key,
        IfMatch=found["ETag"],
        **of_version(wanted.version_id),
    )
    told = described(wanted.bucket, wanted.key, answer)
    return S3Content(**told.model_dump(), content=answer["Body"])


@serve(S3_PUT)
async def s3_put(wanted: PutObject, task: Task) -> S3Object:
    """Write an object; delivered twice, the task finds what it wrote."""
    mark = quote(task.task_id)
    found = await head(wanted.bucket, wanted.key)
    if found is None or found.get("Metadata", {}).get(TASK) != mark:
        if found is not None and wanted.if_absent:
            raise _taken(wanted)
        found = await _write(wanted, mark)
    return described(wanted.bucket, wanted.key, found)


async def _write(wanted: PutObject, mark: str) -> dict[str, Any]:
    usual = "text/plain; charset=utf-8" if wanted.content is None else "application/octet-stream"
    try:
        await ask(
            "PutObject",
            "s3:PutObject",
            Bucket=wanted.bucket,
            Key=wanted.key,
            Body=wanted.body,
            ContentType=wanted.content_type or usual,
            Metadata={**wanted.metadata, TASK: mark},
            StorageClass=wanted.storage_class,
            **({"IfNoneMatch": "*"} if wanted.if_absent else {}),
        )
    except ServiceError as error:
        if error.type != "PreconditionFailed":
            raise
        found = await existing(wanted.bucket, wanted.key)
        if found.get("Metadata", {}).get(TASK) != mark:
            raise _taken(wanted) from error
        return found
    return await existing(wanted.bucket, wanted.key)


def _taken(wanted: PutObject) -> ServiceError:
    return ServiceError(
        f"s3://{wanted.bucket}/{wanted.key} is there already",
        type="ObjectExists",
        retryable=False,
    )


def _bare(etag: str | None) -> str:
    return (etag or "").strip('"')
