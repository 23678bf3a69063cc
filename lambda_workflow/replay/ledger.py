"""The ledger of a turn: what the code has asked for, net of what it took back.

Laws
 1. What was begun and given up within the turn leaves no command behind; but the timers of a retry
    and of another look for a heartbeat stay: they record what was decided (law 2).
 2. What stands in the history's commands decides over policies: a recorded retry is made, at the
    recorded time; one that is not recorded is not.
"""

from __future__ import annotations

import hashlib
from types import CodeType
from typing import Any, Final, NoReturn

from lambda_workflow.errors import LimitExceeded
from lambda_workflow.model import commands as c
from lambda_workflow.replay.loop import OrderedTask
from lambda_workflow.replay.operations import Call, Child, Operation, Step
from lambda_workflow.replay.places import Site, caller, line_of
from lambda_workflow.replay.reasons import answered_otherwise
from lambda_workflow.replay.timers import Timers, is_decision, key_of

OPERATIONS_MAX: Final = 100_000  # per execution: a replay of it takes seconds


class Ledger(Timers):
    """Open operations and timers, and the commands of the turn being made.

    Attributes:
        unawaited: operations that nobody has awaited yet.
        groups: what a path of operations is called.
        enclosing: the code around a step's function, where code makes that as it runs.
    """

    def __init__(self, execution_id: str) -> None:
        super().__init__()
        self.execution_id = execution_id
        self.operations: dict[str, Operation[Any]] = {}
        self._steps: dict[str, Step[Any]] = {}  # of the operations; asked for in every turn
        self._has_fragile = False  # whether there was a step that runs at most once
        self.unawaited: dict[str, Operation[Any]] = {}
        self._registered = 0
        self.groups: dict[str, str] = {}
        self.enclosing: dict[str, CodeType] = {}

    @property
    def is_live(self) -> bool:
        """Whether the history says nothing of what the code does now."""
        return self._recorded is None

    @property
    def recorded(self) -> tuple[c.Command, ...] | None:
        """The commands that the history holds for this turn; None when live."""
        return self._recorded

    def expect(self, commands: tuple[c.Command, ...] | None) -> None:
        """The commands that the history holds for the turn to come; None when live."""
        self._recorded = commands
        self._recorded_keys = self._recorded_own = None

    def settle(self) -> tuple[c.Command, ...]:
        """The turn's commands; what comes next belongs to the next turn."""
        commands = tuple(self.intents.values())
        self.intents.clear()
        return commands

    def has_news(self) -> bool:
        """Whether others wait for commands of this turn, which steps must not delay."""
        kinds = set(map(type, self.intents.values()))
        if not kinds.isdisjoint(_NEWS):
            return True
        return self._has_fragile and any(
            isinstance(intent, c.RunStep) and intent.at_most_once
            for intent in self.intents.values()
        )

    def pending_steps(self) -> list[Step[Any]]:
        """The steps that wait to be run, in the order in which they were started."""
        if not self._steps:
            return []
        for key in [key for key in self._steps if key not in self.operations]:
            del self._steps[key]
        return [step for step in self._steps.values() if not step.resting]

    def task_started(self, task: OrderedTask[Any]) -> None:
        """The code has started a task; see `loop.TimerKeeper`."""
        task.site = caller(3)

    def add(self, command: c.Command, site: Site | None = None) -> None:
        """A command that no fact will answer."""
        self._count()
        if site is not None:
            self._sites[command.operation] = site
        if self.early and command.operation in self.early:
            self.misfit = answered_otherwise, command.operation
        self.intents[key_of(command)] = command

    def find(self, key: str) -> c.Command | None:
        """What the history has under a key in this turn; None when live."""
        return self._find(key)

    def has_patch(self, name: str) -> bool | None:
        """What the history says of a patch in this turn; None when live."""
        if self._recorded is None:
            return None
        return self._find(f"patch:{name}") is not None

    def register(self, operation: Operation[Any], command: c.Opening) -> None:
        """An operation was started."""
        self._registered += 1  # as `_count`, without its call
        if self._registered > OPERATIONS_MAX:
            self._refuse_more()
        key = operation.operation
        if self.early and key in self.early and type(command) is not c.OpenCallback:
            self.misfit = answered_otherwise, key
        self.operations[key] = self.unawaited[key] = operation
        if isinstance(operation, Step):
            self._steps[key] = operation
            self._sites[key] = operation.site
            self._has_fragile = self._has_fragile or operation.at_most_once
            operation.replayed = self._recorded is not None
        self.intents[f"+{key}"] = command
        recorded = self._recorded
        if recorded is not None and len(recorded) > 1:  # else no timer stands beside it
            own = self._own(key)
            self._take_over(operation, own, "timeout", "attempt1", "start1", "beat1.1")

    def withdraw(self, operation: Operation[Any]) -> None:
        """An operation was cancelled by the code."""
        found = self.operations.pop(operation.operation, None)
        if found is None or self.loop.frozen:
            return
        self.unawaited.pop(operation.operation, None)
        self.stop_own_timers(found)
        fresh = self.intents.pop(f"+{operation.operation}", None)
        self.intents.pop(f"^{operation.operation}", None)
        if fresh is None and not isinstance(found, Step):
            self.intents[f"-{operation.operation}"] = c.CancelCall(operation.operation)

    def give_up(self, operation: Operation[Any]) -> None:
        """An operation has timed out; who is still at it is told, where it can be told."""
        self.operations.pop(operation.operation, None)
        self.stop_own_timers(operation)
        if isinstance(operation, Child) or (isinstance(operation, Call) and operation.beat_ms):
            self.intents[f"-{operation.operation}"] = c.CancelCall(operation.operation)

    def rest(self, operation: Operation[Any], attempt: int, delay_ms: int) -> None:
        """An attempt failed; the next one waits for a timer."""
        self.stop_own_timers(operation, but=":timeout")
        operation.attempt = attempt
        operation.resting = True
        self._arm(operation, f"{operation.operation}:retry{attempt}", self.loop.now + delay_ms)

    def try_again(self, operation: Operation[Any]) -> None:
        """The timer between two attempts has fired."""
        operation.attempt += 1
        operation.resting = False
        operation.replayed = self._recorded is not None
        if not isinstance(operation, Step) or operation.at_most_once:
            again = c.RetryCall(operation.operation, operation.attempt)
            self.intents[f"^{operation.operation}"] = again
        self.watch(operation)

    def retries(self, operation: Operation[Any], attempt: int) -> bool | None:
        """What the history says of a retry; None when live."""
        if self._recorded is None:
            return None
        return self._find(f"+{operation.operation}:retry{attempt}") is not None

    def end(self, outcome: c.Ending) -> None:
        """The last command; nobody waits for timers any more."""
        for key, intent in list(self.intents.items()):
            if isinstance(intent, c.StartTimer | c.CancelTimer) and not is_decision(key):
                del self.intents[key]
        self.intents["!"] = outcome

    def site_of(self, operation: str) -> str:
        """Where in the code an operation was started."""
        if (found := self.operations.get(c.owner_of(operation))) is not None:
            return line_of(found.site)
        return line_of(self._sites.get(operation))

    def _count(self) -> None:
        self._registered += 1
        if self._registered > OPERATIONS_MAX:
            self._refuse_more()

    def _refuse_more(self) -> NoReturn:
        raise LimitExceeded(
            f"execution {self.execution_id} started more than {OPERATIONS_MAX} operations: "
            "split the work over several executions"
        )


_NEWS: Final = frozenset(
    {
        c.ScheduleCall, c.RetryCall, c.StartTimer, c.OpenCallback, c.StartChild, c.Send, c.Answer
    }
)  # fmt: skip


def chance(execution_id: str, timer: str) -> float:
    """A number in [0, 1) that is the same for the same timer."""
    digest = hashlib.blake2b(f"{execution_id}/{timer}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / (1 << 48)
