"""A workflow shape: a workflow, requests for it, and the model that says how it may end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from lambda_workflow.model.events import Failure
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.payload import Json
from lambda_workflow.model.turn import Turn
from lambda_workflow.runtime.app import App


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
    """

    workflow: Any
    request: Callable[[Random], Any]
    allows: Model

    @property
    def name(self) -> str:
        """The name of the workflow."""
        return str(self.workflow.name)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Shapes, the App that has them all, and the Apps that a bad deploy may bring.

    Attributes:
        ignorant: knows none of the workflows.
        diverging: has other code under their names, which parts from every history at once. Not for
            executions that have not begun: they would belong to that code for good.
    """

    shapes: Sequence[Shape]
    app: App
    ignorant: App
    diverging: App


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
