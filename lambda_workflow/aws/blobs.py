"""Large payloads and records: in the table, or in a bucket."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.dynamodb import HORIZON_DAYS
from lambda_workflow.errors import BackendError, LimitExceeded
from lambda_workflow.model.ids import BLOB_PREFIX
from lambda_workflow.ports import BlobMissing, Clock

CHUNK_BYTES: Final = 390_000  # an item may have 400 KB
OBJECT_PREFIX: Final = "payloads/"
PUTS_MAX: Final = 5  # of one object that others put at the same time
_MISSING: Final = "NoSuchKey"
_REFUSED: Final = 403
_RACED: Final = 409  # ConditionalRequestConflict
_EXISTS: Final = 412
_HORIZON_SECONDS: Final = HORIZON_DAYS * 24 * 3_600


class DynamoBlobs:
    """As chunk items of the store's table, under ids that no execution may have.

    A chunk has its own digest `s`, so that a put can be conditional: it may write where nothing is,
    or again what it wrote before, which renews the expiry; it replaces no other content.
    """

    def __init__(self, aws: Aws, table: str, clock: Clock) -> None:
        self._aws = aws
        self._table = table
        self._clock = clock

    async def put(self, key: str, content: bytes) -> None:
        count = -(-len(content) // CHUNK_BYTES) or 1
        expiry = self._clock.now() // 1000 + _HORIZON_SECONDS
        for number in reversed(range(count)):  # the first chunk last: it says that all are there
            chunk = content[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
            item = {
                "id": {"S": BLOB_PREFIX + key},
                "n": {"N": str(number)},
                "d": {"B": chunk},
                "c": {"N": str(count)},
                "s": {"S": hashlib.sha256(chunk).hexdigest()},
                "x": {"N": str(expiry)},
            }
            await self._put_chunk(key, item)

    async def _put_chunk(self, key: str, item: dict[str, Any]) -> None:
        try:
            await self._aws.call(
                "dynamodb",
                "PutItem",
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(id) OR s = :s",
                ExpressionAttributeValues={":s": item["s"]},
            )
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            raise BackendError(_taken(key, f"table {self._table}")) from error

    async def get(self, key: str) -> bytes:
        chunks: list[bytes] = []
        count = 1
        while len(chunks) < count:
            answer = await self._aws.call(
                "dynamodb",
                "GetItem",
                TableName=self._table,
                Key={"id": {"S": BLOB_PREFIX + key}, "n": {"N": str(len(chunks))}},
                ConsistentRead=True,
            )
            if (item := answer.get("Item")) is None:
                raise BlobMissing(f"the payload {key} is not in table {self._table}")
            chunks.append(bytes(item["d"]["B"]))
            count = int(item["c"]["N"])
        return b"".join(chunks)


class S3Blobs:
    """In a bucket, under `payloads/`.

    A put is conditional (`If-None-Match: *`): it replaces no other content. Content that is there
    already is put again once half of its time until the lifecycle rule's expiry has passed.
    """

    def __init__(self, aws: Aws, bucket: str, clock: Clock) -> None:
        self._aws = aws
        self._bucket = bucket
        self._clock = clock

    async def put(self, key: str, content: bytes) -> None:
        for _ in range(PUTS_MAX):
            try:
                await self._put(key, content, IfNoneMatch="*")
            except AwsError as error:
                if error.status == _EXISTS:
                    await self._put_again(key, content)
                    return
                if error.status != _RACED:
                    raise self._refused(error, key, "s3:PutObject") from error
            else:
                return
        raise BackendError(
            f"the payload {key} could not be put into bucket {self._bucket}: others put it at the "
            f"same time, {PUTS_MAX} times in a row"
        )

    async def get(self, key: str) -> bytes:
        try:
            answer = await self._call("GetObject", key)
        except AwsError as error:
            if error.code == _MISSING:
                raise BlobMissing(f"the payload {key} is not in bucket {self._bucket}") from error
            raise self._refused(error, key, "s3:GetObject") from error
        return bytes(answer["Body"])

    async def _put(self, key: str, content: bytes, **condition: str) -> None:
        await self._call("PutObject", key, Body=content, **condition)

    async def _put_again(self, key: str, content: bytes) -> None:
        """Compare with what is there, if this role may read it, and renew what is old."""
        try:
            present = await self._call("GetObject", key)
        except AwsError as error:
            if error.status == _REFUSED:  # each fetch checks the digest
                return
            if error.code == _MISSING:  # it has expired since
                await self._put(key, content)
                return
            raise
        if present["Body"] != content:
            raise BackendError(_taken(key, f"bucket {self._bucket}"))
        age = self._clock.now() / 1000 - present["LastModified"].timestamp()
        if age > _HORIZON_SECONDS / 2:
            await self._put(key, content)

    async def _call(self, operation: str, key: str, **params: Any) -> dict[str, Any]:
        name = OBJECT_PREFIX + key
        return await self._aws.call("s3", operation, Bucket=self._bucket, Key=name, **params)

    def _refused(self, error: AwsError, key: str, action: str) -> BackendError:
        """A 403 with what to look at; every other error with the object that it is about."""
        name, bucket = OBJECT_PREFIX + key, f"arn:aws:s3:::{self._bucket}"
        if error.status != _REFUSED:
            what = f"{error.message} ({action} of {name} in bucket {self._bucket})"
            return AwsError(
                error.service, error.operation, code=error.code, message=what, status=error.status
            )
        missing = (
            ", or the object is: without s3:ListBucket on "
            f"{bucket} S3 says 403, not 404, of an object that is not there"
            if action == "s3:GetObject"
            else ""
        )
        return BackendError(
            f"S3 refuses {action} of {name} in bucket {self._bucket} (403 {error.code}: "
            f"{error.message}). Either a right is missing ({action} on {bucket}/{OBJECT_PREFIX}*, "
            "and where the bucket has a KMS key kms:Decrypt and kms:GenerateDataKey on that key)"
            f"{missing}"
        )


def _taken(key: str, where: str) -> str:
    return (
        f"the payload {key} was not stored: {where} has other content under this key, which names "
        "its content. Another writer has stored it: find the role that may write there, delete "
        "that content, then redrive the execution"
    )


class NoBlobs:
    """Where a service function has neither bucket nor table, payloads must be small.

    A request that is not is kept until there is a place; a result that is not is an answer, or the
    work would be done again and again.
    """

    async def put(self, key: str, content: bytes) -> None:
        raise LimitExceeded(f"a result of {len(content):,} bytes is {self._nowhere}")

    async def get(self, key: str) -> bytes:
        raise BackendError(f"the payload {key} is {self._nowhere}")

    @property
    def _nowhere(self) -> str:
        return (
            "over 32 KB: set LAMBDA_WORKFLOW_BUCKET, or where the workflow function has none "
            "LAMBDA_WORKFLOW_TABLE, to the workflow function's own"
        )
