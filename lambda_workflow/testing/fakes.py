"""Fakes: what services, other workflows and holders of callbacks answer in a simulation.

Laws
 1. A fake is a value: it never changes, and what it has answered so far belongs to the simulation.
 2. An answer is of the declared response type, or the test fails at the line that gives it.
 3. Answers follow one another by attempt, and the last one repeats. A task that is delivered twice
    gets the same answer twice, as from a service that knows its idempotency keys; a function,
    which may be what is tested, really runs again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar, overload

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.arguments import check_duration, check_kind
from lambda_workflow.model.messages import Task
from lambda_workflow.model.payload import Codec, codec_for
from lambda_workflow.model.service import Service
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow
from lambda_workflow.runtime.serve import Adapter

Req = TypeVar("Req")
Res = TypeVar("Res")
In = TypeVar("In")
Out = TypeVar("Out")

AT_ONCE: Final = timedelta(0)
TARGETS: Final = "a Service, or a workflow that is called, not its name"


@dataclass(frozen=True, slots=True)
class Pace:
    """When an answer comes, and how often a sign of life before it."""

    after: timedelta = AT_ONCE
    beats_every: timedelta | None = None

    def __post_init__(self) -> None:
        check_duration(self.after, "after")
        if self.beats_every is not None:
            check_duration(self.beats_every, "beats_every")


@dataclass(frozen=True, slots=True)
class Value:
    """Answer with this."""

    value: Any
    pace: Pace


@dataclass(frozen=True, slots=True)
class Error:
    """Answer with this error."""

    error: Exception
    pace: Pace


@dataclass(frozen=True, slots=True)
class Run:
    """Answer with what a function returns or raises, as an adapter where a service is played."""

    function: Callable[..., Any] | Adapter[Any, Any]
    pace: Pace


@dataclass(frozen=True, slots=True)
class Silence:
    """Take the task, and never answer."""

    pace: Pace


Answer = Value | Error | Run | Silence
Target = Service[Any, Any] | Workflow[Any, Any] | RemoteWorkflow[Any, Any]


class Fake(Generic[Req, Res]):
    """What a service or another workflow answers in a simulation; made by `fake(SERVICE)`.

    Each method returns a new fake with one more answer: the first attempt of the first call gets
    the first one, the next attempt the second, and so on; the last one repeats.
    `fake(CHARGE).raises(OSError("down")).returns(receipt)` fails once, and works from then on.
    `after=` is how long an answer takes, in virtual time; `beats_every=` how often a heartbeat
    comes until then.
    """

    __slots__ = ("answers", "target")

    def __init__(self, target: Target, answers: Sequence[Answer] = ()) -> None:
        self.target: Final = target
        self.answers: Final = tuple(answers)

    def returns(
        self,
        value: Res,
        *more: Res,
        after: timedelta = AT_ONCE,
        beats_every: timedelta | None = None,
    ) -> Fake[Req, Res]:
        """Answer with a value; with several, one after the other.

        Raises:
            EncodeError: a value is not of the declared response type.
        """
        pace = Pace(after, beats_every)
        for one in (value, *more):
            self.codec.encode(one, f"fake response of {self.target.name}")
        return self._and(*(Value(one, pace) for one in (value, *more)))

    def raises(
        self,
        error: Exception,
        *,
        after: timedelta = AT_ONCE,
        beats_every: timedelta | None = None,
    ) -> Fake[Req, Res]:
        """Answer with an error, as an adapter that raises it; `ServiceError` chooses its type."""
        check_error(error, f"fake({self.target.name!r})")
        return self._and(Error(error, Pace(after, beats_every)))

    @overload
    def runs(
        self, function: Callable[[Req], Awaitable[Res]], *, after: timedelta = ...
    ) -> Fake[Req, Res]: ...
    @overload
    def runs(
        self, function: Callable[[Req, Task], Awaitable[Res]], *, after: timedelta = ...
    ) -> Fake[Req, Res]: ...
    @overload
    def runs(self, function: Callable[[Req], Res], *, after: timedelta = ...) -> Fake[Req, Res]: ...
    @overload
    def runs(
        self, function: Callable[[Req, Task], Res], *, after: timedelta = ...
    ) -> Fake[Req, Res]: ...
    def runs(self, function: Callable[..., Any], *, after: timedelta = AT_ONCE) -> Fake[Req, Res]:
        """Answer with what a function makes of the payload, and of the Task if it takes two.

        It may be `async`; its sleeps pass in virtual time. What it raises is an error answer, and
        `Later` brings it back to its task. It may say `heartbeat()`, and is cancelled where the
        call is given up, as on every host.
        """
        if isinstance(self.target, Service):
            return self._and(Run(Adapter(self.target, function), Pace(after)))
        return self._and(Run(function, Pace(after)))

    def is_silent(self, *, beats_every: timedelta | None = None) -> Fake[Req, Res]:
        """Never answer: what is left to the workflow is its timeout.

        Without `beats_every` the attempt is not begun either, where the call has a `start_timeout`.
        """
        return self._and(Silence(Pace(AT_ONCE, beats_every)))

    @property
    def codec(self) -> Codec[Any]:
        """Of the answers."""
        if isinstance(self.target, Service):
            return self.target.response_codec
        return self.target.result_codec

    def _and(self, *answers: Answer) -> Fake[Req, Res]:
        return Fake(self.target, (*self.answers, *answers))

    def __repr__(self) -> str:
        return f"fake({self.target.name!r}) of {len(self.answers)} answers"


@overload
def fake(target: Service[Req, Res]) -> Fake[Req, Res]: ...
@overload
def fake(target: Workflow[In, Out] | RemoteWorkflow[In, Out]) -> Fake[In, Out]: ...
def fake(target: Target) -> Fake[Any, Any]:
    """A fake of a service, or of a workflow that is called or started as a child.

    Say with `.returns(…)`, `.raises(…)`, `.runs(…)` what it answers; a type checker refuses an
    answer of another type than the target's.

    Raises:
        ConfigurationError: it is neither.
    """
    check_kind(target, (Service, Workflow, RemoteWorkflow), "what is faked", TARGETS)
    return Fake(target)


class FakeCallback:
    """What the holder of a callback's token answers in a simulation; made by `callback(…)`."""

    __slots__ = ("answers", "name")

    def __init__(self, name: str, answers: Sequence[Answer] = ()) -> None:
        self.name: Final = name
        self.answers: Final = tuple(answers)

    def returns(
        self, value: Any, *, after: timedelta = AT_ONCE, beats_every: timedelta | None = None
    ) -> FakeCallback:
        """Answer with a value of the type that the workflow asks for.

        Raises:
            EncodeError: the value has no JSON form.
        """
        encoded = codec_for(type(value)).encode(value, f"answer to callback {self.name}")
        return self._and(Value(encoded, Pace(after, beats_every)))

    def raises(
        self, error: Exception, *, after: timedelta = AT_ONCE, beats_every: timedelta | None = None
    ) -> FakeCallback:
        """Answer with an error; `ServiceError` chooses its type and details."""
        check_error(error, f"callback({self.name!r})")
        return self._and(Error(error, Pace(after, beats_every)))

    def is_silent(self, *, beats_every: timedelta | None = None) -> FakeCallback:
        """Never answer."""
        return self._and(Silence(Pace(AT_ONCE, beats_every)))

    def _and(self, answer: Answer) -> FakeCallback:
        return FakeCallback(self.name, (*self.answers, answer))


def callback(name: str = "") -> FakeCallback:
    """Who answers the callbacks of a name: `callback("approval").returns(Approval(True))`.

    Without a name: all those that nobody else answers. The first callback gets the first answer,
    the next one the second, and the last answer repeats.

    Raises:
        ConfigurationError: the name is no text.
    """
    check_kind(name, str, "the callback", "the name that the workflow gives it")
    return FakeCallback(name)


def check_error(error: Exception, whose: str) -> None:
    """Refuse a class where an exception is needed.

    Raises:
        ConfigurationError: it is none.
    """
    if not isinstance(error, Exception):
        raise ConfigurationError(
            f"{whose}.raises({error!r}): pass an exception, as made by "
            "`CardDeclined('no funds')`, not its class"
        )
