"""Retrying a block of operations as a unit.

Laws
 1. An attempt's operations are numbered under a path of its own; attempts cannot shift each other.
 2. What a failed attempt left running is cancelled before the next one begins.
 3. What no further attempt can mend is not retried: cancellation, a wrong deployment, a bug, a
    payload of the wrong type, a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lambda_workflow.errors import (
    ConfigurationError,
    LimitExceeded,
    NonDeterministicCall,
    OperationFailed,
    PayloadError,
)
from lambda_workflow.model.arguments import named
from lambda_workflow.model.callables import Form, form_with
from lambda_workflow.model.failures import failure_of
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.replay.bugs import bug_in
from lambda_workflow.replay.ledger import chance
from lambda_workflow.replay.nesting import nested, outlast

if TYPE_CHECKING:
    from lambda_workflow.replay.context import Context
    from lambda_workflow.replay.execution import Execution

T = TypeVar("T")

_FINAL: Final = (ConfigurationError, LimitExceeded, NonDeterministicCall, PayloadError)


async def retry_block(
    ctx: Context, block: Callable[[], Awaitable[T]], policy: RetryPolicy, name: str = ""
) -> T:
    """See `Context.retry`."""
    execution = ctx._execution
    with nested(execution, name, "retry") as path:
        attempt = 1
        while True:
            with nested(execution) as place:
                try:
                    return await block()
                except Exception as error:
                    if execution.loop.frozen or not _retries(execution, policy, error, attempt):
                        if attempt > 1:
                            error.add_note(f"this was attempt {attempt} of a block that is retried")
                        raise
            await _clear(execution, place.name)
            luck = chance(ctx.execution_id, f"{path.name}retry{attempt}")
            await asyncio.sleep(policy.delay_ms(attempt, luck) / 1000)
            attempt += 1


def block_form(block: object, args: tuple[Any, ...]) -> Form:
    """What a block has to look like.

    Raises:
        ConfigurationError: it is no function, or its policy is given as an argument.
    """
    if not callable(block):
        raise ConfigurationError(
            f"ctx.retry: {named(block)} is no block: give an async function of the context and the "
            "arguments that follow it, such as `lambda ctx: ctx.call(SERVICE, payload)`"
        )
    if any(isinstance(arg, RetryPolicy) for arg in args):
        raise ConfigurationError(
            "ctx.retry: a RetryPolicy stands among the arguments of the block: write policy=…, "
            "such as ctx.retry(block, policy=RetryPolicy(attempts=3))"
        )
    return form_with("ctx.retry", block, args)


def _retries(execution: Execution, policy: RetryPolicy, error: Exception, attempt: int) -> bool:
    is_bug = execution.loop.semantics > 1 and bug_in(execution, error) is not None
    if is_bug or isinstance(error, _FINAL):
        return False
    failure = failure_of(error)
    kinds = [failure.type, error.type] if isinstance(error, OperationFailed) else [failure.type]
    return all(policy.retries(kind, failure.retryable, attempt) for kind in kinds)


async def _clear(execution: Execution, place: str) -> None:
    """Law 2."""
    left: list[asyncio.Future[Any]] = [
        operation for key, operation in execution.ledger.operations.items() if key.startswith(place)
    ]
    left += [task for task in execution.loop.tasks if task.path.name.startswith(place)]
    for future in left:
        future.cancel()
    if await outlast(execution.loop, left):
        raise asyncio.CancelledError
