"""Copying: whole or in parts, once however often the task comes, and as the call says."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from typing import Any, Final

import pytest
from lambda_workflow_services.s3_object import CopyObject
from lambda_workflow_services.s3_object.adapter import s3_copy
from lambda_workflow_services.s3_object.copying import Copying, copy
from lambda_workflow_services.s3_object.settings import read_part_bytes

from lambda_workflow import ConfigurationError, Later, TaskCancelled
from lambda_workflow.aws.present import ENDS_AT
from lambda_workflow.runtime.heartbeats import WORK, Work
from tests.aws.deployed import until
from tests.services.s3_object.conftest import Bench, refused, until_done

MIB: Final = 1024 * 1024
LARGE: Final = os.urandom(12 * MIB)


def to_kept(key: str, **more: Any) -> CopyObject:
    return CopyObject(bucket="data", key=key, to_bucket="kept", to_key=f"copy of {key}", **more)


async def test_a_copy_has_what_the_object_has(bench: Bench) -> None:
    etag = await bench.put("a ü/b", ContentType="text/x", Metadata={"who": "me"})
    made = await s3_copy(to_kept("a ü/b"), bench.task())
    assert await bench.body("kept", "copy of a ü/b") == b"abc"
    assert (made.bucket, made.key, made.size, made.etag) == ("kept", "copy of a ü/b", 3, etag)
    assert (made.content_type, made.metadata) == ("text/x", {"who": "me"})
    assert made.version_id


async def test_a_copy_has_what_the_call_says(bench: Bench) -> None:
    await bench.put("a", ContentType="text/x", Metadata={"who": "me"}, CacheControl="no-store")
    wanted = to_kept("a", storage_class="STANDARD_IA", metadata={"Why": "test"})
    made = await s3_copy(wanted, bench.task())
    assert (made.storage_class, made.metadata) == ("STANDARD_IA", {"why": "test"})
    found = await bench.head("kept", "copy of a")
    assert (found["ContentType"], found["CacheControl"]) == ("text/x", "no-store")
    assert (await s3_copy(wanted, bench.task())).version_id == made.version_id
    other = await s3_copy(to_kept("a", content_type="text/y"), bench.task())
    assert (other.content_type, other.metadata) == ("text/y", {"who": "me"})


async def test_a_task_that_comes_again_finds_the_copy(bench: Bench) -> None:
    await bench.put("a")
    first = await s3_copy(to_kept("a"), bench.task())
    assert await s3_copy(to_kept("a"), bench.task()) == first
    assert await bench.versions("copy of a") == 1
    await bench.put("a", b"xyz")
    await s3_copy(to_kept("a"), bench.task())
    assert await bench.body("kept", "copy of a") == b"xyz"


async def test_a_version_is_copied(bench: Bench) -> None:
    versions = []
    for body in (b"one", b"two"):
        made = await bench.aws.call("s3", "PutObject", Bucket="kept", Key="v", Body=body)
        versions.append(made["VersionId"])
    back = CopyObject(bucket="kept", key="v", version_id=versions[0], to_bucket="data", to_key="v")
    await s3_copy(back, bench.task())
    assert await bench.body("data", "v") == b"one"


async def test_a_large_object_is_copied_in_parts(bench: Bench) -> None:
    etag = await bench.put("big", LARGE, Metadata={"who": "me"}, Tagging="color=dark%20red")
    made, pauses = await until_done(s3_copy, to_kept("big"), bench.task())
    assert pauses == [timedelta(0)]  # the upload's id is safe before the first part is copied
    assert await bench.body("kept", "copy of big") == LARGE
    assert made.etag.endswith("-3")
    assert made.metadata == {"who": "me", "lambda-workflow-source": etag}
    tags = await bench.aws.call("s3", "GetObjectTagging", Bucket="kept", Key="copy of big")
    assert tags["TagSet"] == [{"Key": "color", "Value": "dark red"}]
    assert await s3_copy(to_kept("big"), bench.task()) == made
    assert (await bench.versions("copy of big"), await bench.uploads()) == (1, 0)


async def begun(bench: Bench) -> Any:
    """The state of a copy in parts that has begun."""
    with pytest.raises(Later) as caught:
        await s3_copy(to_kept("big"), bench.task())
    return caught.value.state


async def test_a_copy_goes_on_with_the_parts_that_are_missing(bench: Bench) -> None:
    await bench.put("big", LARGE)
    state = await begun(bench)
    bench.server.fault("s3", "PUT", "error", skip=1)
    kind, is_retried, _ = await refused(s3_copy(to_kept("big"), bench.task(state=state)))
    assert is_retried, kind
    there = await bench.aws.call(
        "s3", "ListParts", Bucket="kept", Key="copy of big", UploadId=state["upload"]
    )
    before = len(bench.server.requests("s3", "PUT"))
    # The next attempt has what the heartbeats of the last one said.
    made = await s3_copy(to_kept("big"), bench.task(details=state))
    assert made.size == len(LARGE)
    assert len(bench.server.requests("s3", "PUT")) - before == 3 - len(there["Parts"]) < 3
    assert await bench.body("kept", "copy of big") == LARGE


async def test_a_copy_comes_back_when_the_functions_time_is_short(bench: Bench) -> None:
    await bench.put("big", LARGE)
    state = await begun(bench)
    token = ENDS_AT.set(time.monotonic() + 30)
    with pytest.raises(Later) as caught:
        await s3_copy(to_kept("big"), bench.task(state=state))
    ENDS_AT.reset(token)
    assert caught.value.state == state
    assert (await s3_copy(to_kept("big"), bench.task(state=state))).size == len(LARGE)


async def test_parts_of_an_object_that_has_changed_are_not_gone_on_with(bench: Bench) -> None:
    await bench.put("big", LARGE)
    state = await begun(bench)
    await bench.put("big", LARGE[::-1])
    made, _ = await until_done(s3_copy, to_kept("big"), bench.task(state=state))
    assert made.size == len(LARGE)
    assert await bench.body("kept", "copy of big") == LARGE[::-1]


@pytest.mark.parametrize("size", [3, len(LARGE)], ids=["whole", "in parts"])
async def test_what_has_changed_since_it_was_looked_at_is_not_copied(
    bench: Bench, size: int
) -> None:
    await bench.put("big", LARGE[:size])
    source = await bench.head("data", "big")
    copying = Copying(to_kept("big"), source, 5 * MIB)
    task = bench.task(state=await begun(bench)) if size > 3 else bench.task()
    await bench.put("big", LARGE[::-1][:size])
    kind, is_retried, _ = await refused(copy(copying, task))
    assert (kind, is_retried) == ("PreconditionFailed", True)
    assert await bench.uploads() == 0


async def test_an_upload_that_cannot_succeed_is_given_up(bench: Bench) -> None:
    await bench.put("big", LARGE)
    state = await begun(bench)
    assert await bench.uploads() == 1
    bench.server.fault("s3", "PUT", "deny", count=6)
    kind, is_retried, message = await refused(s3_copy(to_kept("big"), bench.task(state=state)))
    assert (kind, is_retried) == ("AccessDenied", False)
    assert "s3:PutObject" in message
    assert await bench.uploads() == 0


async def test_an_upload_that_nobody_wants_any_more_is_given_up(bench: Bench) -> None:
    await bench.put("big", LARGE)
    state = await begun(bench)
    token = WORK.set(Work(bench.task(), is_withdrawn=True))
    with pytest.raises(TaskCancelled):
        await s3_copy(to_kept("big"), bench.task(state=state))
    WORK.reset(token)
    assert await bench.uploads() == 0


async def test_an_upload_that_is_cut_off_goes_on_at_the_next_delivery(bench: Bench) -> None:
    await bench.put("big", LARGE)
    state = await begun(bench)
    copying = asyncio.create_task(s3_copy(to_kept("big"), bench.task(state=state)))
    await until(lambda: any("big" in line.name for line in bench.server.requests("s3", "PUT")))
    copying.cancel()
    await asyncio.wait({copying})
    assert await bench.uploads() == 1
    assert (await s3_copy(to_kept("big"), bench.task(state=state))).size == len(LARGE)


@pytest.mark.parametrize(
    ("wanted", "kind", "message"),
    [
        (to_kept("none"), "NoSuchKey", "there is no s3://data/none"),
        (to_kept("none", version_id="7"), "BadRequest", "HeadObject of s3://data/none"),
        (
            CopyObject(bucket="nowhere", key="a", to_bucket="kept", to_key="a"),
            "NoSuchBucket",
            "there is no bucket nowhere",
        ),
        (
            CopyObject(bucket="data", key="a", to_bucket="nowhere", to_key="a"),
            "NoSuchBucket",
            "nowhere",
        ),
        (to_kept("a", metadata={"who": "ü"}), "ParamValidationError", "ASCII"),
    ],
    ids=["key", "version", "source bucket", "target bucket", "metadata"],
)
async def test_what_is_not_there_or_cannot_be_is_named(
    bench: Bench, wanted: CopyObject, kind: str, message: str
) -> None:
    await bench.put("a")
    found = await refused(s3_copy(wanted, bench.task()))
    assert found[:2] == (kind, False)
    assert message in found[2]


def test_settings_are_checked() -> None:
    assert read_part_bytes({}) == 256 * MIB
    with pytest.raises(ConfigurationError, match="S3_COPY_PART_MIB is '4'"):
        read_part_bytes({"S3_COPY_PART_MIB": "4"})
