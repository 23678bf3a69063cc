"""What can go wrong at one await of a worker, and who decides it.

Every call of a port, and every await of a step, is one point. A plan is asked at each point, in
order, and answers with a fate. Once a plan is quiet it answers GO for ever, so that what the faults
left behind can be shown to mend itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final, Protocol


class Fate(Enum):
    """What happens at a point. `effect` is what the call does to the world outside."""

    GO = "goes on"
    DELAY = "takes a while"
    STALL = "takes longer than the visibility timeout"
    REFUSE = "raises before the effect (throttled)"
    LOSE = "raises after the effect (the answer is lost)"
    KILL_BEFORE = "the worker dies before the effect"
    KILL_AFTER = "the worker dies after the effect"


class Plan(Protocol):
    """Decides the fate of each point."""

    @property
    def quiet(self) -> bool:
        """Whether no fault is to come any more."""
        ...

    def fate(self, what: str) -> Fate:
        """The fate of the next point; `what` names the call."""
        ...

    def silence(self) -> None:
        """Be quiet from now on."""
        ...


FAULTS: Final = tuple(fate for fate in Fate if fate is not Fate.GO)


@dataclass(slots=True)
class RandomPlan:
    """Faults by dice: how many in all, how often, and of which kinds, differs from seed to seed."""

    rng: Random
    left: int
    chance: float
    weights: Sequence[float]  # one for each of FAULTS

    @classmethod
    def draw(cls, rng: Random) -> RandomPlan:
        """A plan for one seed: some are calm, some are all throttling, some all crashes."""
        weights = [rng.choice((0.0, 1.0, 1.0, 5.0)) for _ in FAULTS]
        if not any(weights):
            weights = [1.0] * len(FAULTS)
        return cls(rng, rng.choice((0, 1, 3, 10, 30, 80)), rng.choice((0.02, 0.1, 0.3)), weights)

    @property
    def quiet(self) -> bool:
        """Whether the faults are used up."""
        return self.left <= 0

    def fate(self, what: str) -> Fate:
        """GO, or one of the faults."""
        if self.left <= 0 or self.rng.random() >= self.chance:
            return Fate.GO
        self.left -= 1
        return self.rng.choices(FAULTS, self.weights)[0]

    def silence(self) -> None:
        """No more faults."""
        self.left = 0


@dataclass(slots=True)
class OnePoint:
    """One fault at one point, to go through all points of a run one by one.

    `seen` counts the points; after a run without a fault it says how many there are.
    """

    point: int
    what: Fate
    seen: int = 0
    silent: bool = False

    @property
    def quiet(self) -> bool:
        """Whether the point lies behind."""
        return self.silent or self.seen > self.point

    def fate(self, what: str) -> Fate:
        """GO but at the point."""
        self.seen += 1
        return self.what if self.seen - 1 == self.point and not self.silent else Fate.GO

    def silence(self) -> None:
        """The point will not come any more."""
        self.silent = True
