"""Run seeds, and report what broke in a form that reproduces it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.events import StepErrored
from lambda_workflow.testing.simulation.corpus import CORPUS
from lambda_workflow.testing.simulation.faults import FAULTS, Fate, OnePoint
from lambda_workflow.testing.simulation.laws import violations
from lambda_workflow.testing.simulation.run import Run, prepare
from lambda_workflow.testing.simulation.shape import Corpus, Shape
from lambda_workflow.testing.simulation.world import SimulationLoop

COMMAND = "python -m lambda_workflow.testing.simulation"


@dataclass(frozen=True, slots=True)
class Report:
    """What one run came to.

    Attributes:
        name: the options that reproduce it.
        broken: the laws that it broke, in words.
        points: how many calls the workers made.
        trace: one line for everything that happened, if it was asked for.
        seen: how often what the runs are for has come about, and each shape was run.
    """

    name: str
    broken: Sequence[str]
    executions: int
    turns: int
    points: int
    trace: Sequence[str] = field(default=(), repr=False)
    seen: Counter[str] = field(default_factory=Counter, repr=False)

    def __str__(self) -> str:
        if not self.broken:
            return f"{self.name}: {self.executions} executions, {self.turns} turns, all laws hold"
        lines = [f"{self.name} breaks {len(self.broken)} laws:", *(f"  {b}" for b in self.broken)]
        return "\n".join([*lines, f"reproduce it with: {COMMAND} {self.name} --trace"])


def simulate(seed: int, *, corpus: Corpus = CORPUS, trace: bool = False) -> Report:
    """Run one seed: what it runs, the faults and the noise are drawn from it."""
    return _play(f"--seed {seed}", prepare(seed, corpus), trace)


def simulate_seeds(seeds: Sequence[int]) -> list[Report]:
    """Run some seeds, one after the other; the work of one process of many."""
    return [simulate(seed) for seed in seeds]


def simulate_point(
    shape: Shape,
    fate: Fate,
    point: int,
    *,
    corpus: Corpus = CORPUS,
    wrong_code: bool = False,
    trace: bool = False,
) -> Report:
    """Run one execution of a shape with exactly one fault, at one point; all else is sound.

    Args:
        wrong_code: but for a deployment that blocks it, until the right code is back.
    """
    plan = OnePoint(point, fate)
    run = prepare(0, corpus, plan=plan, shapes=[shape], calm=True, wrong_code=wrong_code)
    name = f"--shape {shape.name} --fate {fate.name} --point {point}"
    return _play(f"{name} --wrong-code" if wrong_code else name, run, trace)


def every_point(
    shape: Shape,
    *,
    fates: Sequence[Fate] = FAULTS,
    most: int | None = None,
    wrong_code: bool = False,
) -> Iterator[Report]:
    """Run one execution of a shape again and again, with each fault at each of its points.

    Args:
        wrong_code: see `simulate_point`.
        most: how many points to take at the most, evenly spread; all if None.
    """
    sound = simulate_point(shape, Fate.GO, 0, wrong_code=wrong_code)
    yield sound
    stride = 1 if most is None else max(1, -(-sound.points // most))
    for offset, fate in enumerate(fates):
        for point in range(offset % stride, sound.points, stride):
            yield simulate_point(shape, fate, point, wrong_code=wrong_code)


def _play(name: str, run: Run, trace: bool) -> Report:
    world, loop = run.world, run.world.loop
    world.trace = [] if trace else None
    broken = []
    try:
        loop.run_until_complete(run.play())
    except WorkflowError as error:  # it is stuck, or the core raised where it must not
        broken.append(f"the run ended early: {type(error).__name__}: {error}")
    finally:
        unwind(loop)
    broken += violations(run)
    turns = sum(len(run.turns(execution_id)) for execution_id in run.ids())
    return Report(name, broken, len(run.ids()), turns, world.points, world.trace or (), seen(run))


def seen(run: Run) -> Counter[str]:
    """How often what the run is for has come about."""
    found = Counter(run.world.seen)
    found["an execution expires"] = len(run.store.expired)
    found["payloads are out of reach"] = run.blobs.refused
    found.update(f"shape {execution.shape.name}" for execution in run.executions)
    for execution in run.executions:
        for turn in run.turns(execution.id):
            for event in turn.events:
                if isinstance(event, StepErrored) and event.failure.type.endswith("Interrupted"):
                    found["a step that runs at most once is interrupted"] += 1
    return found


def unwind(loop: SimulationLoop) -> None:
    """Unwind what still waits, as `asyncio.run` does."""
    for task in (waiting := asyncio.all_tasks(loop)):
        task.cancel()
    if waiting:  # without tasks `gather` knows no loop
        loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
    loop.close()
