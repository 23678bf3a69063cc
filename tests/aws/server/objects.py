"""What S3 does and moto does not: a copy of an object says which one it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

CHANGED: Final = (
    b"<Error><Code>PreconditionFailed</Code><Message>At least one of the pre-conditions you "
    b"specified did not hold</Message></Error>"
)


def is_another(environ: Mapping[str, Any]) -> bool:
    """Whether a request copies from an object that has another etag than it says."""
    etag = environ.get("HTTP_X_AMZ_COPY_SOURCE_IF_MATCH")
    if not etag:
        return False
    source, _, version = environ["HTTP_X_AMZ_COPY_SOURCE"].partition("?versionId=")
    bucket, _, key = unquote(source).lstrip("/").partition("/")
    found = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object(bucket, key, version or None)
    return found is not None and found.etag != etag
