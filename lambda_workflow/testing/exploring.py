"""`explore`: run a workflow under many schedules of faults, and shorten the first that breaks it.

Laws
 1. All schedules are of one execution: the same id, so the same draws of `ctx.random`; only the
    faults differ.
 2. A seed gives the same schedule each time, and so do the faults that it came to, as a list.
 3. What is reported is minimal: without any one of its faults the workflow is right again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from types import NoneType
from typing import Any, Final, Generic, TypeVar

from lambda_workflow.errors import ExecutionFailed, WorkflowError
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.serve import Adapter
from lambda_workflow.testing.acts import Act
from lambda_workflow.testing.cast import Part
from lambda_workflow.testing.fakes import Fake, FakeCallback
from lambda_workflow.testing.looking import Simulated
from lambda_workflow.testing.progress import Progress
from lambda_workflow.testing.schedule import Decide, Fault, by_dice, by_script, never, simpler
from lambda_workflow.testing.simulating import RECENT, WORKFLOW, Simulation
from lambda_workflow.testing.stage_world import TURNS_MAX, Endless, SimulationError

In = TypeVar("In")
Out = TypeVar("Out")

SEEDS: Final = 1_000
SHRINKS_MAX: Final = 500  # runs to shorten one schedule; ten faults need about a hundred


@dataclass(frozen=True, slots=True)
class Law:
    """What must hold at the end of every schedule; made by `holds`."""

    check: Callable[[Simulated[Any]], object]

    def complaint(self, run: Simulated[Any]) -> str | None:
        """What is wrong, in words, or None."""
        try:
            if self.check(run) is not False:
                return None
        except AssertionError as error:
            return f"{self._name()} does not hold: {str(error) or 'AssertionError'}"
        except Exception as error:  # noqa: BLE001  # above all ExecutionFailed, of `run.result`
            return f"{self._name()} does not hold: {type(error).__name__}: {error}"
        return f"{self._name()} does not hold"

    def _name(self) -> str:
        code = getattr(self.check, "__code__", None)
        name = getattr(self.check, "__name__", type(self.check).__name__)
        name = "the invariant" if name == "<lambda>" else f"the invariant {name!r}"
        place = f" ({Path(code.co_filename).name}:{code.co_firstlineno})" if code else ""
        return f"{name}{place}"


def holds(check: Callable[[Simulated[Any]], object]) -> Law:
    """An invariant, as a part of a scenario that `explore` sets up anew for every schedule.

    Args:
        check: called with each run that has ended; it returns False or raises AssertionError where
            the invariant is broken.
    """
    return Law(check)


PARTS: Final = (Fake, Adapter, FakeCallback, Act, Workflow, Law)
Scenario = Callable[[], Iterable[Part | Law]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What `pytest` was told for all explorations of its run."""

    seeds: int | None = None
    seed: int | None = None


class Chosen:
    """Where the plugin leaves its settings."""

    settings: Settings = Settings()


@dataclass(frozen=True, slots=True)
class Explored(Generic[Out]):
    """What an exploration came to that found nothing wrong.

    Attributes:
        calm: the run without faults.
        schedules: how many runs were made beside it.
        faults: how often which kind of fault happened, by its name.
        outcomes: how often it ended how, in words.
    """

    calm: Simulated[Out]
    schedules: int
    faults: Counter[str]
    outcomes: Counter[str]


class ScheduleFailed(AssertionError):
    """A schedule was found under which a workflow goes wrong; the message tells it whole.

    Attributes:
        seed: which one found it; None where it goes wrong without any fault.
        faults: those that are enough.
        complaint: what is wrong.
    """

    def __init__(
        self, text: str, *, seed: int | None, faults: Sequence[Fault], complaint: str
    ) -> None:
        super().__init__(text)
        self.seed = seed
        self.faults = faults
        self.complaint = complaint


