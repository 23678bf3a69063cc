"""The values of secrets, from Secrets Manager and Parameter Store.

1. Only names below HTTP_SECRET_PREFIX can be said: the prefix is put before every name.
2. A value is kept in memory for HTTP_SECRET_SECONDS, and looked up again when a server refuses it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from lambda_workflow import ServiceError
from lambda_workflow.aws.client import AwsError
from lambda_workflow.aws.present import aws_client
from lambda_workflow_services.http import Secret
from lambda_workflow_services.http.redaction import SECRET_CHARACTERS_MIN
from lambda_workflow_services.http.settings import Settings

FRESH_SECONDS: Final = 10.0  # a value this new is not looked up again because a server refuses it

_MISSING: Final = frozenset({"ParameterNotFound", "ResourceNotFoundException"})

# On DEBUG these log the bodies of requests and responses, and so the values of secrets.
for _name in ("httpcore", "botocore.parsers"):
    logging.getLogger(_name).setLevel(logging.INFO)

Values = Mapping[Secret, str]


class Lookup:
    """See the module.

    Args:
        now: seconds of any clock that only goes forward.
    """

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self._settings = settings
        self._now = now
        self._kept: dict[tuple[str, str], tuple[float, str]] = {}
        self._lock = asyncio.Lock()

    async def values(self, secrets: Iterable[Secret], *, anew: bool = False) -> Values:
        """What is behind references, by reference.

        Args:
            anew: whether a server has refused the values that are kept.

        Raises:
            ServiceError: one is missing, refused, not of the form that the reference says.
        """
        max_age = FRESH_SECONDS if anew else self._settings.secret_seconds
        async with self._lock:  # ten tasks of a batch ask once
            return {secret: await self._value(secret, max_age) for secret in secrets}

    async def _value(self, secret: Secret, max_age: float) -> str:
        if not self._settings.secret_prefix:
            raise _unusable(secret, "the deployment allows none: HTTP_SECRET_PREFIX is not set")
        key = secret.store, secret.name
        looked_up, text = self._kept.get(key, (float("-inf"), ""))
        if self._now() - looked_up >= max_age:
            text = await self._looked_up(secret)
            self._kept[key] = self._now(), text
        value = _field(secret, text) if secret.key else text
        if any("\ud800" <= sign <= "\udfff" for sign in value):
            raise _unusable(secret, "it has half a surrogate pair, which no text has")
        if len(value) < SECRET_CHARACTERS_MIN:
            raise _unusable(
                secret,
                f"its value has fewer than {SECRET_CHARACTERS_MIN} characters, too few to be "
                "hidden in responses",
            )
        return value

    async def _looked_up(self, secret: Secret) -> str:
        name = self._settings.secret_prefix + secret.name
        try:
            if secret.store == "parameter":
                return await _parameter(f"/{name}")
            return await _secret(secret, name)
        except AwsError as error:
            if error.transient:
                raise ServiceError(
                    f"secret {secret.name!r} could not be looked up: {error.code}",
                    type="SecretUnavailable",
                ) from None
            if error.code in _MISSING:
                raise _unusable(secret, f"{secret.store} has no {name!r} here") from None
            raise _unusable(secret, f"{error.code}: {error.message}") from None


async def _parameter(name: str) -> str:
    found = await aws_client().call("ssm", "GetParameter", Name=name, WithDecryption=True)
    return str(found["Parameter"]["Value"])


async def _secret(secret: Secret, name: str) -> str:
    found = await aws_client().call("secretsmanager", "GetSecretValue", SecretId=name)
    if "SecretString" not in found:
        raise _unusable(secret, "it is binary, and only text can be sent")
    return str(found["SecretString"])


def _field(secret: Secret, text: str) -> str:
    try:
        fields: Any = json.loads(text)
    except ValueError:
        fields = None
    value = fields.get(secret.key) if isinstance(fields, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _unusable(secret, f"it is no JSON object with a text under {secret.key!r}")
    return str(value)


def _unusable(secret: Secret, why: str) -> ServiceError:
    text = f"secret {secret.name!r} cannot be used: {why}"
    return ServiceError(text, type="SecretUnusable", retryable=False)
