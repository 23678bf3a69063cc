"""AWS, as an adapter or a step at work on it reaches it: `await aws_client().call(…)`."""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from typing import Final
from weakref import WeakKeyDictionary

from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import AwsConfig, read_config

PRESENT: Final[ContextVar[Aws | None]] = ContextVar("lambda_workflow_aws", default=None)
CONFIG: Final[ContextVar[AwsConfig | None]] = ContextVar("lambda_workflow_config", default=None)
ENDS_AT: Final[ContextVar[float | None]] = ContextVar("lambda_workflow_ends_at", default=None)

_own: WeakKeyDictionary[asyncio.AbstractEventLoop, Aws] = WeakKeyDictionary()


def aws_client() -> Aws:
    """AWS for the adapter or step that calls this.

    In a Lambda function and in the worker these are the function's own connections, made in its
    init phase; in the embedded engine, one object for each event loop, configured as boto3 is.

    Raises:
        ConfigurationError: there is no region.
        RuntimeError: no event loop runs here, as in the thread of a plain `def` adapter: use an
            `async def`, or boto3.
    """
    if (present := PRESENT.get()) is not None:
        return present
    loop = asyncio.get_running_loop()
    if loop not in _own:
        _own[loop] = Aws()
    return _own[loop]


def present_config() -> AwsConfig:
    """The configuration of the function that is at work; by environment variables elsewhere.

    Raises:
        ConfigurationError: variables are wrong; names all of them.
    """
    return CONFIG.get() or read_config(required=())


def seconds_left() -> float | None:
    """How long the calling adapter may go on; then it is cut off, and its task is redelivered.

    It is what is left of the Lambda function's time; None where nobody is in a hurry, as in the
    worker and the embedded engine.
    """
    ends_at = ENDS_AT.get()
    return None if ends_at is None else max(0.0, ends_at - time.monotonic())
