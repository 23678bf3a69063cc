"""A schedule: which faults happen where, as a list that can be written down, shortened, replayed.

Laws
 1. A point has a name that does not depend on the faults before it, as far as that can be: a task
    is named by its service, operation and attempt, a call of a port by its kind and count. So
    leaving one fault out leaves the others where they were.
 2. The faults that happened, given as a script, happen again.
 3. Without a fault everything goes the usual way: nothing else in a simulation is left to chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import ceil
from random import Random
from typing import Final, TypeVar

from lambda_workflow.errors import ConfigurationError
from lambda_workflow.testing.simulation.faults import FAULTS, Fate

T = TypeVar("T")


class Mishap(Enum):
    """What happens to a task, its answer, or a timer; all of it is within a platform's rights."""

    LATE = "is answered {} late"
    TWICE = "is delivered twice and performed again {} later"
    ECHO = "is answered twice, the second time {} later"
    OUTAGE = "fails without being performed"
    LOST = "is performed, but answered with an error, as when its reply is lost"
    TIMER = "fires {} late"


TASK_MISHAPS: Final = (Mishap.LATE, Mishap.TWICE, Mishap.ECHO, Mishap.OUTAGE, Mishap.LOST)
OUTSIDE_MISHAPS: Final = (Mishap.LATE, Mishap.ECHO)
TIMED: Final = (Mishap.LATE, Mishap.TWICE, Mishap.ECHO, Mishap.TIMER)
PLACES: Final = {
    "commit": "storing a turn",
    "delete": "taking messages off the queue",
    "disarm": "withdrawing timers",
    "arm": "setting timers",
    "load": "reading the history",
    "put_header": "updating the listing",
    "receive": "receiving messages",
    "send_tasks": "sending tasks to services",
    "send_messages": "sending messages",
    "send_responses": "sending the outcome",
}
ENDS: Final = {
    Fate.DELAY: "{} takes some seconds",
    Fate.STALL: "{} takes so long that its messages are given to another worker",
    Fate.REFUSE: "{} is throttled",
    Fate.LOSE: "{} works, but its reply is lost",
    Fate.KILL_BEFORE: "the worker dies before {}",
    Fate.KILL_AFTER: "the worker dies after {}",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong at one point.

    Attributes:
        point: `task charge 2/1`: attempt 1 of operation 2, a call of charge (`task charge 2/1 x2`
            where it came once more); `timer 3:timeout`; `callback approval 3`; `child refund 4`;
            `act signal stop`; or `commit 4`: the workers' fourth call of that kind.
        seconds: how late, where that is what goes wrong.
    """

    point: str
    what: Fate | Mishap
    seconds: float = 0.0

    @property
    def code(self) -> str:
        """As `faults=[…]` of `simulate` takes it."""
        seconds = f" {self.seconds:g}" if self.what in TIMED else ""
        return f"{self.point}: {self.what.name}{seconds}"

    @classmethod
    def parse(cls, code: str) -> Fault:
        """The fault of a code.

        Raises:
            ConfigurationError: it is none.
        """
        point, _, rest = code.rpartition(": ")
        name, _, seconds = rest.partition(" ")
        for kinds in (Fate, Mishap):
            if point and name in kinds.__members__:
                try:
                    return cls(point, kinds[name], float(seconds or 0))
                except ValueError:
                    break
        raise ConfigurationError(f"fault {code!r}: expected such as 'task charge 2/1: TWICE 30'")

    def __str__(self) -> str:
        point, _, time = self.point.partition(" x")
        kind, _, rest = point.partition(" ")
        if isinstance(self.what, Fate):
            return f"{ENDS[self.what].format(PLACES.get(kind, kind))} ({_ordinal(rest)} time)"
        seconds = f"{self.seconds:g} s"
        if kind == "act":
            late = self.what is Mishap.LATE
            return f"{rest} comes " + (
                f"{seconds} late" if late else f"twice, the second time {seconds} later"
            )
        if kind == "timer":
            subject = f"timer {rest}"
        elif kind in ("callback", "child"):
            name, _, operation = rest.rpartition(" ")
            subject = f"{kind} {operation} ({name})"
        else:
            service, _, call = rest.partition(" ")
            operation, _, attempt = call.rpartition("/")
            subject = f"call {operation} of {service}"
            subject += f", attempt {attempt}," if attempt not in ("", "1") else ""
        subject += f", the {_ordinal(time)} time," if time else ""
        return f"{subject} {self.what.value.format(seconds)}"


def _ordinal(number: str) -> str:
    endings = {"1": "st", "2": "nd", "3": "rd"}
    return number + ("th" if number[-2:-1] == "1" else endings.get(number[-1:], "th"))


Decide = Callable[[str, Sequence[Fate | Mishap], Sequence[float]], Fault | None]


def never(point: str, kinds: Sequence[Fate | Mishap], moments: Sequence[float]) -> None:
    """Nothing goes wrong."""


def by_script(faults: Iterable[Fault]) -> Decide:
    """Exactly these faults, where their points are reached."""
    planned: dict[str, list[Fault]] = {}
    for fault in faults:
        planned.setdefault(fault.point, []).append(fault)

    def decide(
        point: str, kinds: Sequence[Fate | Mishap], moments: Sequence[float]
    ) -> Fault | None:
        for fault in planned.get(point, ()):
            if fault.what in kinds:
                return fault
        return None

    return decide


DELAYS: Final = (0.001, 0.5, 5.0, 60.0, 3_600.0)


def by_dice(rng: Random) -> Decide:
    """Faults by chance: how many, how often and of which kinds is drawn first.

    Half of the delays end at, just before or just after the moment of a timer that is set.
    """
    left = rng.choice((1, 1, 2, 3, 5, 10))
    often = {Mishap: rng.choice((0.1, 0.3, 0.6)), Fate: rng.choice((0.0, 0.02, 0.1))}
    weight = {kind: rng.choice((0.0, 1.0, 1.0, 5.0)) for kind in (*FAULTS, *Mishap)}

    def decide(
        point: str, kinds: Sequence[Fate | Mishap], moments: Sequence[float]
    ) -> Fault | None:
        nonlocal left
        if left <= 0 or rng.random() >= often[type(kinds[0])]:
            return None
        weights = [weight[kind] for kind in kinds]
        if not any(weights):
            return None
        left -= 1
        what = rng.choices(kinds, weights)[0]
        if what not in TIMED:
            return Fault(point, what)
        seconds = rng.choice(DELAYS) * (1.0 if rng.random() < 0.5 else rng.randint(1, 9))
        if moments and what is not Mishap.TIMER and rng.random() < 0.5:
            seconds = rng.choice(moments) + rng.choice((-0.001, 0.0, 0.001))
        return Fault(point, what, round(max(0.001, seconds), 3))

    return decide


@dataclass(slots=True)
class Schedule:
    """Decides at every point, and remembers what went wrong; the `Plan` of a simulated world."""

    decide: Decide = never
    faults: list[Fault] = field(default_factory=list)
    on_fault: Callable[[Fault], None] = lambda fault: None
    quiet: bool = False
    _seen: Counter[str] = field(default_factory=Counter)

    def fate(self, what: str) -> Fate:
        """What happens to a worker's call of a port."""
        self._seen[what] += 1
        fault = self._decide(f"{what} {self._seen[what]}", FAULTS, ())
        return Fate.GO if fault is None else Fate(fault.what)

    def silence(self) -> None:
        """Nothing goes wrong from now on."""
        self.quiet = True

    def task(
        self, service: str, call: tuple[str, int], moments: Sequence[float], *, may_fail: bool
    ) -> Fault | None:
        """What happens to an attempt of a call; `moments` are seconds until timers are due."""
        kinds = TASK_MISHAPS if may_fail else TASK_MISHAPS[:3]
        return self._ask(f"task {service} {call[0]}/{call[1]}", kinds, moments)

    def outside(self, point: str, moments: Sequence[float], *, may_repeat: bool) -> Fault | None:
        """What happens to what comes from outside: the answer of a callback or child, an act."""
        kinds = OUTSIDE_MISHAPS if may_repeat else OUTSIDE_MISHAPS[:1]
        return self._ask(point, kinds, moments)

    def timer(self, operation: str) -> float:
        """By how many seconds a timer is late."""
        fault = self._ask(f"timer {operation}", (Mishap.TIMER,), ())
        return fault.seconds if fault else 0.0

    def _ask(
        self, point: str, kinds: Sequence[Fate | Mishap], moments: Sequence[float]
    ) -> Fault | None:
        self._seen[point] += 1
        times = self._seen[point]
        return self._decide(point if times == 1 else f"{point} x{times}", kinds, moments)

    def _decide(
        self, point: str, kinds: Sequence[Fate | Mishap], moments: Sequence[float]
    ) -> Fault | None:
        fault = None if self.quiet else self.decide(point, kinds, moments)
        if fault is not None:
            self.faults.append(fault)
            self.on_fault(fault)
        return fault


def simpler(fault: Fault) -> list[Fault]:
    """The same fault with shorter or rounder delays, the simplest first.

    Tried again and again on what is left, they end at the least whole number of seconds.
    """
    if fault.what not in TIMED:
        return []
    seconds = fault.seconds
    tried = {0.001, 1.0, 10.0, 60.0, float(ceil(seconds))}
    tried |= {float(int(seconds * part)) for part in (0.5, 0.75, 0.9, 0.98)} | {seconds - 1}
    is_whole = seconds == int(seconds)
    return [
        replace(fault, seconds=one)
        for one in sorted(tried)
        if one > 0 and (one < seconds or not is_whole)
    ]


class Usual(Random):
    """Chance that always shows its usual side, for a world whose faults are its schedule's."""

    def random(self) -> float:
        """Above the chance of every fault of the simulation, below that of every effect."""
        return 0.6

    def uniform(self, a: float, b: float) -> float:
        """The lower end."""
        return a

    def sample(self, population: Sequence[T], k: int, *, counts: object = None) -> list[T]:
        """The first ones."""
        return list(population[:k])
