"""Polling: looking again and again, with durable pauses, until a condition holds.

A check of a service is two records (its task goes out with the timer's, the answer comes with the
next timer), a check by a step is one.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from lambda_workflow.errors import ConfigurationError, PollTimedOut
from lambda_workflow.model.arguments import check_plain, named
from lambda_workflow.model.callables import form_of
from lambda_workflow.model.ids import display_name
from lambda_workflow.model.retry import ATTEMPTS_MAX, RetryPolicy
from lambda_workflow.model.service import Service, check_timeout
from lambda_workflow.replay.ledger import chance
from lambda_workflow.replay.nesting import nested
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow

if TYPE_CHECKING:
    from lambda_workflow.replay.context import Context

PAUSE_MIN: Final = timedelta(milliseconds=1)  # timers are exact to this
_ATTEMPT_MAX: Final = ATTEMPTS_MAX  # a pause has grown to its cap long before


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses between checks that grow.

    Args:
        initial: the pause after the first check; 1 millisecond to 365 days.
        cap: no pause is longer; `initial` to 365 days.
        factor: what the pause is multiplied by after each check; 1 to 100.
        jitter: the share of each pause that is left to chance, 0 to 1; see `RetryPolicy`.

    Raises:
        ConfigurationError: an argument is out of its limits; says which, and what they are.
    """

    initial: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=5)
    factor: float = 2.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        try:
            self._policy()
        except ConfigurationError as error:
            words = str(error).replace("RetryPolicy: backoff", "RetryPolicy: factor")
            raise ConfigurationError(words.replace("RetryPolicy", "Backoff")) from None
        if self.initial < PAUSE_MIN:
            raise ConfigurationError(
                f"Backoff: initial is {self.initial}: it must be at least 1 millisecond"
            )

    def delay_ms(self, check: int, uniform: float) -> int:
        """The pause after a check, in whole milliseconds.

        Args:
            check: the number of the check, from 1.
            uniform: a number of the caller's chance, at least 0 and below 1.
        """
        return max(1, self._policy().delay_ms(min(check, _ATTEMPT_MAX), uniform))

    def _policy(self) -> RetryPolicy:
        return RetryPolicy(
            initial=self.initial, cap=self.cap, backoff=self.factor, jitter=self.jitter
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """How a poll goes on from one check to the next.

    Attributes:
        until: whether what a check gave ends the poll.
        pauses: a Backoff, or one duration for all pauses.
        carry: whether the next check gets what the last one gave.
        attempts: how many checks there are at most; None for any number.
    """

    until: Callable[[Any], bool]
    pauses: Backoff
    timeout: timedelta | None
    carry: bool
    name: str
    attempts: int | None = None

    @property
    def label(self) -> str:
        """What messages call the poll."""
        return f"poll {self.name!r}" if self.name else "poll"


def plan(
    until: Callable[[Any], bool],
    *,
    every: timedelta | None,
    backoff: Backoff | None,
    timeout: timedelta | None,
    attempts: int | None,
    carry: bool,
    name: str,
) -> Plan:
    """Put a poll's options together.

    Raises:
        ConfigurationError: an option is out of its limits, or there are none or two kinds of pause.
    """
    name = display_name("poll", name)
    label = f"poll {name!r}" if name else "poll"
    check_timeout(timeout, label)
    if attempts is not None and (type(attempts) is not int or attempts < 1):
        raise ConfigurationError(f"{label}: attempts is {attempts!r}: give a whole number from 1")
    check_plain(until, f"{label}: until", "a plain function of what the check gives")
    if (every is None) == (backoff is None):
        raise ConfigurationError(
            f"{label}: give either every=timedelta(…), the same pause after each check, or "
            "backoff=Backoff(…), pauses that grow"
        )
    if every is not None:
        check_timeout(every, f"{label}, its `every`,")
        backoff = Backoff(initial=every, cap=every, factor=1)
    assert backoff is not None
    return Plan(until, backoff, timeout, carry, name, attempts)


def begin_poll(ctx: Context, check: Any, state: Any, how: Plan) -> Coroutine[Any, Any, Any]:
    """See `Context.poll`."""
    return _poll(ctx, _look(ctx, check), state, how)


async def _poll(ctx: Context, look: Callable[[Any], Awaitable[Any]], state: Any, how: Plan) -> Any:
    loop = ctx._execution.loop
    if loop.frozen:
        await loop.create_future()  # unwinding: nothing is to happen
    last, checks = state, 0
    seconds = how.timeout.total_seconds() if how.timeout else None
    shown, groups = f"poll `{how.name}`" if how.name else "a poll", ctx._execution.ledger.groups
    with nested(ctx._execution, how.name, "poll") as path:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                while True:
                    groups[path.name] = f"check {checks + 1} of {shown}"
                    last = await look(last if how.carry else state)
                    checks += 1
                    if how.until(last):
                        return last
                    if checks == how.attempts:
                        raise _ended(ctx, how, f"in {checks} checks", state=last, checks=checks)
                    luck = chance(ctx.execution_id, f"{path.name}check{checks}")
                    await asyncio.sleep(how.pauses.delay_ms(checks, luck) / 1000)
        except TimeoutError as error:
            if not limit.expired() or isinstance(error, PollTimedOut):
                raise
            within = f"within {how.timeout}, in {checks} checks"
            raise _ended(ctx, how, within, state=last, checks=checks) from None


def _ended(ctx: Context, how: Plan, limit: str, *, state: Any, checks: int) -> PollTimedOut:
    return PollTimedOut(
        f"{how.label}: its condition did not hold {limit} (execution {ctx.execution_id})",
        state=state,
        checks=checks,
    )


def _look(ctx: Context, check: Any) -> Callable[[Any], Awaitable[Any]]:
    call: Any = ctx.call
    step: Any = ctx.step
    if isinstance(check, Service | Workflow | RemoteWorkflow):
        return lambda state: call(check, state)
    if not callable(check) or inspect.isasyncgenfunction(check):
        raise ConfigurationError(f"poll: {named(check)} is no check; {CHECKS}")
    takes, may_take = _parameters(check)
    if takes == 1 and not (may_take > 1 and _begins_with_context(check)):
        return lambda state: step(check, state)
    if takes == 2:
        form = form_of("poll", check, ["state"], "the state")
        return lambda state: form.called(check, ctx, state)
    if takes < min(may_take, 3):
        raise ConfigurationError(
            f"poll: the parameters of {named(check)} have defaults, so that they do not say which "
            f"kind of check it is; give what it is called with no default: {CHECKS}"
        )
    raise ConfigurationError(
        f"poll: {named(check)} takes {takes} arguments, and is called with one or two; {CHECKS}"
    )


CHECKS: Final = (
    "give a Service, a function of the state, which is run as a step, or an async function of the "
    "context and the state"
)


def _parameters(check: Any) -> tuple[int, int]:
    """How many arguments a function must be given, and how many it may be."""
    try:
        parameters = inspect.signature(check).parameters.values()
    except (TypeError, ValueError):  # of C code, which hides it
        return 1, 1
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [one for one in parameters if one.kind in plain]
    return sum(one.default is one.empty for one in found), len(found)


def _begins_with_context(check: Any) -> bool:
    first = next(iter(inspect.signature(check).parameters.values()))
    return first.name in ("ctx", "context") or str(first.annotation).endswith("Context")
