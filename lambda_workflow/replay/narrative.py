"""What reaches workflow code from outside its own calls, and what it has said of itself."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lambda_workflow.model import events as e
from lambda_workflow.model.commands import Declare


@dataclass(slots=True)
class Narrative:
    """Kept for one run.

    Attributes:
        signals, updates: what came and was not taken yet, by name, in order.
        awaited: the types by which today's code reads signals and updates, by kind and name.
        declared: how the history says that they are read; see `declaring`.
        settled: those of which the history says how today's code reads them.
        arrived: what was declared when a payload came whose sender had no type, by kind and id.
        conditions: who waits for what to become true.
        patches: which way the code went at each changed place.
        cancelled: why the execution is to end, once somebody asked for it.
    """

    signals: defaultdict[str, asyncio.Queue[e.Signalled]] = field(
        default_factory=lambda: defaultdict(asyncio.Queue)
    )
    updates: defaultdict[str, asyncio.Queue[e.UpdateRequested]] = field(
        default_factory=lambda: defaultdict(asyncio.Queue)
    )
    awaited: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    declared: dict[tuple[str, str], Declare] = field(default_factory=dict)
    settled: set[tuple[str, str]] = field(default_factory=set)
    arrived: dict[tuple[str, str], Declare] = field(default_factory=dict)
    conditions: dict[asyncio.Future[Any], Callable[[], object]] = field(default_factory=dict)
    patches: dict[str, bool] = field(default_factory=dict)
    cancelled: str | None = None

    def try_conditions(self) -> None:
        """Wake those whose condition has become true."""
        for waiter, is_true in list(self.conditions.items()):
            if waiter.done():
                continue
            try:
                if is_true():
                    waiter.set_result(None)
            except Exception as error:  # noqa: BLE001  # it is the waiting code's own
                waiter.set_exception(error)

    def untaken(self) -> tuple[e.Told, ...]:
        """The signals and updates that nobody has taken, in the order in which they came."""
        left: list[e.Told] = []
        queues: list[asyncio.Queue[Any]] = [*self.signals.values(), *self.updates.values()]
        for queue in queues:
            while not queue.empty():
                left.append(queue.get_nowait())
        return tuple(sorted(left, key=lambda told: told.at))
