"""Large payloads and records: in the table, or in a bucket."""

from __future__ import annotations

from typing import Final

from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.dynamodb import HORIZON_DAYS
from lambda_workflow.errors import BackendError, LimitExceeded
from lambda_workflow.model.ids import BLOB_PREFIX
from lambda_workflow.ports import Clock

CHUNK_BYTES: Final = 390_000  # an item may have 400 KB
_HORIZON_SECONDS: Final = HORIZON_DAYS * 24 * 3_600


class DynamoBlobs:
    """As chunk items of the store's table, under ids that no execution may have."""

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
                "x": {"N": str(expiry)},
            }
            await self._aws.call("dynamodb", "PutItem", TableName=self._table, Item=item)

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
                raise BackendError(f"the payload {key} is not in table {self._table}")
            chunks.append(bytes(item["d"]["B"]))
            count = int(item["c"]["N"])
        return b"".join(chunks)


class S3Blobs:
    """In a bucket, under `payloads/`."""

    def __init__(self, aws: Aws, bucket: str) -> None:
        self._aws = aws
        self._bucket = bucket

    async def put(self, key: str, content: bytes) -> None:
        await self._aws.call(
            "s3", "PutObject", Bucket=self._bucket, Key=f"payloads/{key}", Body=content
        )

    async def get(self, key: str) -> bytes:
        try:
            answer = await self._aws.call(
                "s3", "GetObject", Bucket=self._bucket, Key=f"payloads/{key}"
            )
        except AwsError as error:
            raise BackendError(f"the payload {key} is not in bucket {self._bucket}") from error
        return bytes(answer["Body"])


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
