"""One request to SES, sent once: SES has no key by which it would know a repetition."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from weakref import WeakKeyDictionary

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

CONNECT_SECONDS_MAX: Final = 5
READ_SECONDS_MAX: Final = 20  # with the one before, less than half of a lease

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()


class Refused(Exception):
    """SES said no: surely nothing was sent."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Unreachable(Exception):
    """The request did not get as far as SES: surely nothing was sent."""


class Unanswered(Exception):
    """Nobody knows whether it was sent."""


async def send(region: str, request: Mapping[str, Any]) -> str:
    """Call SendEmail once; SES's id of the message.

    Raises:
        Refused, Unreachable, Unanswered: what is known of a failure.
    """
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = await asyncio.to_thread(_client, region)
    try:
        answer = await asyncio.to_thread(_clients[loop].send_email, **request)
    except ClientError as error:
        found = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code, message = found.get("Code", "UnknownError"), found.get("Message", "")
        if 400 <= status < 500:
            raise Refused(code, message, status) from error
        raise Unanswered(f"HTTP status {status}: {code}: {message}") from error
    except (ConnectTimeoutError, EndpointConnectionError) as error:
        raise Unreachable(str(error)) from error
    except HTTPClientError as error:
        raise Unanswered(str(error)) from error
    except BotoCoreError as error:  # no credentials, no endpoint, a parameter of the wrong type
        raise Unreachable(str(error)) from error
    return str(answer["MessageId"])


@lru_cache(maxsize=1)
def _session() -> Any:
    return botocore.session.get_session()  # keeps what it has read of SES's model


def _client(region: str) -> Any:
    return _session().create_client(
        "sesv2",
        region_name=region,
        config=Config(
            connect_timeout=CONNECT_SECONDS_MAX,
            read_timeout=READ_SECONDS_MAX,
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
    )
