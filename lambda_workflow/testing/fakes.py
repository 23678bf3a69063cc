"""Fakes: what a service answers in a simulation, checked against the service's own types.

Laws
 1. A fake is a value: it never changes, and what it has answered so far belongs to the simulation.
 2. An answer is of the service's response type, or the test fails at the line that gives it.
 3. Answers follow one another by attempt, and the last one repeats. A task that is delivered twice
    gets the same answer twice, as from a service that knows its idempotency keys; a function,
    which may be what is tested, really runs again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar, assert_never, overload

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.messages import Task
from lambda_workflow.model.service import Service
from lambda_workflow.runtime.serve import Adapter

Req = TypeVar("Req")
Res = TypeVar("Res")

AT_ONCE: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Value:
    """Answer with this."""

    value: Any
    after: timedelta


@dataclass(frozen=True, slots=True)
class Error:
    """Answer with this error."""

    error: Exception
    after: timedelta


@dataclass(frozen=True, slots=True)
class Run:
    """Answer with what a function returns or raises."""

    adapter: Adapter[Any, Any]
    after: timedelta


@dataclass(frozen=True, slots=True)
class Silence:
    """Take the task, and never answer."""

    after: timedelta = AT_ONCE


Answer = Value | Error | Run | Silence


class Fake(Generic[Req, Res]):
    """What a service answers in a simulation; made by `fake(SERVICE)`.

    Each method returns a new fake with one more answer: the first attempt of the first call gets
    the first one, the next attempt the second, and so on; the last one repeats.
    `fake(CHARGE).raises(OSError("down")).returns(receipt)` fails once, and works from then on.
    `after=` is how long an answer takes, in virtual time.
    """

    __slots__ = ("answers", "service")

    def __init__(self, service: Service[Req, Res], answers: Sequence[Answer] = ()) -> None:
        self.service: Final = service
        self.answers: Final = tuple(answers)

    def returns(self, value: Res, *more: Res, after: timedelta = AT_ONCE) -> Fake[Req, Res]:
        """Answer with a value; with several, one after the other.

        Raises:
            EncodeError: a value is not of the service's response type.
        """
        for one in (value, *more):
            self.service.response_codec.encode(one, f"fake {self.service.response_label}")
        return self._and(*(Value(one, after) for one in (value, *more)))

    def raises(self, error: Exception, *, after: timedelta = AT_ONCE) -> Fake[Req, Res]:
        """Answer with an error, as an adapter that raises it; `ServiceError` chooses its type."""
        if not isinstance(error, Exception):
            raise ConfigurationError(
                f"fake({self.service.name!r}).raises({error!r}): pass an exception, as made by "
                "`CardDeclined('no funds')`, not its class"
            )
        return self._and(Error(error, after))

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

        It may be `async`; its sleeps pass in virtual time. What it raises is an error answer.
        """
        return self._and(Run(Adapter(self.service, function), after))

    def is_silent(self) -> Fake[Req, Res]:
        """Never answer: what is left to the workflow is its timeout."""
        return self._and(Silence())

    def _and(self, *answers: Answer) -> Fake[Req, Res]:
        return Fake(self.service, (*self.answers, *answers))

    def __repr__(self) -> str:
        return f"fake({self.service.name!r}) of {len(self.answers)} answers"


def fake(service: Service[Req, Res]) -> Fake[Req, Res]:
    """A fake of a service: say with `.returns(…)`, `.raises(…)`, `.runs(…)` what it answers.

    A type checker refuses an answer of another type than the service's.
    """
    return Fake(service)


@dataclass(slots=True)
class Cast:
    """Who answers for which service in one simulation, and what was answered so far."""

    fakes: dict[str, Fake[Any, Any]]
    _given: dict[str, dict[tuple[str, int], Answer]] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Sequence[Fake[Any, Any] | Adapter[Any, Any]]) -> Cast:
        """Of fakes, and of the real adapters that play themselves.

        Raises:
            ConfigurationError: two answer for one service, or one has no answer.
        """
        fakes: dict[str, Fake[Any, Any]] = {}
        for part in parts:
            name = part.service.name
            if isinstance(part, Adapter):
                part = Fake(part.service, [Run(part, AT_ONCE)])
            if name in fakes:
                raise ConfigurationError(f"two fakes of service {name!r}: chain their answers")
            if not part.answers:
                raise ConfigurationError(f"fake({name!r}) has no answer: add `.returns(…)`")
            fakes[name] = part
        return cls(fakes)

    @property
    def services(self) -> list[Service[Any, Any]]:
        """All that have a fake."""
        return [fake.service for fake in self.fakes.values()]

    def answer(self, task: Task) -> Answer | None:
        """What this attempt is answered; None where nobody plays the service."""
        found = self.fakes.get(task.service)
        if found is None:
            return None
        given = self._given.setdefault(task.service, {})
        key = task.task_id, task.attempt
        if key not in given:
            given[key] = found.answers[min(len(given), len(found.answers) - 1)]
        return given[key]


def adapter_of(service: Service[Any, Any], answer: Value | Error | Run) -> Adapter[Any, Any]:
    """The adapter that gives this answer."""
    match answer:
        case Run():
            return answer.adapter
        case Value():
            value = answer.value

            async def give(payload: Any) -> Any:
                return value

            return Adapter(service, give)
        case Error():
            error = answer.error

            async def fail(payload: Any) -> Any:
                raise error.with_traceback(None)  # the same one, raised again and again

            return Adapter(service, fail)
        case _:
            assert_never(answer)
