"""Facts that the code's types cannot read.

Laws
 1. Such a fact blocks the turn and is recorded as it came; a contract that reads it lets it take
    effect.
 2. A signal whose sender had no type for it is malformed, if the code cannot read it: the history
    records that it is set aside, so that it is in every replay, whatever later code could read.
 3. What an earlier rule made of it (a BadResponse, a failure, an exception) stays, where the
    history shows the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lambda_workflow.errors import DecodeError, UnreadableFact
from lambda_workflow.model import commands as c
from lambda_workflow.model.failures import clipped
from lambda_workflow.replay.operations import Call, Callback, Child, Operation, Step
from lambda_workflow.replay.places import line_of

if TYPE_CHECKING:
    from lambda_workflow.model.events import Told
    from lambda_workflow.replay.execution import Execution

WORDS_MAX: Final = 1_000
_KINDS: Final = {Call: "response to call", Callback: "answer to callback", Child: "result of child"}
_ADVICE: Final = (
    "The fact is kept as it came: deploy a contract that reads it (or the earlier one); the "
    "execution goes on with its next message, or after `redrive`."
)


def blocks_on_operation(
    execution: Execution, operation: Operation[Any], error: DecodeError
) -> bool:
    """Whether what answers an operation blocks the execution, and is no BadResponse."""
    if isinstance(operation, Call) and operation.service.unreadable == "raise":
        return False
    if follows_earlier_rules(execution):
        return False
    kind = "result of step" if isinstance(operation, Step) else _KINDS[type(operation)]
    what = f"the {kind} `{operation.name}` (operation {operation.operation})"
    block_on_fact(execution, what, error, line_of(operation.site))
    return True


def follows_earlier_rules(execution: Execution) -> bool:
    """Whether this is a replay of a turn in which facts that cannot be read became errors."""
    return execution.loop.semantics < 2 and not execution.live


def blocks_on_request(execution: Execution, error: DecodeError) -> bool:
    """Whether a request blocks the execution; in earlier histories it failed it."""
    recorded = execution.ledger.recorded or ()
    if any(isinstance(command, c.Fail) for command in recorded):
        return False
    number = execution.info.run if execution.info is not None else 1
    what = "the request" if number == 1 else f"the request of run {number} (ctx.continue_as_new)"
    block_on_fact(execution, what, error)
    return True


def block_on_told(execution: Execution, kind: str, told: Told, error: DecodeError) -> None:
    """Block on a signal or update that was fit for the code that it was sent to."""
    block_on_fact(execution, f"{kind} `{told.name}` (id {told.id})", error)


def set_aside(execution: Execution, told: Told, error: DecodeError) -> None:
    """Record that a signal is malformed (law 2)."""
    execution.ledger.add(c.SetAside(told.name, told.id, clipped(str(error), WORDS_MAX)))


def block_on_fact(execution: Execution, what: str, error: DecodeError, site: str = "?") -> None:
    """Let the turn end here: nothing that the code does from now on counts."""
    workflow = execution.workflow
    version = f" (version {workflow.version})" if workflow.version else ""
    asked = f", asked for at {site}" if site not in ("", "?") else ""
    if execution.fault is None and not execution.loop.frozen:
        execution.fault = UnreadableFact(
            f"{what} of execution {execution.execution_id} cannot be read by workflow "
            f"`{workflow.name}`{version}{asked}: {clipped(str(error), WORDS_MAX)}\n{_ADVICE}"
        )
        execution.loop.stopped = True