def explore(
    workflow: Workflow[In, Out],
    request: In,
    *parts: Part | Law | Scenario,
    seeds: int = SEEDS,
    first: int = 0,
    invariant: Callable[[Simulated[Out]], object] | None = None,
    outcome: Callable[[Simulated[Out]], object] | None = None,
    app: App | None = None,
    strict: bool = True,
    turns_max: int = TURNS_MAX,
    time_limit: timedelta | None = None,
) -> Explored[Out]:
    """Run a workflow under many schedules: late answers, duplicates, crashes, timeouts.

    One that lasts longer than two seconds says on stderr how far it is.

    Args:
        parts: fakes and adapters, as for `simulate`; or functions that set them up anew for every
            schedule, which those need that remember something.
        seeds: how many schedules to draw; pytest's `--lambda-workflow-seeds` overrides it.
        first: the first seed.
        invariant: called with each run that has ended; returns False or raises AssertionError where
            something is wrong.
        outcome: the same, about how it may end. If not given, every run must end as the one without
            faults does, with the same result or an error of the same type.
        time_limit: after which no further schedule is drawn; `Explored.schedules` says how many
            were. If not given, all are.

    Raises:
        ScheduleFailed: (an AssertionError) something is wrong; tells the shortest schedule.
        SimulationError: the test has something to mend, such as a missing fake.
    """
    limit = "a timedelta, such as timedelta(seconds=10)"
    check_kind(time_limit, (timedelta, NoneType), "time_limit of explore", limit)
    trials = _Trials(
        workflow, request, parts, app=app, strict=strict, turns_max=turns_max,
        laws=[Law(check) for check in (invariant, outcome) if check],
    )  # fmt: skip
    calm = trials.run(never)
    if calm.complaint is not None or calm.end is None:
        raise _failed(trials, calm, None, "without any fault")
    if outcome is None:
        trials.calm = calm.end
    chosen = Chosen.settings
    numbers: Sequence[int] = range(first, first + (chosen.seeds or seeds))
    if chosen.seed is not None:
        numbers = [chosen.seed]
    faults: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for number, seed in enumerate(numbers, 1):
        if number > 1 and trials.progress.is_over(time_limit):
            break
        trials.doing = f"schedule {number:,} of {len(numbers):,}"
        trial = trials.run(by_dice(Random(seed)))
        if trial.complaint is not None or trial.end is None:
            raise _shortened(trials, trial, seed)
        faults.update(fault.what.name for fault in trial.faults)
        outcomes[_ending(trial.end)] += 1
    return Explored(calm.end, outcomes.total(), faults, outcomes)


@dataclass(frozen=True, slots=True)
class Trial:
    """One schedule tried; `complaint` is its kind and what is wrong."""

    faults: Sequence[Fault]
    timeline: Sequence[str]
    end: Simulated[Any] | None
    complaint: tuple[str, str] | None

    @property
    def kind(self) -> str:
        """What sort of thing is wrong; empty where nothing is."""
        return self.complaint[0] if self.complaint else ""


