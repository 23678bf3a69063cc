"""Copying an object: in one request, or in parts over as many invocations as it takes.

Laws
 1. What is copied is the object that was looked at first: each request says its etag.
 2. A copy that is there is not made again. It is known by its etag, or where it was made in parts
    by the etag of its source, which it then has in its metadata.
 3. The parts that are there are S3's to say (ListParts). Of an upload only its id is handed on, and
    it is handed on before the first part is copied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from lambda_workflow import Later, ServiceError, Task, TaskCancelled, heartbeat
from lambda_workflow.aws.present import seconds_left
from lambda_workflow_services.s3_object import CopyObject
from lambda_workflow_services.s3_object.asking import ask, etag_of, head, of_version

SOURCE_ETAG: Final = "lambda-workflow-source"  # metadata of a copy that was made in parts
PARTS_MAX: Final = 10_000  # S3's own
AT_ONCE: Final = 6  # parts; botocore runs in as many threads
RESERVED_SECONDS: Final = 60.0  # for the parts under way

_KEPT: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "WebsiteRedirectLocation",
)
_RIGHTS: Final = (
    "s3:GetObject and s3:GetObjectTagging of the source, s3:PutObject and s3:PutObjectTagging of "
    "the target"
)


@dataclass(frozen=True, slots=True)
class Copying:
    """A copy to make, and what HeadObject said of its source."""

    wanted: CopyObject
    source: dict[str, Any]
    part_bytes: int

    @property
    def size(self) -> int:
        """Of the source, in bytes."""
        return int(self.source["ContentLength"])

    @property
    def etag(self) -> str:
        """Of the source."""
        return etag_of(self.source)

    @property
    def target(self) -> dict[str, str]:
        """Bucket and key of the copy."""
        return {"Bucket": self.wanted.to_bucket, "Key": self.wanted.to_key}

    @property
    def copied(self) -> dict[str, Any]:
        """What a request copies from (law 1)."""
        place = {"Bucket": self.wanted.bucket, "Key": self.wanted.key}
        source = {**place, **of_version(self.wanted.version_id)}
        return {"CopySource": source, "CopySourceIfMatch": self.source["ETag"]}

    @property
    def metadata(self) -> dict[str, str]:
        """Of the copy."""
        own: dict[str, str] = self.source.get("Metadata", {})
        return own if self.wanted.metadata is None else self.wanted.metadata

    @property
    def content_type(self) -> str:
        """Of the copy."""
        return self.wanted.content_type or str(self.source.get("ContentType", ""))

    async def is_there(self) -> bool:
        """Whether the copy has been made (law 2)."""
        found = await head(self.wanted.to_bucket, self.wanted.to_key)
        if found is None or found["ContentLength"] != self.size:
            return False
        metadata = dict(found.get("Metadata", {}))
        source = metadata.pop(SOURCE_ETAG, "")
        expected = {k.lower(): v for k, v in self.metadata.items() if k.lower() != SOURCE_ETAG}
        return (
            self.etag in (etag_of(found), source)
            and metadata == expected
            and found.get("StorageClass", "STANDARD") == self.wanted.storage_class
            and found.get("ContentType", "") == self.content_type
        )

    async def at_once(self) -> None:
        """One request does it."""
        headers: dict[str, Any] = {"StorageClass": self.wanted.storage_class}
        if self.wanted.metadata is not None or self.wanted.content_type is not None:
            headers |= self._headers() | {"MetadataDirective": "REPLACE"}
        await ask("CopyObject", _RIGHTS, **self.target, **self.copied, **headers)

    def _headers(self) -> dict[str, Any]:
        kept = {name: self.source[name] for name in _KEPT if self.source.get(name)}
        return {**kept, "ContentType": self.content_type, "Metadata": self.metadata}


class Upload:
    """A copy that is made in parts.

    Args:
        state: what an earlier delivery or attempt has handed on.
    """

    def __init__(self, copying: Copying, state: Any) -> None:
        self._copying = copying
        known = state if isinstance(state, dict) and state.get("etag") == copying.etag else {}
        self._id = str(known.get("upload", ""))
        least = -(-copying.size // PARTS_MAX)
        self._part_bytes = int(known.get("part_bytes", 0)) or max(copying.part_bytes, least)

    @property
    def _state(self) -> dict[str, Any]:
        etag = self._copying.etag
        return {"upload": self._id, "etag": etag, "part_bytes": self._part_bytes}

    async def go_on(self) -> None:
        """Copy the parts that are missing, and make an object of them.

        Raises:
            Later: there is more to do than this invocation has time for.
            ServiceError: see `ask`; the upload is given up where it cannot succeed.
        """
        if not self._id:
            await self._begin()
            raise Later(timedelta(0), self._state)
        try:
            done = await self._parts()
            missing = [number for number in self._numbers() if number not in done]
            if not await self._copy(missing):
                raise Later(timedelta(0), self._state)
            await self._complete(await self._parts())
        except ServiceError as error:
            if not error.retryable or error.type == "PreconditionFailed":  # it is begun anew
                await self.abort()
            raise
        except asyncio.CancelledError:
            await self._abort_if_withdrawn()
            raise
        except TaskCancelled:
            await self.abort()
            raise

    async def _abort_if_withdrawn(self) -> None:
        """Cancelled for the lack of time it goes on at the next delivery."""
        try:
            await heartbeat(self._state)
        except TaskCancelled:
            await self.abort()

    async def abort(self) -> None:
        """Give the parts up."""
        target = self._copying.target
        try:
            await ask(
                "AbortMultipartUpload", "s3:AbortMultipartUpload", **target, UploadId=self._id
            )
        except ServiceError:
            return  # what is left costs until the bucket's lifecycle rule removes it

    async def _begin(self) -> None:
        copying = self._copying
        headers = copying._headers()
        headers["Metadata"] = {**headers["Metadata"], SOURCE_ETAG: copying.etag}
        if copying.source.get("TagCount"):
            headers["Tagging"] = await self._tags()
        made = await ask(
            "CreateMultipartUpload",
            _RIGHTS,
            **copying.target,
            **headers,
            StorageClass=copying.wanted.storage_class,
        )
        self._id = made["UploadId"]

    async def _tags(self) -> str:
        wanted = self._copying.wanted
        found = await ask(
            "GetObjectTagging",
            "s3:GetObjectTagging",
            Bucket=wanted.bucket,
            Key=wanted.key,
            **of_version(wanted.version_id),
        )
        return urlencode({tag["Key"]: tag["Value"] for tag in found["TagSet"]})

    def _numbers(self) -> Iterator[int]:
        return iter(range(1, -(-self._copying.size // self._part_bytes) + 1))

    async def _parts(self) -> dict[int, dict[str, Any]]:
        """The parts that are there, as CompleteMultipartUpload wants them."""
        found: dict[int, dict[str, Any]] = {}
        after: dict[str, int] = {}
        while True:
            page = await ask(
                "ListParts",
                "s3:ListMultipartUploadParts",
                **self._copying.target,
                UploadId=self._id,
                **after,
            )
            for part in page.get("Parts", ()):
                sums = {name: value for name, value in part.items() if name.startswith("Checksum")}
                number = part["PartNumber"]
                found[number] = {"PartNumber": number, "ETag": part["ETag"], **sums}
            if not page.get("IsTruncated"):
                return found
            after = {"PartNumberMarker": page["NextPartNumberMarker"]}

    async def _copy(self, numbers: list[int]) -> bool:
        """Copy parts, as long as there is time; whether it was enough."""
        left = iter(numbers)
        failed: list[Exception] = []

        async def work() -> None:
            while not failed and _has_time():
                if (number := next(left, None)) is None:
                    return
                try:
                    await self._copy_part(number)
                    await heartbeat(self._state)
                except Exception as error:  # noqa: BLE001  # raised below
                    failed.append(error)

        # One that fails waits for the others: a part that is under way outlives an abort.
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        if failed:
            raise failed[0]
        return next(left, None) is None

    async def _copy_part(self, number: int) -> None:
        first = (number - 1) * self._part_bytes
        last = min(first + self._part_bytes, self._copying.size) - 1
        await ask(
            "UploadPartCopy",
            _RIGHTS,
            **self._copying.target,
            **self._copying.copied,
            UploadId=self._id,
            PartNumber=number,
            CopySourceRange=f"bytes={first}-{last}",
        )

    async def _complete(self, parts: dict[int, dict[str, Any]]) -> None:
        await ask(
            "CompleteMultipartUpload",
            _RIGHTS,
            **self._copying.target,
            UploadId=self._id,
            MultipartUpload={"Parts": [parts[number] for number in self._numbers()]},
        )


def _has_time() -> bool:
    left = seconds_left()
    return left is None or left >= RESERVED_SECONDS


async def copy(copying: Copying, task: Task) -> None:
    """Make a copy, unless it is there.

    Raises:
        Later: there is more to do than one invocation has time for.
        ServiceError: see `ask`.
    """
    if await copying.is_there():
        return
    if copying.size <= copying.part_bytes:
        await copying.at_once()
    else:
        await Upload(copying, task.state or task.details).go_on()
