"""A workflow shape: a workflow, requests for it, and the model that says how it may end.

Models say how an execution ends that is left in peace. What else an end may be, because somebody
outside or a parent has cancelled, terminated or limited it, is laws.py's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from lambda_workflow.model.events import Failure
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json
from lambda_workflow.model.turn import Turn
from lambda_workflow.runtime.app import App

if TYPE_CHECKING:
    from lambda_workflow.testing.simulation.outside import Guest


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended; `result` is inline even where it was offloaded."""

    status: Status
    result: Json = None
    failure: Failure | None = None
    turns: Sequence[Turn] = ()


Model = Callable[[Any, Outcome], bool]  # may an execution of this request end so?


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of the corpus.

    Attributes:
        workflow: the `Workflow` value, as an App takes it.
        request: draws a request.
        allows: the model: whether an execution of this request may end so.
        visits: what somebody outside does to an execution of this request.
        cancelled: how it may end once it was asked to cancel; None: in any way.
        earlier: the code under this name before the last deploy.
        delayed: whether it is started for later.
        begets: whether it starts executions or runs, or is delayed: code begins in mid-run.
        alone: whether it is run by itself, and not just by others.
        weight: how often it is drawn, against the others.
        starts_timed: whether its calls have a start timeout. A heartbeat without its attempt counts
            as a begin, and an adapter drops what it gets too late: noise must not say so instead.
    """

    workflow: Any
    request: Callable[[Random], Any]
    allows: Model
    visits: Callable[[Guest, Any], None] | None = None
    cancelled: Model | None = None
    earlier: Any = None
    delayed: bool = False
    begets: bool = False
    alone: bool = True
    weight: int = 1
    starts_timed: bool = False

    @property
    def name(self) -> str:
        """The name of the workflow."""
        return str(self.workflow.name)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Shapes, the App that has them all, and the Apps that a bad deploy may bring.

    Attributes:
        earlier: has the code from before the last deploy, where there is such.
        ignorant: knows none of the workflows.
        diverging: has other code under their names, which parts from every history at once. Not for
            executions that have not begun: they would belong to that code for good.
    """

    shapes: Sequence[Shape]
    app: App
    earlier: App
    ignorant: App
    diverging: App

    def shape(self, name: str) -> Shape | None:
        """The shape whose workflow has this name."""
        return next((shape for shape in self.shapes if shape.name == name), None)


def returns(expected: Callable[[Any], Json]) -> Model:
    """The model of a workflow that completes with exactly this."""
    return lambda request, outcome: (
        outcome.status is Status.COMPLETED and outcome.result == expected(request)
    )


def returns_one_of(expected: Callable[[Any], Sequence[Json]]) -> Model:
    """The model of a workflow whose result depends on what came first."""
    return lambda request, outcome: (
        outcome.status is Status.COMPLETED and outcome.result in expected(request)
    )


def either(*models: Model) -> Model:
    """The model of a workflow that may end in several ways."""
    return lambda request, outcome: any(model(request, outcome) for model in models)


def fails_with(*types: str) -> Model:
    """The model of a workflow that ends in an error of one of these types."""
    return lambda _, outcome: (
        outcome.status is Status.FAILED
        and outcome.failure is not None
        and outcome.failure.type.rpartition(".")[2] in types
    )


def ends(status: Status) -> Model:
    """The model of a workflow that ends so, with no outcome of its own."""
    return lambda _, outcome: outcome.status is status
