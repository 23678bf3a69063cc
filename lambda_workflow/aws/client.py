"""The one door to AWS: `await aws.call("sqs", "SendMessageBatch", QueueUrl=…, Entries=[…])`.

1. DynamoDB and SQS, which speak one small JSON protocol, go out over asyncio streams (wire.py);
   every other service, and every service behind an HTTP proxy, goes through botocore in a thread,
   imported and built when it is first called.
2. Credentials, region, endpoints, CA bundle and signature are botocore's in both cases.
3. A call is sent again after throttling, a 5xx or a broken connection, with backoff and full
   jitter. Whatever is called must therefore bear being done twice.
4. A signed request goes to no host that a message names: of a queue's URL only the region counts.
5. One object per container, used by one event loop.

Chosen by figures: benchmarks/cold_start_alternatives.py measures this against aioboto3,
aiobotocore, and boto3 and botocore in threads.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import re
import ssl
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import botocore.session
from botocore import xform_name
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from lambda_workflow.aws.wire import Address, Answer, Pool
from lambda_workflow.errors import BackendError, ConfigurationError

__all__ = ["Aws", "AwsError"]

CONNECTIONS_MAX: Final = 64  # a batch is 10 executions wide; the rest is for a worker's long polls
ATTEMPTS_MAX: Final = 6  # waits 0.8 s in the mean, 1.6 s at most; after that the queue retries
BACKOFF_SECONDS: Final = 0.05
READ_SECONDS_MAX: Final = 10.0  # DynamoDB and SQS answer in milliseconds, or not at all
_HEADERS: Final = {
    "Content-Type": "application/x-amz-json-1.0",
    "User-Agent": "lambda-workflow",
}
_TARGETS: Final = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}
_THROTTLES: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
# An item over 400 KB, an empty key, a message too long or with a character that SQS refuses.
REFUSALS: Final = frozenset(
    {
        "BatchRequestTooLong",
        "InvalidMessageContents",
        "InvalidParameterValue",
        "ItemCollectionSizeLimitExceededException",
        "MessageTooLong",
        "ParamValidationError",
        "ValidationException",
    }
)
_TRANSIENT: Final = frozenset({500, 502, 503, 504})
# Regions of the first partition, by botocore's own pattern: their hosts follow from their names,
# and reading botocore's list of all endpoints takes 30 ms of a cold start.
_PLAIN_REGION: Final = re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]+")
_QUEUE_REGION: Final = re.compile(
    r"https://(?:sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?|([a-z0-9-]+)\.queue\.amazonaws\.com)/"
)


class AwsError(BackendError):
    """AWS refused a call, or could not be reached until the attempts were used up.

    Attributes:
        service, operation: what was called.
        code: AWS's name for the error without namespace ("ConditionalCheckFailedException"), or
            the exception's name when there was no answer ("TimeoutError").
        message: AWS's own words.
        status: the HTTP status, 0 when there was no answer.
        response: the answer's JSON; a failed condition has the present item under "Item".
    """

    def __init__(
        self,
        service: str,
        operation: str,
        *,
        code: str,
        message: str,
        status: int = 0,
        response: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{service} {operation}: {code}: {message} (HTTP status {status or '-'})")
        self.service = service
        self.operation = operation
        self.code = code
        self.message = message
        self.status = status
        self.response = response or {}

    @property
    def throttled(self) -> bool:
        """Whether AWS asks for fewer requests."""
        return self.code in _THROTTLES

    @property
    def is_deterministic(self) -> bool:
        """Whether AWS refused the request for what it says, and will each time."""
        return self.code in REFUSALS

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed a moment later."""
        return self.throttled or not self.status or self.status in _TRANSIENT


@dataclass(frozen=True, slots=True)
class _Endpoint:
    url: str
    address: Address
    region: str


