"""The patterns of the Context: operations made of calls, steps and timers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, TypeVarTuple, cast, overload

from lambda_workflow.model.ids import display_name
from lambda_workflow.model.retry import RetryPolicy
from lambda_workflow.model.service import Service
from lambda_workflow.replay.base import ContextBase, checked_retry
from lambda_workflow.replay.batch_result import BatchResult
from lambda_workflow.replay.batches import Thresholds, map_items, run_branches
from lambda_workflow.replay.block_retry import block_form, retry_block
from lambda_workflow.replay.polling import Backoff, begin_poll, plan
from lambda_workflow.replay.saga import Saga
from lambda_workflow.replay.workflow import RemoteWorkflow, Workflow

if TYPE_CHECKING:
    from lambda_workflow.replay.context import Context

Req = TypeVar("Req")
Res = TypeVar("Res")
T = TypeVar("T")
Args = TypeVarTuple("Args")


class Patterns(ContextBase):
    """See `Context`."""

    def _asked(self) -> Context:
        self._is_frozen()  # a query is refused
        return cast("Context", self)

    @overload
    def map(
        self, target: Service[Req, Res] | Workflow[Req, Res] | RemoteWorkflow[Req, Res],
        items: Iterable[Req], *,
        limit: int | None = ..., min_successful: int | None = ...,
        tolerated_failures: int | None = ..., tolerated_failure_percentage: float | None = ...,
        name: str = ..., item_name: Callable[[Req], str] | None = ...,
    ) -> Coroutine[Any, Any, BatchResult[Res]]: ...  # fmt: skip
    @overload
    def map(
        self, target: Callable[[Context, Req], Awaitable[Res]], items: Iterable[Req], *,
        limit: int | None = ..., min_successful: int | None = ...,
        tolerated_failures: int | None = ..., tolerated_failure_percentage: float | None = ...,
        name: str = ..., item_name: Callable[[Req], str] | None = ...,
    ) -> Coroutine[Any, Any, BatchResult[Res]]: ...  # fmt: skip
    def map(
        self, target: Any, items: Iterable[Any], *,
        limit: int | None = None, min_successful: int | None = None,
        tolerated_failures: int | None = None, tolerated_failure_percentage: float | None = None,
        name: str = "", item_name: Callable[[Any], str] | None = None,
    ) -> Coroutine[Any, Any, BatchResult[Any]]:  # fmt: skip
        """Do the same for each item, side by side; the outcomes come in the items' order.

        By default every item comes to its end, whatever becomes of the others. A threshold ends
        the batch early: what still runs is cancelled, the rest is not started.

        Args:
            target: a service or workflow, called with each item, or an async function of the
                context and an item.
            items: at most 100,000; not a set, which has no stable order.
            limit: how many are under way at once; all if not given.
            min_successful: end as soon as so many have succeeded.
            tolerated_failures: end as soon as more have failed; 0 ends at the first failure.
            tolerated_failure_percentage: end as soon as a larger share of all items has failed.
            name: what messages call it, and the name of its group in the history.
            item_name: gives each item's name, any text. The history has
                it beside the item's call, or over what its function starts; so has `BatchItem`.

        Raises:
            ConfigurationError: a threshold or the target has no meaning; says what to give.
            EncodeError: (when awaited) an item is not of the service's request type.
        """
        thresholds = Thresholds(
            limit, min_successful, tolerated_failures, tolerated_failure_percentage
        )
        return map_items(self._asked(), target, items, thresholds, name=name, item_name=item_name)

    @overload
    def parallel(
        self, branches: Mapping[str, Callable[[Context], Awaitable[T]]], *,
        limit: int | None = ..., min_successful: int | None = ...,
        tolerated_failures: int | None = ..., tolerated_failure_percentage: float | None = ...,
        name: str = ...,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...  # fmt: skip
    @overload
    def parallel(
        self, branches: Sequence[Callable[[Context], Awaitable[T]]], *,
        limit: int | None = ..., min_successful: int | None = ...,
        tolerated_failures: int | None = ..., tolerated_failure_percentage: float | None = ...,
        name: str = ...,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...  # fmt: skip
    def parallel(
        self, branches: Any, *,
        limit: int | None = None, min_successful: int | None = None,
        tolerated_failures: int | None = None, tolerated_failure_percentage: float | None = None,
        name: str = "",
    ) -> Coroutine[Any, Any, BatchResult[Any]]:  # fmt: skip
        """Do different things side by side; the outcomes come in the branches' order.

        Args:
            branches: async functions of the context, by name or in a list. What a branch starts is
                shown under its name.
            limit, min_successful, tolerated_failures, tolerated_failure_percentage: see `map`.
            name: what messages call it, and the name of its group in the history.

        Raises:
            ConfigurationError: a threshold or a branch has no meaning; says what to give.
        """
        thresholds = Thresholds(
            limit, min_successful, tolerated_failures, tolerated_failure_percentage
        )
        return run_branches(self._asked(), branches, thresholds, name)

    @overload
    def poll(
        self,
        check: Service[T, T] | Callable[[Context, T], Awaitable[T]] | Callable[[T], Awaitable[T]],
        state: T, *, until: Callable[[T], bool], every: timedelta | None = ...,
        backoff: Backoff | None = ..., timeout: timedelta | None = ...,
        attempts: int | None = ..., carry: Literal[True] = ..., name: str = ...,
    ) -> Coroutine[Any, Any, T]: ...  # fmt: skip
    @overload
    def poll(
        self, check: Callable[[T], T],
        state: T, *, until: Callable[[T], bool], every: timedelta | None = ...,
        backoff: Backoff | None = ..., timeout: timedelta | None = ...,
        attempts: int | None = ..., carry: Literal[True] = ..., name: str = ...,
    ) -> Coroutine[Any, Any, T]: ...  # fmt: skip
    @overload
    def poll(
        self,
        check: Service[Req, Res]
        | Callable[[Context, Req], Awaitable[Res]]
        | Callable[[Req], Awaitable[Res]],
        state: Req, *, until: Callable[[Res], bool], every: timedelta | None = ...,
        backoff: Backoff | None = ..., timeout: timedelta | None = ...,
        attempts: int | None = ..., carry: Literal[False], name: str = ...,
    ) -> Coroutine[Any, Any, Res]: ...  # fmt: skip
    @overload
    def poll(
        self, check: Callable[[Req], Res],
        state: Req, *, until: Callable[[Res], bool], every: timedelta | None = ...,
        backoff: Backoff | None = ..., timeout: timedelta | None = ...,
        attempts: int | None = ..., carry: Literal[False], name: str = ...,
    ) -> Coroutine[Any, Any, Res]: ...  # fmt: skip
    def poll(
        self, check: Any, state: Any, *, until: Callable[[Any], bool],
        every: timedelta | None = None, backoff: Backoff | None = None,
        timeout: timedelta | None = None, attempts: int | None = None,
        carry: bool = True, name: str = "",
    ) -> Coroutine[Any, Any, Any]:  # fmt: skip
        """Check at once and then again after each pause, until a condition holds.

        Args:
            check: a service; or a function of the state, which is run as a step; or an async
                function of the context and the state.
            state: what the first check is given.
            until: whether what a check gave ends the poll.
            every: the pause after each check; give this or `backoff`.
            backoff: pauses that grow.
            timeout: how long to go on in all; for ever if not given.
            attempts: how many checks there are at most; any number if not given.
            carry: give each check what the last one gave; False gives all of them `state`.
            name: what messages call it, and the name of its group in the history.

        Returns:
            What the last check gave.

        Raises:
            ConfigurationError: an option has no meaning; says what to give.
            PollTimedOut: (when awaited) the condition did not hold in time, or in so many checks.
        """
        how = plan(
            until, every=every, backoff=backoff, timeout=timeout, attempts=attempts, carry=carry,
            name=name,
        )  # fmt: skip
        return begin_poll(self._asked(), check, state, how)

    def retry(
        self, block: Callable[[Context, *Args], Awaitable[T]], *args: *Args,
        policy: RetryPolicy = RetryPolicy(), name: str = "",  # noqa: B008  # frozen
    ) -> Coroutine[Any, Any, T]:  # fmt: skip
        """Do a block of operations, and do the whole block again when it fails.

        What a failed attempt left running is cancelled before the next one begins. What it did
        stays done: undo it in the block, with a saga, or let the services recognise it.

        Args:
            block: an async function of the context and the arguments; a workflow is run inline.
            policy: how often, and after which pauses. Its `non_retryable` names are compared with
                the exception and, for a CallFailed, with its `type`.
            name: the name of its group in the history.

        Raises:
            The block's own exception (when awaited): the last attempt's.
        """
        ctx = self._asked()
        if name:
            name = display_name("retry", name)
        checked_retry(policy, "block")
        form = block_form(block, args)
        form.check(block, ctx, *args)
        return retry_block(ctx, partial(form.called, block, ctx, *args), policy, name)

    def saga(self, *, parallel: bool = False) -> Saga:
        """A block whose work is undone when the block fails or is cancelled.

            async with ctx.saga() as saga:
                receipt = await ctx.call(CHARGE, order)
                saga.on_rollback(REFUND, receipt)
                await ctx.call(SHIP, order)

        All compensations run, in reverse order, even if some fail or the task is cancelled again;
        then the block's own error goes on.

        Args:
            parallel: all compensations at once.

        Raises:
            SagaFailed: (when the block is left) compensations failed for good.
        """
        return Saga(self._asked(), parallel=parallel)
