"""Committing a turn, and sending what it causes.

Law: the record is stored first; whatever it causes can be sent again from it by anyone.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final

from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.failures import words_of
from lambda_workflow.model.history import History
from lambda_workflow.model.turn import Turn, encode_turn, with_usage
from lambda_workflow.model.usage import Usage, write_units
from lambda_workflow.ports import (
    Backend,
    Commit,
    Effect,
    Happening,
    Observer,
    PutHeader,
    Unprocessable,
)
from lambda_workflow.runtime.dispatch import (
    dispatch,
    effects_of,
    header_of,
    status_changed,
    units_of,
)
from lambda_workflow.runtime.living import Live
from lambda_workflow.runtime.offload import deposit_record
from lambda_workflow.runtime.redelivery import is_of_steps

COMMIT_EVENTS_MAX: Final = 100  # of steps in one record, so that it stays small
COMMIT_MS_MAX: Final = 5_000  # of steps done and not yet committed
ITEM_OVERHEAD_BYTES: Final = 48  # keys and attribute names beside the record's text


@dataclass(slots=True)
class Work:
    """One turn under way."""

    live: Live
    receipts: Sequence[Any]
    consumed: Usage
    pending: list[e.Event] = field(default_factory=list)  # facts not yet committed
    since: int = 0
    commits: int = 0
    acked: bool = False  # by the last commit, where the store does that


class Committer:
    """See the module; one per Turns."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._worker = backend.worker or secrets.token_hex(6)
        self._begun = count(1)

    def is_due(self, work: Work) -> bool:
        """Whether what steps have done is better stored before the next ones end."""
        late = self._backend.clock.now() - work.since > COMMIT_MS_MAX
        return len(work.pending) >= COMMIT_EVENTS_MAX or (late and bool(work.pending))

    async def commit(self, work: Work, turn: Turn, *, is_last: bool = True) -> None:
        """Store a turn, and send what it causes; not the `is_last` record if more follow it.

        Raises:
            Conflict: another worker was first.
            Unprocessable: the record cannot be written, by any worker.
            BackendError: the same messages must come again.
        """
        history, backend = work.live.history, self._backend
        encoded = _encoded(turn, history.execution_id)
        size = len(encoded.encode()) + len(history.execution_id) + ITEM_OVERHEAD_BYTES
        history.append(turn)
        effects: list[Effect] = effects_of(turn, history, backend.inbox_url)
        usage = history.turns[-2].usage if len(history.turns) > 1 else Usage()
        changed = status_changed(history)
        usage += work.consumed + work.live.spent + units_of(effects)
        usage += Usage(writes=write_units(size) + changed, bytes=size)
        writer = f"{self._worker}.{next(self._begun)}" if _begins_once(turn, history) else ""
        turn = history.turns[-1] = replace(turn, usage=usage, writer=writer)
        header = header_of(history)
        if changed:
            effects.append(PutHeader(header))
        text = await deposit_record(with_usage(encoded, turn), history.execution_id, backend.blobs)
        receipts = work.receipts if is_last else ()  # until the steps are done too
        began = history.started.at if history.started else turn.at
        commit = Commit(history.execution_id, turn, text, header, tuple(effects), receipts, began)
        remaining = await backend.store.commit(commit)
        work.commits += 1
        work.acked = is_last
        work.consumed, work.pending, work.since = Usage(), [], backend.clock.now()
        work.live.spent = Usage()
        backend.observer.notify(Happening("turn", history.execution_id, header.workflow, turn))
        tell_set_aside(turn, history, backend.observer)
        if turn.status.closed:
            fields = {"status": turn.status.value}
            backend.observer.notify(Happening("closed", history.execution_id, fields=fields))
        if remaining:
            await dispatch(remaining, backend)

    async def repeat(
        self, history: History, numbers: set[int], fresh: str = "", *, until: int | None = None
    ) -> None:
        """Send again what these turns caused, as far as it is still unanswered.

        The steps of a turn may have made further records: these were caused by it as well. Turns
        from number `until` on are left out: this worker has just sent what they cause.
        """
        effects: list[Effect] = []
        caused = False
        for turn in history.turns:
            if until is not None and turn.number >= until:
                break
            caused = turn.number in numbers or (caused and is_of_steps(turn))
            if caused:
                effects += effects_of(turn, history, self._backend.inbox_url, fresh=fresh)
        if history.next_number > 2:  # the first record of all carries its header itself
            effects.append(PutHeader(header_of(history)))
        await dispatch(effects, self._backend)


def _encoded(turn: Turn, execution_id: str) -> str:
    try:
        return encode_turn(turn)
    except (ValueError, TypeError, RecursionError) as error:
        raise Unprocessable(
            f"turn {turn.number} of execution {execution_id} cannot be written: {words_of(error)}"
        ) from error


def _begins_once(turn: Turn, history: History) -> bool:
    """Whether a worker that has stored this begins what nobody else may begin."""
    for command in turn.commands:
        if isinstance(command, c.RunStep | c.RetryCall):
            step = history.opening(command.operation, c.RunStep)
            if step is not None and step.at_most_once:
                return True
    return False


def tell_set_aside(turn: Turn, history: History, observer: Observer) -> None:
    """Tell of the malformed signals that a committed turn has set aside."""
    for command in turn.commands:
        if isinstance(command, c.SetAside):
            fields = {"name": command.name, "id": command.id, "reason": command.reason}
            observer.notify(Happening("set_aside", history.execution_id, fields=fields))
