"""Buckets on the server, and adapters as a function at work calls them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from lambda_workflow_services.s3_object import settings

from lambda_workflow import Later, ServiceError, Task
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.present import PRESENT
from tests.aws.queues import lasting_client
from tests.aws.server.process import Server


@dataclass
class Bench:
    """Two buckets, `data` and `kept`; the second one keeps versions."""

    server: Server
    aws: Aws

    async def put(self, key: str, body: bytes = b"abc", **more: Any) -> str:
        """An object in `data`; its etag."""
        made = await self.aws.call("s3", "PutObject", Bucket="data", Key=key, Body=body, **more)
        return str(made["ETag"]).strip('"')

    async def head(self, bucket: str, key: str) -> dict[str, Any]:
        return await self.aws.call("s3", "HeadObject", Bucket=bucket, Key=key)

    async def body(self, bucket: str, key: str) -> bytes:
        return bytes((await self.aws.call("s3", "GetObject", Bucket=bucket, Key=key))["Body"])

    async def versions(self, key: str) -> int:
        """How often an object in `kept` has been written."""
        found = await self.aws.call("s3", "ListObjectVersions", Bucket="kept", Prefix=key)
        return len(found.get("Versions", []))

    async def uploads(self) -> int:
        """Uploads in parts that have not come to an end."""
        found = await self.aws.call("s3", "ListMultipartUploads", Bucket="kept")
        return len(found.get("Uploads", []))

    def task(self, **more: Any) -> Task:
        return replace(Task("e", "e/1", "s3", None, 1), **more)


async def until_done(adapter: Any, wanted: Any, task: Task) -> tuple[Any, list[timedelta]]:
    """Deliver a task as often as it comes back; its result, and the pauses."""
    pauses: list[timedelta] = []
    while True:
        try:
            return await adapter(wanted, task), pauses
        except Later as later:
            pauses.append(later.after)
            task = replace(task, state=later.state)


async def refused(work: Awaitable[Any]) -> tuple[str, bool, str]:
    """Type, whether it is retried, and message of what a task fails with."""
    with pytest.raises(ServiceError) as caught:
        await work
    return caught.value.type, caught.value.retryable, str(caught.value)


@pytest.fixture(scope="module")
async def aws(server_of_session: Server) -> AsyncIterator[Aws]:
    async with lasting_client(server_of_session, 1) as made:
        yield made


@pytest.fixture
async def bench(server: Server, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setenv("S3_COPY_PART_MIB", "5")
    settings.part_bytes.cache_clear()
    for bucket in ("data", "kept"):
        await aws.call("s3", "CreateBucket", Bucket=bucket)
    versions = {"Status": "Enabled"}
    await aws.call("s3", "PutBucketVersioning", Bucket="kept", VersioningConfiguration=versions)
    PRESENT.set(aws)
    yield Bench(server, aws)
    settings.part_bytes.cache_clear()
