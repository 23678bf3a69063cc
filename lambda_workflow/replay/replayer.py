"""`replay(workflow, turns) -> Decision`: the pure function that everything else carries data to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_workflow.model.commands import Command, Ending
from lambda_workflow.model.events import Event
from lambda_workflow.model.turn import Turn
from lambda_workflow.replay.execution import Execution
from lambda_workflow.replay.tools import Tools
from lambda_workflow.replay.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Decision:
    """What the code wants after the last fact.

    Attributes:
        commands: the new turn's commands; the outcome is the last of them, if there is one.
        outcome: how the run ended, or None while it waits.
        steps: the names of the inline work that a host would now run.
    """

    commands: tuple[Command, ...]
    outcome: Ending | None
    steps: tuple[str, ...] = ()


def replay(
    workflow: Workflow[Any, Any],
    execution_id: str,
    turns: Iterable[Turn],
    tools: Tools,
    *,
    events: Sequence[Event] = (),
) -> Decision:
    """Run the code through committed turns, then through new facts, and say what it wants.

    Raises:
        NonDeterminismError: the code does not do what the history says.
    """
    execution = Execution(workflow, execution_id, tools)
    try:
        execution.replay(turns)
        execution.advance(events)
        steps = tuple(step.name for step in execution.ledger.pending_steps())
        return Decision(execution.ledger.settle(), execution.outcome, steps)
    finally:
        execution.close()
