"""A service: the named, typed contract of work that is done outside the workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Generic, Literal, TypedDict, TypeVar, Unpack, overload

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.arguments import check_duration, check_kind, check_type
from lambda_workflow.model.ids import check_name
from lambda_workflow.model.payload import Codec, codec_for
from lambda_workflow.model.retry import RetryPolicy

Req = TypeVar("Req", contravariant=True)
Res = TypeVar("Res", covariant=True)
A = TypeVar("A")  # of a method: a class's own may not stand in the type of `self`

TIMEOUT_MAX: Final = timedelta(days=366)  # as long as a timer may be; see replay.loop
RETRY_FORM: Final = "a RetryPolicy, such as RetryPolicy(attempts=3)"


class Options(TypedDict, total=False):
    """What a Service takes beside its name and types."""

    timeout: timedelta | None
    retry: RetryPolicy | None
    attempt_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    start_timeout: timedelta | None
    unreadable: Literal["block", "raise"]


class Service(Generic[Req, Res]):
    """A contract: a name, the type that goes out, the type that comes back, and how long to try.

    Args:
        name: 1 to 64 letters, digits, '-' and '_'; names the service's queue.
        request: the type of the payload; a value of another type is refused at the call.
        response: the type of the result; None for a service that answers with nothing.
        timeout: how long a call may take in all, retries included; None waits for ever.
        retry: what happens when the service answers with an error; see `RetryPolicy`.
        attempt_timeout: how long one attempt may take; then it counts as an error.
        heartbeat_timeout: how long an attempt may be silent; the adapter calls `heartbeat`. The
            adapter of such a service is also told when its result is no longer wanted.
        start_timeout: how long the task of an attempt may wait before an adapter begins it; then
            the attempt counts as an error. The adapter reports the begin by a heartbeat.
        unreadable: what a result of another type than `response` does: "block" keeps it as it came
            and blocks the execution until a contract reads it, "raise" raises `BadResponse` in the
            workflow. An adapter of this library refuses such a result before it is sent.

    Raises:
        ConfigurationError: the name or the timeout is out of its limits.
    """

    @overload
    def __init__(
        self, name: str, request: type[Req], response: type[Res], **options: Unpack[Options]
    ) -> None: ...
    @overload
    def __init__(
        self: Service[A, None],
        name: str,
        request: type[A],
        response: None,
        **options: Unpack[Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Service[None, A],
        name: str,
        request: None,
        response: type[A],
        **options: Unpack[Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Service[None, None],
        name: str,
        request: None,
        response: None,
        **options: Unpack[Options],
    ) -> None: ...
    @overload
    def __init__(
        self, name: str, request: Any, response: Any, **options: Unpack[Options]
    ) -> None: ...
    def __init__(
        self,
        name: str,
        request: Any,
        response: Any,
        *,
        timeout: timedelta | None = None,
        retry: RetryPolicy | None = None,
        attempt_timeout: timedelta | None = None,
        heartbeat_timeout: timedelta | None = None,
        start_timeout: timedelta | None = None,
        unreadable: Literal["block", "raise"] = "block",
    ) -> None:
        self.name: Final = check_name("service", name)
        check_type(request, f"request type of service {name!r}")
        check_type(response, f"response type of service {name!r}")
        self.request_codec: Final[Codec[Any]] = codec_for(request)
        self.response_codec: Final[Codec[Any]] = codec_for(response)
        self.payload_label: Final = f"payload of {name}"
        self.response_label: Final = f"response of {name}"
        self.timeout: Final = check_timeout(timeout, f"service {name!r}")
        self.timeout_ms: Final = _milliseconds(timeout, f"service {name!r}")
        if retry is not None:
            check_kind(retry, RetryPolicy, f"retry of service {name!r}", RETRY_FORM)
        if unreadable not in ("block", "raise"):
            raise ConfigurationError(
                f"service {name!r}: unreadable={unreadable!r}: it must be 'block' or 'raise'"
            )
        self.unreadable: Final = unreadable
        self.retry: Final = retry or RetryPolicy()
        self.attempt_ms: Final = _milliseconds(attempt_timeout, f"attempts of service {name!r}")
        self.heartbeat_ms: Final = _milliseconds(
            heartbeat_timeout, f"heartbeats of service {name!r}"
        )
        self.start_ms: Final = _milliseconds(start_timeout, f"starts of service {name!r}")

    def __repr__(self) -> str:
        return f"Service({self.name!r})"


def check_timeout(timeout: timedelta | None, of: str) -> timedelta | None:
    """Return the timeout if it is more than nothing and not over the limit.

    Raises:
        ConfigurationError: otherwise.
    """
    if timeout is None:
        return None
    check_duration(timeout, f"timeout of {of}")
    if not timedelta(0) < timeout <= TIMEOUT_MAX:
        raise ConfigurationError(
            f"timeout of {of} is {timeout}: it must be above 0 and at most {TIMEOUT_MAX.days} days"
        )
    return timeout


def _milliseconds(timeout: timedelta | None, of: str) -> int:
    if check_timeout(timeout, of) is None or timeout is None:
        return 0
    return max(1, round(timeout / timedelta(milliseconds=1)))
