"""A batch of queue records: what Lambda's event source mapping, a worker or a test hands over.

Laws
 1. A record is answered for in exactly one way: a turn took it, the dead-letter queue has it, or
    its id is returned as failed and it is redelivered.
 2. Within a group nothing after a failed record counts as done, so that order survives the retry.
 3. Groups do not touch each other: one fails, the others succeed.
 4. A record that cannot be understood is moved away with its body intact; left to its receive count
    it would drag the later records of its group along to the dead-letter queue.
 5. So is one that fails the same way at each delivery, at its third; its neighbours are taken one
    at a time meanwhile, and are not dragged along. What may pass is never moved away here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lambda_workflow.model.failures import words_of
from lambda_workflow.model.limits import RECEIVES_MAX
from lambda_workflow.model.references import check_message
from lambda_workflow.model.usage import Usage
from lambda_workflow.model.wire import parse
from lambda_workflow.ports import Happening, Observer, Quiet, guarded
from lambda_workflow.runtime.deadline import DEADLINE, Deadline
from lambda_workflow.runtime.deterministic import is_deterministic
from lambda_workflow.runtime.intake import Arrival, RefusedArrival
from lambda_workflow.runtime.turns import TurnResult


@dataclass(frozen=True, slots=True)
class Record:
    """One message as a queue delivered it, not yet understood.

    Attributes:
        id: the queue's own id of the message; unique within a batch.
        group: the FIFO group; what must stay in order.
        receive_count: how often it was delivered, this time included.
        attributes: what else the queue says of it, as text.
    """

    id: str
    body: str
    group: str
    receive_count: int = 1
    attributes: Mapping[str, str] = field(default_factory=dict)


class DeadLetters(Protocol):
    """Where records go that cannot be understood, or never succeed."""

    async def put(self, record: Record, reason: str) -> None:
        """Keep a record, body and attributes as they came, with the reason.

        Raises:
            BackendError: it is not kept; the record is redelivered.
        """
        ...


class RunsTurns(Protocol):
    """What a batch needs of `Turns`."""

    async def run(
        self, execution_id: str, arrivals: Sequence[Arrival], *, consumed: Usage = ...
    ) -> TurnResult:
        """One turn of one execution; see `Turns.run`."""
        ...


async def run_batch(
    turns: RunsTurns,
    records: Sequence[Record],
    dead_letters: DeadLetters,
    *,
    consumed: Usage = Usage(),
    observer: Observer | None = None,
    seconds_max: float | None = None,
) -> set[str]:
    """Run one turn for each execution that has records here, groups side by side.

    Args:
        consumed: what bringing and acknowledging the batch costs; each execution in it counts that.
        seconds_max: how long it may take; turns that have not ended by then have failed.

    Returns:
        the ids of the records that failed and must come again; the others may be acknowledged.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.group, []).append(record)
    loop = asyncio.get_running_loop()
    deadline = None if seconds_max is None else loop.time() + seconds_max
    batch = _Batch(turns, dead_letters, consumed, guarded(observer or Quiet()), deadline)
    DEADLINE.set(None if deadline is None else Deadline(deadline, seconds_max or 0.0))
    if len(groups) == 1:
        return await batch.run_group(records)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(batch.run_group(group)) for group in groups.values()]
    return set().union(*(task.result() for task in running))


@dataclass(frozen=True, slots=True)
class _Taken:
    """A record that was understood, and its place in the group."""

    position: int
    record: Record
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class _Batch:
    turns: RunsTurns
    dead_letters: DeadLetters
    consumed: Usage
    observer: Observer
    deadline: float | None  # of the event loop's clock

    async def run_group(self, records: Sequence[Record]) -> set[str]:
        """The ids of a group's records that failed."""
        arrived: dict[str, list[_Taken]] = {}
        moved: set[int] = set()
        failed_from = len(records)
        for position, record in enumerate(records):
            try:
                message = parse(record.body)
                check_message(message)
            except Exception as error:  # noqa: BLE001  # what a body raises once it raises always
                if not await self._move_away(record, words_of(error)):
                    failed_from = position
                    break
                moved.add(position)
            else:
                taken = _Taken(position, record, Arrival(message, record.id, record.receive_count))
                arrived.setdefault(message.execution_id, []).append(taken)
        for execution_id, taken_in in arrived.items():
            left = await self._run_turns(execution_id, taken_in, moved)
            if left is not None:
                failed_from = min(failed_from, left)
                break  # what is left in the group came later, and fails with it
        return {r.id for n, r in enumerate(records) if n >= failed_from and n not in moved}

    async def _run_turns(
        self, execution_id: str, taken_in: Sequence[_Taken], moved: set[int]
    ) -> int | None:
        """One turn of what arrived, or several to find what is to blame; where it failed.

        What the execution refuses is moved away, and the rest runs.
        """
        left = list(taken_in)
        while left:
            error = await self._run_turn(execution_id, left)
            if error is None:
                return None
            if not isinstance(error, RefusedArrival):
                alone = is_deterministic(error)
                return await self._one_by_one(left, moved, error) if alone else left[0].position
            refused = next(one for one in left if one.arrival.receipt == error.receipt)
            if not await self._move_away(refused.record, f"MessageError: {error}"):
                return left[0].position
            moved.add(refused.position)
            left.remove(refused)
        return None

    async def _one_by_one(
        self, left: Sequence[_Taken], moved: set[int], error: Exception | None
    ) -> int | None:
        for one in left:
            if len(left) > 1:
                error = await self._run_turn(one.arrival.message.execution_id, [one])
            if error is None:
                continue
            often = one.record.receive_count >= RECEIVES_MAX and is_deterministic(error)
            is_last = often or isinstance(error, RefusedArrival)
            if not is_last or not await self._move_away(one.record, words_of(error)):
                return one.position
            moved.add(one.position)
        return None

    async def _run_turn(self, execution_id: str, taken_in: Sequence[_Taken]) -> Exception | None:
        arrivals = [one.arrival for one in taken_in]
        try:
            async with asyncio.timeout_at(self.deadline):
                await self.turns.run(execution_id, arrivals, consumed=self.consumed)
        except RefusedArrival as refused:
            return refused
        except TimeoutError as error:
            self._notify("failed", execution_id, error="the turn did not end in its time")
            return error
        except Exception as error:  # noqa: BLE001  # one execution's failure is not its neighbours'
            self._notify("failed", execution_id, error=words_of(error))
            return error
        return None

    async def _move_away(self, record: Record, reason: str) -> bool:
        try:
            await self.dead_letters.put(record, reason)
        except Exception as error:  # noqa: BLE001  # as for a turn: only this group has to come again
            self._notify("failed", record.group, error=f"dead-letter queue: {words_of(error)}")
            return False
        self._notify("dead_letter", record.group, reason=reason, message_id=record.id)
        return True

    def _notify(self, kind: str, execution_id: str, **fields: str) -> None:
        self.observer.notify(Happening(kind, execution_id, fields=fields))
