"""One seed: some executions of some shapes, a time of chaos, then quiet, and the laws must hold.

Laws
 1. The seed decides everything: the same seed and the same code give the same trace.
 2. Chaos ends by itself, with the faults of the plan used up; nobody helps while it lasts, but that
    dead letters are redriven where they would be lost.
 3. In the quiet an operator does what operators do, and no more: deploys the right code, resumes
    what is PAUSED, redrives what is BLOCKED and what the receive count moved to the dead-letter
    queue. Who had an execution redriven before looks whether it helped, and does it again: the
    worker that did it may have died, and a redrive leaves no fact that would come again.
 4. What had lost a timer is redriven, which arms it again.
 5. After that everything must come to its end by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from lambda_workflow.model.events import (
    NO_OPTIONS,
    BlobRef,
    Callback,
    Started,
    StartOptions,
)
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Redrive, Request, Resume
from lambda_workflow.model.payload import Json, loads
from lambda_workflow.model.turn import Turn, decode_turn
from lambda_workflow.runtime.app import App
from lambda_workflow.testing.clock import EPOCH
from lambda_workflow.testing.simulation.deliveries import Deliveries
from lambda_workflow.testing.simulation.faults import Plan, RandomPlan
from lambda_workflow.testing.simulation.losses import begin_losses
from lambda_workflow.testing.simulation.noise import annoy
from lambda_workflow.testing.simulation.outages import (
    NO_OUTAGES,
    DistantBlobs,
    Outages,
    RetainingStore,
)
from lambda_workflow.testing.simulation.outside import OUTSIDE, Guest, Outside
from lambda_workflow.testing.simulation.services import Services, Temper
from lambda_workflow.testing.simulation.shape import Corpus, Shape
from lambda_workflow.testing.simulation.worker import Habits, Worker
from lambda_workflow.testing.simulation.world import SimulationLoop, World, finish

ROUNDS_MAX: Final = 5  # of the operator; what is resumed may be paused once more, by a late order
FUNCTION_SECONDS_MIN: Final = 30.0  # visibility of queues before functions with a limit
LOOK_SECONDS: Final = 1.0  # between two looks whether the wrong code has done its harm
LOOKS_MAX: Final = 600
DEAD_SECONDS_MAX: Final = 2 * 86_400.0  # until the operator redrives what would be lost
NEVER: Final = 1_000_000  # receives; no message comes near it
MEDDLING: Final = ("cancel", "terminate", "limit", "pause")
CALLER_URL: Final = "sim://caller.fifo"


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a run; `meddling` is what happens to it besides what its shape expects."""

    id: str
    shape: Shape
    request: Any
    callback: Callback | None = None
    options: StartOptions = NO_OPTIONS
    meddling: str = ""

    @property
    def message(self) -> Request:
        """What starts it."""
        return Request(self.id, self.shape.name, self.request, self.callback, options=self.options)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is like, beside its faults."""

    workers: int
    habits: Habits
    max_receives: int
    skew: int  # milliseconds, at most, in either direction
    noise: float  # how many senseless messages, about, for each execution
    bad_deploys: float  # how many workers, of all, have code that fits no history
    temper: Temper
    redeploys: bool = False
    meddling: float = 0.0  # how often somebody ends or holds an execution
    outages: Outages = NO_OUTAGES
    wrong_code: bool = False  # all workers have it for a while
    focus: bool = False  # on the shapes in which seldom things happen

    @classmethod
    def draw(cls, rng: Random) -> Setting:
        """For one seed."""
        visibility = rng.choice((5.0, 30.0, 300.0))
        limit = None if visibility < FUNCTION_SECONDS_MIN else 0.9 * visibility
        habits = Habits(
            pollers=rng.choice((1, 1, 2, 4)),
            visibility=visibility,
            live_max=rng.choice((1, 2, 1000, 1000)),
            check=rng.random() < 0.5,
            transactional=rng.random() < 0.2,
            hurry=rng.random() < 0.7,
            seconds_max=rng.choice((None, limit)),
        )
        return cls(
            workers=rng.choice((1, 2, 3)),
            habits=habits,
            max_receives=rng.choice((3, 10, NEVER)),
            skew=rng.choice((0, 1_000, 120_000, 3_600_000)),
            noise=rng.choice((0.0, 0.5, 3.0)),
            bad_deploys=rng.choice((0.0, 0.0, 0.0, 0.3, 0.7)),
            temper=Temper.draw(rng),
            redeploys=rng.random() < 0.5,
            meddling=rng.choice((0.0, 0.0, 0.2, 1.0)),
            outages=Outages.draw(rng),
            wrong_code=rng.random() < 0.1,
            focus=rng.random() < 0.2,
        )


CALM: Final = Setting(1, Habits(), NEVER, 0, 0.0, 0.0, Temper())


@dataclass(slots=True)
class Run:
    """A run and, after `play`, what it left behind.

    Attributes:
        poison: the bodies that must be moved away.
        hollow: those that must be unless they come too late: their payload is not there.
    """

    seed: int
    corpus: Corpus
    executions: Sequence[Execution]
    setting: Setting
    world: World
    store: RetainingStore
    blobs: DistantBlobs
    services: Services
    outside: Outside
    poison: list[str] = field(default_factory=list)
    hollow: list[str] = field(default_factory=list)
    _workers: list[Worker] = field(default_factory=list)
    _hired: int = 0
    redriven: set[str] = field(default_factory=set)
    _deployed: bool = False
    _healed: bool = False
    _wrong: bool = False

    def turns(self, execution_id: str) -> list[Turn]:
        """The history of an execution, all of its runs."""
        return [decode_turn(text) for text in self.store.history(execution_id)]

    def inline(self, payload: Json | BlobRef) -> Json:
        """A payload itself, wherever it is kept."""
        if isinstance(payload, BlobRef):
            content = finish(self.world.blobs.get(payload.key))
            return loads(content.decode())
        return payload

    def ids(self) -> list[str]:
        """All executions that there are."""
        return self.store.ids()

    def others(self) -> list[Execution]:
        """The executions that were started by executions."""
        own = {execution.id for execution in self.executions}
        return [self._other(name) for name in self.ids() if name not in own]

    def _other(self, execution_id: str) -> Execution:
        started = self.turns(execution_id)[0].events[0]
        assert isinstance(started, Started)
        shape = self.corpus.shape(started.workflow)
        assert shape is not None
        request = self.inline(started.request)
        return Execution(execution_id, shape, request, started.callback, started.options)

    async def play(self) -> None:
        """Chaos, then quiet, until nothing happens any more."""
        world, setting = self.world, self.setting
        OUTSIDE.set(self.outside)
        self.services.start()
        self._deployed = not setting.redeploys
        if setting.wrong_code:
            world.loop.call_later(LOOK_SECONDS, self._deploy_wrong, 0)
        if setting.redeploys:
            world.loop.call_later(world.rng.expovariate(1 / 200), self._deploy)
        for _ in range(setting.workers):
            self._hire()
        if setting.outages.retention:  # dead letters live no longer
            world.inbox.on_dead = self._look_at_dead
        begin_losses(self)
        for execution in self.executions:
            self._announce(execution)
        await world.loop.wait_idle()
        self._heal()
        await world.loop.wait_idle()
        for number in range(ROUNDS_MAX):
            if not (self._operate(number + 1) | self.outside.insist()):
                break
            await world.loop.wait_idle()
        for worker in self._workers:
            worker.stop()

    def _hire(self) -> None:
        """Start a worker; when it dies another comes in its place."""
        rng, setting = self.world.rng, self.setting
        bad = self._wrong or (not self._healed and rng.random() < setting.bad_deploys)
        self._hired += 1
        name = f"worker{self._hired}{'-bad' if bad else ''}"
        app = self.corpus.app if self._deployed else self.corpus.earlier
        app = self._bad_app() if bad else app
        worker = Worker(self.world, name, app, setting.habits)
        worker.on_death = self._replace
        worker.start()
        worker.clock.skew = rng.randint(-setting.skew, setting.skew)
        self._workers.append(worker)

    def _bad_app(self) -> App:
        begun = all(
            not execution.shape.begets and self._has_begun(execution)
            for execution in self.executions
        )
        return self.corpus.diverging if begun else self.corpus.ignorant

    def _has_begun(self, execution: Execution) -> bool:
        """Whether its code has done something that other code can part from."""
        turns = self.turns(execution.id)
        return any(turn.commands and not turn.status.stalled for turn in turns)

    def _deploy(self) -> None:
        """New code: the workers of the old one go, one after the other."""
        self._deployed = True
        self.world.note("operator", "deploys")
        for worker in self._workers:
            self.world.loop.call_later(self.world.rng.uniform(0, 30), self._retire, worker)

    def _deploy_wrong(self, looks: int) -> None:
        """Code that fits no history, once all have begun, until it has blocked one of them."""
        if self._healed:
            return
        begun = all(self._has_begun(execution) for execution in self.executions)
        blocked = any(
            self.turns(execution.id)[-1].status is Status.BLOCKED
            for execution in self.executions
            if begun
        )
        wrong = begun and not blocked and looks < LOOKS_MAX
        if wrong is not self._wrong:
            self._wrong = wrong
            self.world.note("operator", f"deploys {'wrong' if wrong else 'the right'} code")
            for worker in list(self._workers):
                self._retire(worker)
        if wrong or (not begun and looks < LOOKS_MAX):
            self.world.loop.call_later(LOOK_SECONDS, self._deploy_wrong, looks + 1)

    def _retire(self, worker: Worker) -> None:
        if worker in self._workers:
            worker.stop()
            self._workers.remove(worker)
            self._hire()

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
        self.visit(execution, Guest(self.outside, execution.id, at))
        while rng.random() < self.setting.noise / (1 + self.setting.noise):
            self._annoy(execution, at + rng.expovariate(1 / 60))

    def visit(self, execution: Execution, guest: Guest) -> None:
        """Let somebody outside do what they do to an execution."""
        if execution.shape.visits is not None:
            execution.shape.visits(guest, execution.request)
        within = self.world.rng.choice((5.0, 120.0, 5_000.0))
        match execution.meddling:
            case "cancel":
                guest.cancel(within=within, grace=self.world.rng.choice((0.0, 30.0, 100_000.0)))
            case "terminate":
                guest.terminate(within=within)
            case "pause":
                guest.pause(within=within)
            case _:
                return

    def _annoy(self, execution: Execution, when: float) -> None:
        annoy(self, execution, when)
        if self.setting.skew and self._workers:
            rng = self.world.rng
            clock = rng.choice(self._workers).clock
            skew = rng.randint(-1, 1) * self.setting.skew
            self.world.loop.call_later(when, setattr, clock, "skew", skew)

    def _look_at_dead(self) -> None:
        wait = self.world.rng.uniform(0, DEAD_SECONDS_MAX)
        self.world.loop.call_later(wait, self.world.redrive_dead)

    def _heal(self) -> None:
        world, rng = self.world, self.world.rng
        world.note("operator", "no more faults")
        world.plan.silence()
        self.services.calm()
        self._healed = self._deployed = True
        self._wrong = False
        for worker in list(self._workers):
            if worker.app is not self.corpus.app or rng.random() < 0.5:
                self._retire(worker)
        world.timers_lost = 0.0
        world.inbox.max_receives = NEVER  # what fails for ever now is found as a run without end
        world.redrive_dead()
        self.outside.insist()
        self._operate(0)

    def _operate(self, number: int) -> bool:
        """Set going again what is held; whether there was anything."""
        held = False
        for execution_id in self.ids():
            status = self.turns(execution_id)[-1].status
            again = number < 1 and execution_id in self.redriven | self.world.lost
            orders: list[type[Resume | Redrive]] = [Redrive] if again and not status.closed else []
            if status is Status.PAUSED:
                orders.insert(0, Resume)
            elif status is Status.BLOCKED:
                orders = [Redrive]
            for order in orders:
                held = True
                salt = f"operator{number}:{order.__name__}:{execution_id}"
                self.world.send(order(execution_id), salt)
        return held


def prepare(
    seed: int,
    corpus: Corpus,
    *,
    plan: Plan | None = None,
    shapes: Sequence[Shape] = (),
    calm: bool = False,
    wrong_code: bool = False,
) -> Run:
    """Draw what a seed is about.

    Args:
        plan: the faults; drawn by the seed when None.
        shapes: the shapes to take instead of drawing some from the corpus.
        wrong_code: with `calm`: the worker has code that fits no history, until that shows.
        calm: one sound worker, sound services, no noise: what is left is the plan.
    """
    rng = Random(seed)
    loop = SimulationLoop()
    setting = replace(CALM, wrong_code=wrong_code) if calm else Setting.draw(rng)
    apart = [s for s in corpus.shapes if s.alone and (s.weight > 1 or not setting.focus)]
    weights = [shape.weight for shape in apart]
    chosen = shapes or rng.choices(apart, weights, k=rng.choice((1, 1, 2, 3, 5)))
    executions = [_draw_execution(n, shape, rng, setting) for n, shape in enumerate(chosen)]
    plan = plan or RandomPlan.draw(rng)
    world = World.create(loop, rng, plan, max_receives=setting.max_receives)
    world.store = store = RetainingStore(loop, rng, setting.outages)
    world.blobs = blobs = DistantBlobs(loop, setting.outages)
    world.deliveries = Deliveries()
    world.timers_lost = setting.outages.timers_lost
    world.own_address = f"app:{corpus.app.name}"
    # what the receive count moves away may come after its repetition
    changed = setting.outages.changed if setting.max_receives == NEVER else 0.0
    services = Services(world, corpus.app, setting.temper)
    outside = Outside(world, changed=changed)
    return Run(seed, corpus, executions, setting, world, store, blobs, services, outside)


def _draw_execution(number: int, shape: Shape, rng: Random, setting: Setting) -> Execution:
    name = f"{shape.name}-{number}"
    callback = Callback(CALLER_URL, "parent", f"parent/{number}") if rng.random() < 0.3 else None
    meddling = rng.choice(MEDDLING) if rng.random() < setting.meddling else ""
    limit = rng.choice((1, 60_000, 3_600_000, 864_000_000)) if meddling == "limit" else 0
    delay = rng.choice((1, 60_000, 7_200_000)) if shape.delayed else 0
    options = StartOptions(
        f"start-{name}",
        secret=f"secret of {name}",
        timeout_ms=limit,
        not_before=EPOCH + delay if delay else 0,
        tags={"number": str(number)} if rng.random() < 0.3 else {},
        memo={"of": name} if rng.random() < 0.3 else None,
    )
    return Execution(name, shape, shape.request(rng), callback, options, meddling)
