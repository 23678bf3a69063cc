"""S3's answers, and what its refusals become."""

from __future__ import annotations

from typing import Any, Final

from lambda_workflow import ServiceError
from lambda_workflow.aws.client import AwsError
from lambda_workflow.aws.present import aws_client
from lambda_workflow_services.s3_object import S3Object

NOT_THERE: Final = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404"})
_RETRYABLE: Final = frozenset(
    {"InternalError", "OperationAborted", "PreconditionFailed", "RequestTimeout", "SlowDown"}
)
_WRONG: Final = frozenset({"NoCredentialsError", "ParamValidationError"})  # nothing was sent
_STATUS: Final = {
    "400": "BadRequest",
    "403": "AccessDenied",
    "404": "NoSuchKey",
    "405": "MethodNotAllowed",
    "412": "PreconditionFailed",
}  # HeadObject's answers have no body that says more


async def ask(operation: str, rights: str, **params: Any) -> dict[str, Any]:
    """Call an operation of S3.

    Args:
        rights: what it needs, for who is refused for the lack of it.

    Raises:
        ServiceError: with S3's code as its type; retryable if it may pass.
    """
    try:
        return await aws_client().call("s3", operation, **params)
    except AwsError as error:
        kind = _STATUS.get(error.code, error.code)
        where = f"s3://{params['Bucket']}/{params.get('Key', '')}"
        message = f"{operation} of {where}: {error.message or kind}"
        if kind == "AccessDenied" or error.status == 403:
            message += (
                f"; the service needs {rights} there, in the parameters of its stack and in the "
                "bucket's policy"
            )
        passes = error.transient and kind not in _WRONG
        retryable = passes or kind in _RETRYABLE
        raise ServiceError(message, type=kind, retryable=retryable) from error


async def head(bucket: str, key: str, version_id: str | None = None) -> dict[str, Any] | None:
    """HeadObject's answer; None if there is no such object.

    Raises:
        ServiceError: see `ask`; S3 says AccessDenied for a missing object where it may not tell.
    """
    rights = (
        "s3:GetObject of the object, and s3:ListBucket of the bucket to learn that there is none"
    )
    try:
        return await ask("HeadObject", rights, Bucket=bucket, Key=key, **of_version(version_id))
    except ServiceError as error:
        if error.type not in NOT_THERE:
            raise
        return None


async def existing(bucket: str, key: str, version_id: str | None = None) -> dict[str, Any]:
    """The same, where there must be one.

    Raises:
        ServiceError: NoSuchKey or NoSuchBucket, or see `head`.
    """
    if (found := await head(bucket, key, version_id)) is not None:
        return found
    await check_bucket(bucket)
    version = f" in version {version_id}" if version_id else ""
    raise ServiceError(
        f"there is no s3://{bucket}/{key}{version}", type="NoSuchKey", retryable=False
    )


async def check_bucket(bucket: str) -> None:
    """See that there is a bucket: S3 says no more of a missing object.

    Raises:
        ServiceError: NoSuchBucket, or see `ask`.
    """
    try:
        await ask("HeadBucket", "s3:ListBucket", Bucket=bucket)
    except ServiceError as error:
        if error.type not in NOT_THERE:
            raise
        raise ServiceError(
            f"there is no bucket {bucket}", type="NoSuchBucket", retryable=False
        ) from error


def described(bucket: str, key: str, found: dict[str, Any]) -> S3Object:
    """What HeadObject or GetObject said."""
    return S3Object(
        bucket=bucket,
        key=key,
        size=found["ContentLength"],
        etag=etag_of(found),
        version_id=found.get("VersionId"),
        last_modified=found["LastModified"],
        content_type=found.get("ContentType", ""),
        storage_class=found.get("StorageClass", "STANDARD"),
        metadata=found.get("Metadata", {}),
    )


def etag_of(found: dict[str, Any]) -> str:
    """The ETag without its quotes."""
    return str(found["ETag"]).strip('"')


def of_version(version_id: str | None) -> dict[str, str]:
    """The parameter that names a version, if one is meant."""
    return {"VersionId": version_id} if version_id else {}