@dataclass(slots=True)
class _Trials:
    """Runs schedules of one scenario, and judges them."""

    workflow: Workflow[Any, Any]
    request: Any
    parts: Sequence[Part | Law | Scenario]
    laws: Sequence[Law]
    app: App | None = None
    strict: bool = True
    turns_max: int = TURNS_MAX
    calm: Simulated[Any] | None = field(default=None)
    progress: Progress = field(init=False)
    doing: str = "the run without faults"

    def __post_init__(self) -> None:
        check_kind(self.workflow, Workflow, "what explore is to run", WORKFLOW)
        self.progress = Progress(self.workflow.name)

    def run(self, decide: Decide) -> Trial:
        """Try one schedule."""
        played, laws = self._set_up()
        end = complaint = None
        with Simulation(
            self.workflow, self.request, *played,
            app=self.app, faults=decide, strict=self.strict, turns_max=self.turns_max,
        ) as simulation:  # fmt: skip
            RECENT.pop()  # the report of a failed schedule has its own timeline
            try:
                end = simulation.run()
            except Exception as error:
                if isinstance(error, SimulationError) and not isinstance(error, Endless):
                    raise
                if decide is never and not isinstance(error, WorkflowError):
                    raise  # a bug that needs no fault to show: as itself
                complaint = type(error).__name__, f"{type(error).__name__}: {error}"
            seen = simulation.look() if end is None else end.end
        if end is not None:
            complaint = self._judge(end, [*self.laws, *laws])
        self.progress.count(self.doing)
        return Trial(seen.faults, seen.timeline, end, complaint)

    def shorten(self, trial: Trial) -> Trial:
        """The least of its faults that give a complaint of the same kind."""
        left = SHRINKS_MAX
        best = trial
        improved = True
        while improved and left > 0:
            improved = False
            for faults in _smaller(best.faults):
                left -= 1
                shorter = self.run(by_script(faults))
                if shorter.kind == trial.kind and _is_less(shorter, best):
                    best, improved = shorter, True
                    break
        return best

    def _judge(self, end: Simulated[Any], laws: Sequence[Law]) -> tuple[str, str] | None:
        for law in laws:
            if (text := law.complaint(end)) is not None:
                return "law", text
        if self.calm is not None and not _ends_alike(end, self.calm):
            wanted, got = _ending(self.calm), _ending(end)
            return "outcome", f"it ends with {got}, and without faults with {wanted}"
        return None

    def _set_up(self) -> tuple[list[Part], list[Law]]:
        played: list[Part] = []
        laws: list[Law] = []
        for part in self.parts:
            made = [part] if isinstance(part, PARTS) else part()
            for one in made:
                if isinstance(one, Law):
                    laws.append(one)
                else:
                    played.append(one)
        return played, laws


def _smaller(faults: Sequence[Fault]) -> Iterable[list[Fault]]:
    """The same faults without one of them, or with one made simpler."""
    for number in range(len(faults)):
        yield [*faults[:number], *faults[number + 1 :]]
    for number, fault in enumerate(faults):
        for simple in simpler(fault):
            yield [*faults[:number], simple, *faults[number + 1 :]]


def _is_less(trial: Trial, than: Trial) -> bool:
    return _weight(trial.faults) < _weight(than.faults)


def _weight(faults: Sequence[Fault]) -> tuple[int, int, float]:
    uneven = sum(fault.seconds != int(fault.seconds) for fault in faults)
    return len(faults), uneven, sum(fault.seconds for fault in faults)


def _ends_alike(run: Simulated[Any], calm: Simulated[Any]) -> bool:
    if isinstance(run.outcome, ExecutionFailed) and isinstance(calm.outcome, ExecutionFailed):
        return run.outcome.type == calm.outcome.type
    return bool(run.outcome == calm.outcome)


def _ending(run: Simulated[Any]) -> str:
    if isinstance(run.outcome, ExecutionFailed):
        return f"{run.outcome.type}: {run.outcome.message:.200}"
    return f"result {run.outcome!r:.200}"


def _shortened(trials: _Trials, trial: Trial, seed: int) -> ScheduleFailed:
    trials.doing = f"shortening the schedule of seed {seed}"
    least = trials.shorten(trial)
    found = f"found with seed {seed}; of its {len(trial.faults)} faults these are enough"
    return _failed(trials, least, seed, found)


def _failed(trials: _Trials, trial: Trial, seed: int | None, found: str) -> ScheduleFailed:
    complaint = trial.complaint[1] if trial.complaint else ""
    name = trials.workflow.name
    lines = [f"{name} goes wrong: {complaint}", f"{found}{':' if trial.faults else ''}"]
    lines += [f"  {number}. {fault}" for number, fault in enumerate(trial.faults, 1)]
    lines += ["what happened:", *trial.timeline]
    if trial.faults:
        codes = ", ".join(f'"{fault.code}"' for fault in trial.faults)
        lines.append(f"see it again: simulate({name}, request, …, faults=[{codes}])")
    if seed is not None and (test := os.environ.get("PYTEST_CURRENT_TEST")):
        test = test.rpartition(" ")[0]
        lines.append(f'search it again: pytest "{test}" --lambda-workflow-seed {seed}')
    return ScheduleFailed("\n".join(lines), seed=seed, faults=trial.faults, complaint=complaint)
