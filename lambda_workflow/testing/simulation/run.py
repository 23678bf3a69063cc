"""One seed: some executions of some shapes, a time of chaos, then quiet, and the laws must hold.

Laws
 1. The seed decides everything: the same seed and the same code give the same trace.
 2. Chaos ends by itself, with the faults of the plan used up; nobody helps while it lasts.
 3. In the quiet an operator does what operators do, and no more: deploys the right code, redrives
    what is BLOCKED and what the receive count moved to the dead-letter queue.
 4. After that everything must come to its end by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from lambda_workflow.model.events import Callback
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Redrive, Request, Timer, Update
from lambda_workflow.model.turn import Turn, decode_turn
from lambda_workflow.runtime.app import App
from lambda_workflow.testing.simulation.faults import Plan, RandomPlan
from lambda_workflow.testing.simulation.services import Services, Temper
from lambda_workflow.testing.simulation.shape import Corpus, Shape
from lambda_workflow.testing.simulation.worker import Habits, Worker
from lambda_workflow.testing.simulation.world import SimulationLoop, World, finish

NEVER: Final = 1_000_000  # receives; no message comes near it
CALLER_URL: Final = "sim://caller.fifo"
POISON: Final = (
    "not json",
    '{"type":"Update","execution_id":"x"}',
    '{"type":"Request","execution_id":"no spaces please","workflow":"w"}',
    '{"type":"Unheard-of","execution_id":"x","ü":"世界"}',
    "[]",
)


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a run."""

    id: str
    shape: Shape
    request: Any
    callback: Callback | None = None

    @property
    def message(self) -> Request:
        """What starts it."""
        return Request(self.id, self.shape.name, self.request, self.callback)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is like, beside its faults."""

    workers: int
    habits: Habits
    max_receives: int
    skew: int  # milliseconds, at most, in either direction
    noise: float  # how many senseless messages, about, for each execution
    bad_deploys: bool
    temper: Temper

    @classmethod
    def draw(cls, rng: Random) -> Setting:
        """For one seed."""
        habits = Habits(
            pollers=rng.choice((1, 1, 2, 4)),
            visibility=rng.choice((5.0, 30.0, 300.0)),
            live_max=rng.choice((1, 2, 1000, 1000)),
            check=rng.random() < 0.5,
            transactional=rng.random() < 0.2,
            hurry=rng.random() < 0.7,
        )
        return cls(
            workers=rng.choice((1, 2, 3)),
            habits=habits,
            max_receives=rng.choice((3, 10, NEVER)),
            skew=rng.choice((0, 1_000, 120_000, 3_600_000)),
            noise=rng.choice((0.0, 0.5, 3.0)),
            bad_deploys=rng.random() < 0.2,
            temper=Temper.draw(rng),
        )


CALM: Final = Setting(1, Habits(), NEVER, 0, 0.0, False, Temper())


@dataclass(slots=True)
class Run:
    """A run and, after `play`, what it left behind."""

    seed: int
    corpus: Corpus
    executions: Sequence[Execution]
    setting: Setting
    world: World
    services: Services
    poison: list[str] = field(default_factory=list)
    _workers: list[Worker] = field(default_factory=list)
    _hired: int = 0
    _healed: bool = False

    def turns(self, execution: Execution) -> list[Turn]:
        """The history of an execution."""
        loaded = finish(self.world.store.load(execution.id, whole=True))
        return [decode_turn(text) for text in loaded.texts]

    async def play(self) -> None:
        """Chaos, then quiet, until nothing happens any more."""
        world, setting = self.world, self.setting
        self.services.start()
        for _ in range(setting.workers):
            self._hire()
        for execution in self.executions:
            self._announce(execution)
        await world.loop.wait_idle()
        self._heal()
        await world.loop.wait_idle()
        for worker in self._workers:
            worker.stop()

    def _hire(self) -> None:
        """Start a worker; when it dies another comes in its place."""
        rng, setting = self.world.rng, self.setting
        bad = setting.bad_deploys and not self._healed and rng.random() < 0.3
        self._hired += 1
        name = f"worker{self._hired}{'-bad' if bad else ''}"
        app = self._bad_app() if bad else self.corpus.app
        worker = Worker(self.world, name, app, setting.habits)
        worker.on_death = self._replace
        worker.start()
        worker.clock.skew = rng.randint(-setting.skew, setting.skew)
        self._workers.append(worker)

    def _bad_app(self) -> App:
        begun = all(
            any(turn.commands for turn in self.turns(execution)) for execution in self.executions
        )
        return self.corpus.diverging if begun else self.corpus.ignorant

    def _replace(self, dead: Worker) -> None:
        self._workers.remove(dead)
        self.world.loop.call_later(self.world.rng.uniform(0, 10), self._hire)

    def _announce(self, execution: Execution) -> None:
        """Send the request, once or twice, and the senseless messages about it."""
        world, rng = self.world, self.world.rng
        at = rng.uniform(0, 60)
        sends = 1 if rng.random() < 0.7 else 2
        for number in range(sends):
            when = at + number * rng.choice((0.1, 400.0))
            world.loop.call_later(when, world.send, execution.message, f"start:{execution.id}")
        while rng.random() < self.setting.noise / (1 + self.setting.noise):
            self._annoy(execution, at + rng.expovariate(1 / 60))

    def _annoy(self, execution: Execution, when: float) -> None:
        world, rng = self.world, self.world.rng
        loop, name, salt = world.loop, execution.id, str(rng.random())
        match rng.randrange(6):
            case 0:
                body = rng.choice(POISON)
                self.poison.append(body)
                loop.call_later(when, world.inbox.send, body, name, salt)
            case 1:
                loop.call_later(when, self._impersonate, execution, salt)
            case 2:
                loop.call_later(when, world.send, Update(name, "99.99", "?"), salt)
            case 3:
                loop.call_later(when, world.send, Update(f"no-{name}", "1", "?"), salt)
            case 4:
                loop.call_later(when, world.send, Timer(name, "77", world.now), salt)
            case _:
                loop.call_later(when, world.send, Redrive(name), salt)
        if self.setting.skew and self._workers:
            clock = rng.choice(self._workers).clock
            loop.call_later(when, setattr, clock, "skew", rng.randint(-1, 1) * self.setting.skew)

    def _impersonate(self, execution: Execution, salt: str) -> None:
        """Somebody starts another execution under an id that is taken."""
        if self.turns(execution):
            other = Request(execution.id, execution.shape.name, {"another": "request"})
            self.world.send(other, salt)

    def _heal(self) -> None:
        world, rng = self.world, self.world.rng
        world.note("operator", "no more faults")
        world.plan.silence()
        self.services.calm()
        self._healed = True
        for worker in list(self._workers):
            if worker.app is not self.corpus.app or rng.random() < 0.5:
                worker.stop()
                self._workers.remove(worker)
                self._hire()
        world.inbox.max_receives = NEVER  # what fails for ever now is found as a run without end
        world.redrive_dead()
        for execution in self.executions:
            turns = self.turns(execution)
            if turns and turns[-1].status is Status.BLOCKED:
                world.send(Redrive(execution.id), f"operator:{execution.id}")


def prepare(
    seed: int,
    corpus: Corpus,
    *,
    plan: Plan | None = None,
    shapes: Sequence[Shape] = (),
    calm: bool = False,
) -> Run:
    """Draw what a seed is about.

    Args:
        plan: the faults; drawn by the seed when None.
        shapes: the shapes to take instead of drawing some from the corpus.
        calm: one sound worker, sound services, no noise: what is left is the plan.
    """
    rng = Random(seed)
    loop = SimulationLoop()
    setting = CALM if calm else Setting.draw(rng)
    chosen = shapes or rng.choices(corpus.shapes, k=rng.choice((1, 1, 2, 3, 5)))
    executions = [_draw_execution(n, shape, rng) for n, shape in enumerate(chosen)]
    plan = plan or RandomPlan.draw(rng)
    world = World.create(loop, rng, plan, max_receives=setting.max_receives)
    services = Services(world, corpus.app, setting.temper)
    return Run(seed, corpus, executions, setting, world, services)


def _draw_execution(number: int, shape: Shape, rng: Random) -> Execution:
    name = f"{shape.name}-{number}"
    callback = Callback(CALLER_URL, "parent", f"parent/{number}") if rng.random() < 0.3 else None
    return Execution(name, shape, shape.request(rng), callback)
