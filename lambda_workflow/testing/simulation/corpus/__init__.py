"""The corpus: every shape a workflow can have, each with the model that says how it may end."""

from __future__ import annotations

from typing import Any, Final

from lambda_workflow.replay.context import Context
from lambda_workflow.replay.workflow import Workflow, workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.testing.simulation.corpus import (
    attempts,
    changed,
    elsewhere,
    ending,
    failing,
    families,
    hearing,
    patterns,
    plain,
    racing,
    renewing,
    structured,
    talking,
    timed,
)
from lambda_workflow.testing.simulation.corpus.contracts import ADAPTERS as PLAIN_ADAPTERS
from lambda_workflow.testing.simulation.corpus.contracts import JOIN
from lambda_workflow.testing.simulation.shape import Corpus, Shape

SHAPES: Final = (
    *plain.SHAPES,
    *racing.SHAPES,
    *failing.SHAPES,
    *timed.SHAPES,
    *structured.SHAPES,
    *patterns.SHAPES,
    *talking.SHAPES,
    *attempts.SHAPES,
    *elsewhere.SHAPES,
    *hearing.SHAPES,
    *families.SHAPES,
    *ending.SHAPES,
    *renewing.SHAPES,
    *changed.SHAPES,
)
ADAPTERS: Final = (*PLAIN_ADAPTERS, *elsewhere.ADAPTERS)


@workflow
async def unrelated(ctx: Context, number: int) -> int:
    """All that the ignorant App knows."""
    return number


def diverged(shape: Shape) -> Workflow[Any, Any]:
    """Other code under a shape's name; it parts from every history at its first operation."""

    async def other_code(ctx: Context, request: Any) -> Any:
        await ctx.call(JOIN, ["this", "was", "never", "called"], name="diverged")
        return await shape.workflow(ctx, request)

    return workflow(name=shape.name)(other_code)


CORPUS: Final = Corpus(
    SHAPES,
    app=App("corpus", workflows=[shape.workflow for shape in SHAPES], adapters=ADAPTERS),
    earlier=App(
        "corpus",
        workflows=[shape.earlier or shape.workflow for shape in SHAPES],
        adapters=ADAPTERS,
    ),
    ignorant=App("corpus", workflows=[unrelated], adapters=ADAPTERS),
    diverging=App("corpus", workflows=[diverged(shape) for shape in SHAPES], adapters=ADAPTERS),
)
