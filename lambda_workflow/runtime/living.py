"""The executions that stay in memory between turns, the least recently used going first.

Law: a copy is here only while all that it has committed is dispatched.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from lambda_workflow.errors import BackendError, WorkflowError
from lambda_workflow.model.history import History
from lambda_workflow.model.record_check import damage_in
from lambda_workflow.model.turn import NotARecord, decode_turn, decode_turns
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import Backend, Blobs, Happening, Loaded
from lambda_workflow.replay.execution import Execution
from lambda_workflow.runtime.offload import fetch_records

LIVE_MAX: Final = 1000  # executions kept in memory: some tens of KB each


@dataclass(slots=True)
class Live:
    """An execution in memory.

    Attributes:
        loaded: the number of the last turn that came from the store: of those up to it another
            worker may have died before it sent what they cause, and their messages are still to
            come. What this copy has committed since is sent.
        spent: units that the load took, for the next record to count.
        cached: whether it stems from an earlier turn, and may be out of date.
        is_long: whether it was told that the run has many facts.
        is_spoilt: whether its history has taken in what was not recorded.
    """

    history: History
    execution: Execution | None = None
    loaded: int = 0
    spent: Usage = Usage()
    cached: bool = False
    is_long: bool = False
    compared: int = 0  # facts at the last comparison of `check`
    is_spoilt: bool = False


class Living:
    """See the module; one per Turns."""

    def __init__(self, backend: Backend, live_max: int) -> None:
        self._backend = backend
        self._live: OrderedDict[str, Live] = OrderedDict()
        self._live_max = live_max
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    async def take(self, execution_id: str) -> Live:
        """The live copy, or one loaded from the store; it is the caller's until it is kept."""
        return self._live.pop(execution_id, None) or await self._load(execution_id)

    def evict(self, execution_id: str) -> None:
        """Forget a copy, unwinding its code."""
        if (live := self._live.pop(execution_id, None)) is not None:
            self.unwind(live)

    def close(self) -> None:
        """Forget all copies."""
        for execution_id in list(self._live):
            self.evict(execution_id)

    async def _load(self, execution_id: str) -> Live:
        loaded = await self._backend.store.load(execution_id)
        history = await _history(execution_id, loaded, self._backend.blobs)
        return Live(history, loaded=history.next_number - 1, spent=Usage(reads=loaded.read_units))

    def keep(self, execution_id: str, live: Live) -> bool:
        """Keep a copy whose own turns are wholly dispatched; False if it is of no more use."""
        history = live.history
        if not self._live_max or not history.turns or history.status.closed or live.is_spoilt:
            return False
        live.cached = True
        history.forget_earlier_runs()
        self._live[execution_id] = live
        while len(self._live) > self._live_max:
            _, oldest = self._live.popitem(last=False)
            self.unwind(oldest)
        return True

    def unwind(self, live: Live) -> None:
        """Take the stack of a copy's code down."""
        execution, live.execution = live.execution, None
        if execution is not None and (line := execution.close()) is not None:
            happening = Happening("stubborn", live.history.execution_id, fields={"line": line})
            self._backend.observer.notify(happening)

    @asynccontextmanager
    async def alone(self, execution_id: str) -> AsyncIterator[None]:
        """One turn at a time for each execution."""
        lock, users = self._locks.get(execution_id, (asyncio.Lock(), 0))
        self._locks[execution_id] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks[execution_id]
            if users > 1:
                self._locks[execution_id] = (lock, users - 1)
            else:
                del self._locks[execution_id]


async def load_history(backend: Backend, execution_id: str, *, whole: bool = False) -> History:
    """What the store has of an execution's present run, or of all if `whole`; no turn if nothing.

    Payloads are by reference.
    """
    loaded = await backend.store.load(execution_id, whole=whole)
    return await _history(execution_id, loaded, backend.blobs)


async def _history(execution_id: str, loaded: Loaded, blobs: Blobs) -> History:
    try:
        texts = await fetch_records(loaded.texts, blobs)
    except BackendError:
        raise
    except Exception as error:  # whatever a reference raises that is none
        raise _unreadable(execution_id, loaded.texts, error) from error
    try:
        return History(execution_id, decode_turns(texts))
    except Exception as error:  # whatever a record raises that is none
        raise _unreadable(execution_id, texts, error) from error


class DamagedRecord(WorkflowError):
    """A record that no version of this package wrote; only a backup mends it."""

    is_deterministic = True


def damaged(history: History) -> DamagedRecord | None:
    """The error of a history that was read, and has a part of the wrong type; None if it has none.

    For what a replay or a reader raises that is no error of this package.
    """
    wrong = damage_in(history.turns)
    return _damaged(history.execution_id, wrong) if wrong else None


def _damaged(execution_id: str, wrong: str) -> DamagedRecord:
    return DamagedRecord(
        f"execution {execution_id} cannot be read: {wrong}. Other executions go on; restore the "
        "record from a backup"
    )


def _unreadable(execution_id: str, texts: Sequence[str], error: Exception) -> WorkflowError:
    """Which of an execution's records it is."""
    for place, text in enumerate(texts):
        try:
            decode_turn(text)
        except Exception as found:  # noqa: BLE001  # only its place is asked for
            if not isinstance(found, NotARecord) and isinstance(found, WorkflowError):
                return WorkflowError(  # a later version wrote it, and can read it
                    f"record {place + 1} of {len(texts)} of execution {execution_id} cannot be "
                    f"read: {found}"
                )
            return _damaged(execution_id, f"record {place + 1} of {len(texts)}: {found}")
    try:
        wrong = damage_in(decode_turns(texts))
    except Exception as found:  # noqa: BLE001  # two that are one record only together
        wrong = str(found)
    why = error if isinstance(error, ValueError) else type(error).__name__
    return _damaged(execution_id, wrong or f"its records do not fit together: {why}")
