"""The start that a handle came of: whether the execution of its id began with that start.

Laws
 1. Of two starts of one id that both found it free, the first to arrive begins the execution. The
    other is refused where its `on_conflict` refuses, as soon as its handle can see the first turn.
 2. The history says which start that was: by the start's own id, kept in each run's first fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lambda_workflow.errors import ExecutionAlreadyStarted
from lambda_workflow.model import events as e
from lambda_workflow.model.history import History, digest
from lambda_workflow.ports import Backend
from lambda_workflow.runtime.living import load_history

OnConflict = Literal["same_request", "use_existing", "fail", "terminate_existing"]

_SHARING: Final = ("same_request", "use_existing")  # two starts may go on with one execution


@dataclass(frozen=True, slots=True)
class SentStart:
    """A start that was sent while its execution id was free, or that is to replace what has it.

    Attributes:
        id: of the start itself; `StartOptions.id` of the execution that began with it.
        request: the digest of the request.
    """

    execution_id: str
    id: str
    workflow: str
    request: str
    on_conflict: OnConflict

    @property
    def replaces(self) -> bool:
        """Whether the execution that has the id may be an earlier one, until this start begins."""
        return self.on_conflict == "terminate_existing"

    @property
    def key(self) -> str:
        """What a signal or update that travels with this start is meant for: see `Signal.start`."""
        match self.on_conflict:
            case "same_request":
                return f"{self.workflow}/{self.request}"
            case "use_existing":
                return f"{self.workflow}/"
            case _:
                return self.id

    async def is_accepted(self, backend: Backend) -> bool:
        """Whether the execution began with this start, or with one that it may go on with.

        False while there is no first turn yet.

        Raises:
            ExecutionAlreadyStarted: another start was first.
        """
        history = await load_history(backend, self.execution_id)
        if not history.turns:
            return False
        if not self._is_in(history):  # a later start may have replaced the one that this began
            history = await load_history(backend, self.execution_id, whole=True)
            if not self._is_in(history):
                raise self._refused(history)
        return True

    def _is_in(self, history: History) -> bool:
        return any(
            self._began(event)
            for turn in history.turns
            for event in turn.events
            if isinstance(event, e.Started)
        )

    def _began(self, started: e.Started) -> bool:
        if started.options.id == self.id:
            return True
        if started.workflow != self.workflow or self.on_conflict not in _SHARING:
            return False
        request = started.run.origin or digest(started.request)
        return self.on_conflict == "use_existing" or request == self.request

    def _refused(self, history: History) -> ExecutionAlreadyStarted:
        workflow = history.started.workflow if history.started else ""
        return ExecutionAlreadyStarted(
            f"execution id {self.execution_id} was taken by another start at the same moment, of "
            f"{workflow!r} ({history.status}): this start began nothing; choose another id, or "
            "another on_conflict"
        )
