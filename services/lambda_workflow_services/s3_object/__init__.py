"""The contracts of the services `s3_copy`, `s3_wait`, `s3_get` and `s3_put`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from lambda_workflow import RetryPolicy, Service

__all__ = [
    "S3_COPY",
    "S3_GET",
    "S3_PUT",
    "S3_WAIT",
    "CopyObject",
    "GetObject",
    "PutObject",
    "S3Content",
    "S3Object",
    "WaitForObject",
]

StorageClass = Literal[
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
    "REDUCED_REDUNDANCY",
]

KEY_CHARACTERS_MAX: Final = 1_024  # bytes of UTF-8, says S3, which refuses what is over
CONTENT_BYTES_MAX: Final = 10 * 1024 * 1024  # base64 makes 13.4 MiB of it, a payload has 16
WAIT_MAX: Final = timedelta(days=366)  # as long as a timer may be


_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]{3,255}")


def _check_bucket(bucket: str) -> str:
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(
            'write the bucket\'s name alone, such as "orders", without s3://, and no ARN'
        )
    return bucket


Bucket = Annotated[str, AfterValidator(_check_bucket)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Place(_Model):
    bucket: Bucket
    key: str = Field(min_length=1, max_length=KEY_CHARACTERS_MAX)


class S3Object(BaseModel):
    """An object as S3 describes it.

    Attributes:
        etag: without quotes; of its content, but no digest of it where it was uploaded in parts.
        version_id: None in a bucket without versions.
        metadata: the author's own; names are in lower case.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    bucket: str
    key: str
    size: int
    etag: str
    version_id: str | None
    last_modified: datetime
    content_type: str
    storage_class: str
    metadata: dict[str, str]


class CopyObject(_Place):
    """An object to copy, of any size, and where to.

    Args:
        version_id: of the object; the present one if not given.
        to_bucket: may be the same.
        to_key: what is there is replaced.
        storage_class: of the copy; STANDARD if not given, as in S3.
        content_type: of the copy; the object's own if not given.
        metadata: of the copy, in place of the object's own; None keeps that.
    """

    version_id: str | None = None
    to_bucket: Bucket
    to_key: str = Field(min_length=1, max_length=KEY_CHARACTERS_MAX)
    storage_class: StorageClass = "STANDARD"
    content_type: str | None = None
    metadata: dict[str, str] | None = None


class WaitForObject(_Place):
    """An object to wait for.

    Args:
        changed_from: an etag: wait until there is an object with another one.
        timeout: then the call fails with `WaitTimedOut`.
        look_every: it is looked after 5 seconds, then after 10, 20, … and at least this often.
    """

    changed_from: str | None = None
    timeout: timedelta = Field(default=timedelta(days=1), gt=timedelta(0), le=WAIT_MAX)
    look_every: timedelta = Field(
        default=timedelta(minutes=5), ge=timedelta(seconds=1), le=timedelta(days=1)
    )


class GetObject(_Place):
    """An object of at most 10 MiB to read; of that version, or the present one."""

    version_id: str | None = None


class S3Content(S3Object):
    """An object and what is in it."""

    content: bytes

    @property
    def text(self) -> str:
        """The content, which must be UTF-8."""
        return self.content.decode()


class PutObject(_Place):
    """An object of at most 10 MiB to write; exactly one of `text` and `content`.

    Args:
        text: is written as UTF-8.
        content_type: text/plain or application/octet-stream if not given.
        if_absent: fail with `ObjectExists` if there is one already that this task did not write.
    """

    text: str | None = None
    content: bytes | None = None
    content_type: str | None = None
    metadata: dict[str, str] = {}
    storage_class: StorageClass = "STANDARD"
    if_absent: bool = False

    @model_validator(mode="after")
    def _check_content(self) -> Self:
        if (self.text is None) == (self.content is None):
            raise ValueError("exactly one of text and content is what is written")
        if len(self.body) > CONTENT_BYTES_MAX:
            raise ValueError(
                f"{len(self.body):,} bytes: at most {CONTENT_BYTES_MAX:,} travel with a call; "
                "write what is larger where it is made, and pass on where it is"
            )
        return self

    @property
    def body(self) -> bytes:
        """The bytes to write."""
        return self.content if self.content is not None else (self.text or "").encode()


_RETRY: Final = RetryPolicy(attempts=5, initial=timedelta(seconds=2))
_ATTEMPT: Final = timedelta(minutes=16)  # a function's longest, and a minute

S3_COPY: Final = Service(
    "s3_copy", CopyObject, S3Object, retry=_RETRY, heartbeat_timeout=timedelta(minutes=30)
)
S3_WAIT: Final = Service("s3_wait", WaitForObject, S3Object, retry=_RETRY)
S3_GET: Final = Service("s3_get", GetObject, S3Content, retry=_RETRY, attempt_timeout=_ATTEMPT)
S3_PUT: Final = Service("s3_put", PutObject, S3Object, retry=_RETRY, attempt_timeout=_ATTEMPT)
