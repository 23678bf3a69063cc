"""What a map or parallel gives: each item's outcome, and why the batch ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from lambda_workflow.errors import BatchFailed

T = TypeVar("T")


class ItemStatus(StrEnum):
    """How one item of a batch ended.

    Attributes:
        SUCCEEDED: it has a result.
        FAILED: it has an error.
        CANCELLED: it was under way when the batch ended early.
        NOT_STARTED: the batch ended before its turn came.
    """

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    NOT_STARTED = "NOT_STARTED"


class BatchReason(StrEnum):
    """Why a batch ended.

    Attributes:
        ALL_COMPLETED: every item came to its end.
        MIN_SUCCESSFUL_REACHED: as many as `min_successful` succeeded before all had ended.
        FAILURE_TOLERANCE_EXCEEDED: more failed than was tolerated.
    """

    ALL_COMPLETED = "ALL_COMPLETED"
    MIN_SUCCESSFUL_REACHED = "MIN_SUCCESSFUL_REACHED"
    FAILURE_TOLERANCE_EXCEEDED = "FAILURE_TOLERANCE_EXCEEDED"


@dataclass(frozen=True, slots=True)
class BatchItem(Generic[T]):
    """The outcome of one item.

    Attributes:
        index: its place in what was given, from 0.
        name: the branch's in `ctx.parallel`, the one that `item_name` gives in `ctx.map`, or empty.
        value: its result; None unless it succeeded.
        error: its exception; None unless it failed.
    """

    index: int
    status: ItemStatus
    name: str = ""
    value: T | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[T]):
    """The outcomes of a map or parallel, in the order of its items.

    `batch[2]` is the third item, `batch["mail"]` the branch of that name.

    Attributes:
        items: one for each item that was given, whether or not it was started.
        reason: why the batch ended.
        label: what messages call it.
    """

    items: tuple[BatchItem[T], ...]
    reason: BatchReason
    label: str

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[BatchItem[T]]:
        return iter(self.items)

    def __getitem__(self, which: int | str) -> BatchItem[T]:
        if isinstance(which, int):
            return self.items[which]
        for item in self.items:
            if which and item.name == which:
                return item
        raise KeyError(f"{self.label} has no item {which!r}")

    def results(self) -> list[T]:
        """The results of the items that succeeded."""
        values: list[Any] = [item.value for item in self.of(ItemStatus.SUCCEEDED)]
        return values

    @property
    def errors(self) -> list[Exception]:
        """The errors of the items that failed."""
        return [item.error for item in self.items if item.error is not None]

    def of(self, status: ItemStatus) -> list[BatchItem[T]]:
        """The items that ended so."""
        return [item for item in self.items if item.status is status]

    def raise_if_failed(self) -> None:
        """Raise if any item failed, tolerated or not.

        Raises:
            BatchFailed: an ExceptionGroup of the items' errors.
        """
        failed = self.of(ItemStatus.FAILED)
        if not failed:
            return
        first = failed[0]
        raise BatchFailed(
            f"{len(failed)} of {len(self.items)} items of {self.label} failed "
            f"({self.reason}); first, {_called(first)}: "
            f"{type(first.error).__name__}: {first.error}",
            self.errors,
        )


def _called(item: BatchItem[Any]) -> str:
    return f"branch {item.name!r}" if item.name else f"item {item.index}"