class Aws:
    """AWS as this process reaches it; everything is looked up where boto3 looks.

    Args:
        region: else AWS_REGION, AWS_DEFAULT_REGION or the profile's.
        endpoint_url: for every service, else AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL or the
            profile's, else AWS's own.
        connections_max: requests to DynamoDB and SQS at the same time; a waiting long poll is one.

    Attributes:
        region: the one in use.
        counts: requests sent by (service, operation), those sent again included.

    Raises:
        ConfigurationError: there is no region.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._session = botocore.session.get_session()
        setting = self._session.get_config_variable
        self.region: str = region or os.environ.get("AWS_REGION") or setting("region") or ""
        if not self.region:
            raise ConfigurationError("no AWS region: set AWS_REGION, or a region in the profile")
        self._endpoint_url = endpoint_url
        self._attempts_max = int(setting("max_attempts") or ATTEMPTS_MAX)
        self._credentials = self._session.get_credentials()
        trusted = get_cert_path(setting("ca_bundle") or True)
        self._pool = Pool(connections_max, partial(ssl.create_default_context, cafile=trusted))
        self._endpoints: dict[tuple[str, str], _Endpoint | None] = {}
        self._clients: dict[str, Any] = {}
        self._clients_lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        for service in _TARGETS:  # all at once: a wrong region or endpoint shows at the start
            endpoint = self._endpoint(service, self.region)
            if endpoint is not None and endpoint.address.tls:
                self._pool.trust()

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call an operation by the names of AWS's API reference, and return its answer.

        Values are those of the API: DynamoDB's are typed, {"S": "text"} or {"B": b"bytes"} in both
        directions; a streamed body comes as bytes.

        Raises:
            AwsError: AWS refused, or did not answer.
            ConfigurationError: no credentials were found.
        """
        self._stay_on_one_loop()
        endpoint = self._endpoint(service, _queue_region(params) or self.region)
        if endpoint is None:
            return await self._through_botocore(service, operation, params)
        for attempt in range(1, self._attempts_max):
            try:
                return await self._send(endpoint, service, operation, params)
            except AwsError as error:
                if not error.transient:
                    raise
            await asyncio.sleep(random.uniform(0, BACKOFF_SECONDS * 2 ** (attempt - 1)))
        return await self._send(endpoint, service, operation, params)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()
        for client in self._clients.values():
            client.close()

    def _stay_on_one_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError(
                "this Aws object belongs to another event loop: make one per loop, or keep one "
                "loop for the life of the process"
            )

    def _endpoint(self, service: str, region: str) -> _Endpoint | None:
        """Where the JSON protocol reaches a service; None leaves the service to botocore."""
        if service not in _TARGETS:
            return None
        key = service, region
        if key not in self._endpoints:
            if url := self._endpoint_url or _configured_url(self._session, service):
                region = self.region
            else:
                url = _public_url(self._session, service, region)
            self._endpoints[key] = None
            if url and url.partition(":")[0] not in get_environ_proxies(url):
                self._endpoints[key] = _Endpoint(url, Address.parse(url), region)
        return self._endpoints[key]

    async def _send(
        self, endpoint: _Endpoint, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        body = json.dumps(params, default=_base64, separators=(",", ":")).encode()
        request = AWSRequest("POST", endpoint.url, headers=dict(_HEADERS), data=body)
        request.headers["X-Amz-Target"] = f"{_TARGETS[service]}.{operation}"
        SigV4Auth(await self._frozen_credentials(), service, endpoint.region).add_auth(request)
        headers = dict(request.headers.items())
        seconds_max = READ_SECONDS_MAX + float(params.get("WaitTimeSeconds", 0))
        self.counts[service, operation] += 1
        try:
            answer = await self._pool.post(endpoint.address, headers, body, seconds_max)
            return _parse(service, operation, answer)
        except OSError as error:
            why = f"no answer from {endpoint.url}: {str(error) or f'{seconds_max} s passed'}"
            code = type(error).__name__
            raise AwsError(service, operation, code=code, message=why) from error

    async def _frozen_credentials(self) -> Any:
        credentials = self._credentials
        if credentials is None:
            raise ConfigurationError(
                "no AWS credentials were found: give the function a role, or set AWS_PROFILE, or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        if hasattr(credentials, "refresh_needed") and credentials.refresh_needed():
            return await asyncio.to_thread(credentials.get_frozen_credentials)  # asks a server
        return credentials.get_frozen_credentials()

    async def _through_botocore(
        self, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        async with self._clients_lock:
            if service not in self._clients:
                self._clients[service] = await asyncio.to_thread(self._botocore_client, service)
        method = getattr(self._clients[service], xform_name(operation))
        requests = 1
        try:
            response = await asyncio.to_thread(_invoke, method, params)
            requests += response.pop("ResponseMetadata", {}).get("RetryAttempts", 0)
            return response
        except ClientError as error:
            requests += error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
            raise _translated(service, operation, error) from error
        except BotoCoreError as error:
            code = type(error).__name__
            raise AwsError(service, operation, code=code, message=str(error)) from error
        finally:
            self.counts[service, operation] += requests

    def _botocore_client(self, service: str) -> Any:
        retries = {"mode": "standard", "total_max_attempts": self._attempts_max}
        return self._session.create_client(
            service,
            region_name=self.region,
            endpoint_url=self._endpoint_url,
            config=Config(retries=retries),
        )


def _configured_url(session: Any, service: str) -> str | None:
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    url: str | None = ConfiguredEndpointProvider(
        full_config=session.full_config,
        scoped_config=session.get_scoped_config(),
        client_name=service,
    ).provide()
    return url


def _public_url(session: Any, service: str, region: str) -> str | None:
    dualstack = bool(session.get_config_variable("use_dualstack_endpoint"))
    fips = bool(session.get_config_variable("use_fips_endpoint"))
    if _PLAIN_REGION.fullmatch(region) and not (dualstack or fips):
        return f"https://{service}.{region}.amazonaws.com"
    found = session._get_internal_component("endpoint_resolver").construct_endpoint(
        service, region, use_dualstack_endpoint=dualstack, use_fips_endpoint=fips
    )
    return f"https://{found['hostname']}" if found else None


def _queue_region(params: Mapping[str, Any]) -> str | None:
    url = params.get("QueueUrl")
    found = _QUEUE_REGION.match(url) if isinstance(url, str) else None
    return found and (found[1] or found[2])


def _parse(service: str, operation: str, answer: Answer) -> dict[str, Any]:
    checksum = answer.headers.get("x-amz-crc32")
    if checksum and int(checksum) != zlib.crc32(answer.body):
        raise ConnectionError("the answer does not match its x-amz-crc32")
    binary = _with_bytes if b'"B"' in answer.body else None
    try:
        content: dict[str, Any] = json.loads(answer.body or b"{}", object_hook=binary)
    except ValueError:  # an error page of a gateway in front of the service
        content = {"message": answer.body[:200].decode(errors="replace")}
    if answer.status == 200:
        return content
    code = content.get("__type") or answer.headers.get("x-amzn-errortype") or "UnknownError"
    raise AwsError(
        service,
        operation,
        code=code.rpartition("#")[2].partition(":")[0],
        message=content.get("message") or content.get("Message") or "",
        status=answer.status,
        response=content,
    )


def _base64(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    raise TypeError(f"AWS's JSON has no form for a {type(value).__name__}: {value!r}")


def _with_bytes(found: dict[str, Any]) -> dict[str, Any]:
    if len(found) == 1 and isinstance(text := found.get("B"), str):
        return {"B": base64.b64decode(text)}
    return found


def _invoke(method: Callable[..., dict[str, Any]], params: Mapping[str, Any]) -> dict[str, Any]:
    response = method(**params)
    if "Body" in response:
        response["Body"] = response["Body"].read()
    return response


def _translated(service: str, operation: str, error: Any) -> AwsError:
    found = error.response.get("Error", {})
    return AwsError(
        service,
        operation,
        code=found.get("QueryErrorCode") or found.get("Code", "UnknownError"),
        message=found.get("Message", ""),
        status=error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
        response=error.response,
    )
