"""Waiting for objects, reading and writing them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from lambda_workflow_services.s3_object import CopyObject, GetObject, PutObject, WaitForObject
from lambda_workflow_services.s3_object.adapter import s3_get, s3_put, s3_wait
from pydantic import ValidationError

from lambda_workflow import Later
from tests.services.s3_object.conftest import Bench, refused


def awaited(**more: Any) -> WaitForObject:
    return WaitForObject(bucket="data", key="in/a", **more)


async def test_an_object_that_is_there_ends_the_wait(bench: Bench) -> None:
    etag = await bench.put("in/a", ContentType="text/x")
    found = await s3_wait(awaited(), bench.task())
    assert (found.bucket, found.key, found.size, found.etag) == ("data", "in/a", 3, etag)
    assert (found.content_type, found.version_id) == ("text/x", None)
    assert found.last_modified.utcoffset() == timedelta(0)


async def later(bench: Bench, wanted: WaitForObject, state: Any) -> Later:
    with pytest.raises(Later) as caught:
        await s3_wait(wanted, bench.task(state=state))
    return caught.value


async def test_it_is_looked_for_at_growing_distances(bench: Bench) -> None:
    pauses: list[int] = []
    state = None
    for _ in range(9):
        came = await later(bench, awaited(), state)
        state = came.state
        pauses.append(int(came.after.total_seconds()))
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    await bench.put("in/a")
    assert (await s3_wait(awaited(), bench.task(state=state))).size == 3


async def test_a_change_is_waited_for(bench: Bench) -> None:
    etag = await bench.put("in/a")
    for old in (etag, f'"{etag}"'):
        await later(bench, awaited(changed_from=old), None)
    other = await bench.put("in/a", b"xyz")
    assert (await s3_wait(awaited(changed_from=etag), bench.task())).etag == other


async def test_the_last_look_is_at_the_end_of_the_wait(bench: Bench) -> None:
    came = await later(bench, awaited(timeout=timedelta(seconds=3)), None)
    assert timedelta(0) < came.after <= timedelta(seconds=3)
    over = {**came.state, "until": came.state["until"] - 3_000}
    kind, is_retried, message = await refused(s3_wait(awaited(), bench.task(state=over)))
    assert (kind, is_retried) == ("WaitTimedOut", False)
    assert "s3://data/in/a has not come" in message
    await bench.put("in/a")
    assert (await s3_wait(awaited(), bench.task(state=over))).size == 3


async def test_a_wait_ends_in_time_where_a_clock_skips_it(bench: Bench) -> None:
    wanted = awaited(timeout=timedelta(minutes=10))
    state = None
    for _ in range(7):  # after 5, 10, 20, 40, 80, 160 s, and what is left: 285 s
        state = (await later(bench, wanted, state)).state
    assert (await refused(s3_wait(wanted, bench.task(state=state))))[0] == "WaitTimedOut"


async def test_a_bucket_that_is_not_there_is_told_at_once(bench: Bench) -> None:
    wanted = WaitForObject(bucket="nowhere", key="a")
    assert (await refused(s3_wait(wanted, bench.task())))[:2] == ("NoSuchBucket", False)


async def test_who_may_not_look_is_told_the_right(bench: Bench) -> None:
    bench.server.fault("s3", "HEAD", "deny")
    kind, is_retried, message = await refused(s3_wait(awaited(), bench.task()))
    assert (kind, is_retried) == ("AccessDenied", False)
    assert "s3:GetObject of the object, and s3:ListBucket of the bucket" in message


async def test_a_failure_of_s3_does_not_prolong_the_wait(bench: Bench) -> None:
    first = await later(bench, awaited(), None)
    bench.server.fault("s3", "HEAD", "error", count=2)
    again = await later(bench, awaited(), first.state)
    assert again.state == {**first.state, "due": again.state["due"]}
    over = {**first.state, "until": 0}
    assert (await refused(s3_wait(awaited(), bench.task(state=over))))[1]


async def test_an_object_is_read(bench: Bench) -> None:
    await bench.put("a", "ü".encode(), ContentType="text/x", Metadata={"who": "me"})
    found = await s3_get(GetObject(bucket="data", key="a"))
    assert (found.content, found.text, found.size) == ("ü".encode(), "ü", 2)
    assert (found.content_type, found.metadata) == ("text/x", {"who": "me"})


async def test_a_version_is_read(bench: Bench) -> None:
    made = await bench.aws.call("s3", "PutObject", Bucket="kept", Key="v", Body=b"one")
    await bench.aws.call("s3", "PutObject", Bucket="kept", Key="v", Body=b"two")
    old = GetObject(bucket="kept", key="v", version_id=made["VersionId"])
    assert (await s3_get(old)).content == b"one"
    assert (await s3_get(GetObject(bucket="kept", key="v"))).content == b"two"


async def test_what_is_too_large_for_a_result_is_not_read(bench: Bench) -> None:
    await bench.put("a", bytes(10 * 1024 * 1024 + 1))
    kind, is_retried, _ = await refused(s3_get(GetObject(bucket="data", key="a")))
    assert (kind, is_retried) == ("ObjectTooLarge", False)
    assert [line.operation for line in bench.server.requests("s3")][-1] == "HEAD"


@pytest.mark.parametrize(
    ("wanted", "content_type"),
    [
        ({"text": "ü"}, "text/plain; charset=utf-8"),
        ({"content": "ü".encode()}, "application/octet-stream"),
        ({"text": "ü", "content_type": "text/x"}, "text/x"),
    ],
)
async def test_an_object_is_written(
    bench: Bench, wanted: dict[str, Any], content_type: str
) -> None:
    made = await s3_put(PutObject(bucket="kept", key="a", metadata={"who": "me"}, **wanted),
                        bench.task())  # fmt: skip
    assert await bench.body("kept", "a") == "ü".encode()
    assert (made.size, made.content_type) == (2, content_type)
    assert made.metadata == {"who": "me", "lambda-workflow-task": "e/1"}


async def test_a_task_that_comes_again_finds_what_it_wrote(bench: Bench) -> None:
    wanted = PutObject(bucket="kept", key="a", text="x", if_absent=True)
    made = await s3_put(wanted, bench.task())
    assert await s3_put(wanted, bench.task()) == made
    assert await bench.versions("a") == 1
    other = bench.task(task_id="e/2")
    assert (await refused(s3_put(wanted, other)))[:2] == ("ObjectExists", False)
    await s3_put(wanted.model_copy(update={"if_absent": False}), other)
    assert await bench.versions("a") == 2


async def test_of_two_writers_at_the_same_time_one_finds_it_taken(bench: Bench) -> None:
    bench.server.fault("s3", "HEAD", "error", skip=1)
    wanted = PutObject(bucket="kept", key="a", text="x", if_absent=True)
    assert (await refused(s3_put(wanted, bench.task())))[1]  # written, and not told of
    assert (await s3_put(wanted, bench.task())).size == 1


@pytest.mark.parametrize(
    "wrong",
    [{}, {"text": "a", "content": b"a"}, {"text": "ü" * (5 * 1024 * 1024 + 1)}],
    ids=["none", "both", "large"],
)
def test_exactly_one_content_of_at_most_10_mib_is_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PutObject(bucket="kept", key="a", **wrong)


@pytest.mark.parametrize(
    "bucket", ["s3://orders", "orders/in", "no bucket", "arn:aws:s3:::orders", "ab", ""]
)
def test_what_is_no_name_of_a_bucket_is_told_what_to_give(bucket: str) -> None:
    with pytest.raises(ValidationError, match="write the bucket's name alone"):
        WaitForObject(bucket=bucket, key="a")
    with pytest.raises(ValidationError, match=r"to_bucket\n.*write the bucket's name alone"):
        CopyObject(bucket="data", key="a", to_bucket=bucket, to_key="a")
