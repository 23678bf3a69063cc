"""`simulate` and `Simulation`: run a workflow in virtual time, with fakes for its services."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from lambda_workflow.errors import ExecutionFailed, UnknownService
from lambda_workflow.model.arguments import check_kind
from lambda_workflow.replay.workflow import Workflow
from lambda_workflow.runtime.app import App
from lambda_workflow.runtime.turn_limits import SECONDS_MAX, TurnLimits
from lambda_workflow.testing.acts import Act
from lambda_workflow.testing.cast import Cast, Part
from lambda_workflow.testing.fakes import FakeCallback
from lambda_workflow.testing.looking import (
    Simulated,
    Snapshot,
    calls_of,
    inline,
    pending_of,
    replies_of,
    warnings_of,
)
from lambda_workflow.testing.schedule import Decide, Fault, Schedule, by_dice, by_script, never
from lambda_workflow.testing.simulation.worker import Habits
from lambda_workflow.testing.stage import VISIBILITY_SECONDS, Stage
from lambda_workflow.testing.stage_world import TURNS_MAX, Endless, SimulationError

In = TypeVar("In")
Out = TypeVar("Out")

WORKFLOW: Final = "a workflow, which `@workflow` makes of an `async def` function"
RECENT: Final[deque[Simulation[Any, Any]]] = deque(maxlen=3)  # for the report of a failed test


class Simulation(Generic[In, Out]):
    """A workflow on a stage, which moves when the test says so: for looking at it in the middle.

    `with Simulation(workflow, request, fake(…)…) as simulation:`, in plain and in `async` tests
    alike. Nothing runs before the first `run…` or `advance`.

    Args:
        parts: a fake for each service that the workflow calls, or the service's own adapter; fakes
            of the workflows that it calls, or these themselves, which then run for real; who
            answers its callbacks; what somebody outside does to it, as `after(…).signal(…)`.
        seed: what `ctx.random` and `ctx.uuid` draw from, and the chaos, if there is to be some.
        app: the workflow's App, where services or other workflows are looked up; its adapters are
            not used unless they are among the parts.
        chaos: let the seed choose faults: workers die, tasks and answers come twice, late, in
            another order, services fail where a retry is left.
        faults: exactly these, as a failed `explore` prints them; or a function that decides at
            every point.
        strict: a call that was never awaited fails, and so does workflow code that asks the clock,
            chance or the network.
        turns_max: how many turns are made before the simulation counts as endless.
        turn_seconds_max: how long workflow code may run without waiting, in real time, before it
            is cut off as TurnTimedOut; None is for ever.
        check: replay from the start and compare: after every turn of a short history, then at
            growing lengths, and at the end.

    Raises:
        ConfigurationError: two parts play one service; a fault's code cannot be read.
        EncodeError: the request is not of the workflow's request type.
    """

    def __init__(
        self,
        workflow: Workflow[In, Out],
        request: In,
        *parts: Part,
        seed: int = 0,
        app: App | None = None,
        chaos: bool = False,
        faults: Iterable[Fault | str] | Decide = (),
        strict: bool = True,
        turns_max: int = TURNS_MAX,
        turn_seconds_max: float | None = SECONDS_MAX,
        check: bool = True,
    ) -> None:
        check_kind(workflow, Workflow, "what is to be simulated", WORKFLOW)
        cast = Cast.of(parts)
        decide = by_dice(Random(seed)) if chaos else _decided(faults)
        self._schedule = Schedule(decide)
        self.workflow: Final = workflow
        self.execution_id: Final = f"{workflow.name}-{seed}"
        limits = TurnLimits(seconds_max=turn_seconds_max)
        habits = Habits(
            visibility=VISIBILITY_SECONDS, guard=strict, strict=strict, limits=limits, check=check
        )
        self._stage = Stage.create(
            workflow,
            self.execution_id,
            cast,
            self._schedule,
            app=app or _app(workflow, cast),
            habits=habits,
            turns_max=turns_max,
            workers=1 if decide is never else 2,
        )
        try:
            self._stage.start(request)
        except BaseException:
            self.close()
            raise
        RECENT.append(self)

    # moving

    def run(self) -> Simulated[Out]:
        """Run to the end, and until nothing of it is under way any more.

        Raises:
            Endless: it waits for ever, or goes on for ever.
            SimulationError: (of which Endless is one) a service that it calls has no fake.
            NonDeterminismError, NonDeterministicCall: replaying the code gave something else.
            Exception: the code raised what says that it is wrong (see `BUGS`), such as a KeyError
                of its own: the exception itself, with its traceback.
        """
        seen = self._advance(float("inf"))
        if not seen.status.closed:
            waits = ", ".join(map(str, seen.pending)) or "something that is no operation"
            unasked = "".join(f"; nobody asked {part}" for part in self._stage.cast.unasked)
            raise Endless(
                f"{self.workflow.name!r} waits for ever, for {waits}: does a fake stay silent, or "
                f"is an answer from outside missing?{unasked}"
            )
        outcome: Out | ExecutionFailed
        try:
            outcome = self._stage.result()
        except ExecutionFailed as failed:
            outcome = failed
        return Simulated(self.execution_id, seen, outcome)

    def run_until_suspended(self) -> Snapshot:
        """Run until only the passing of time, or somebody outside, can move it on.

        It raises what `run` raises, except that it may be waiting.
        """
        return self._advance(self._stage.world.loop.time())

    def advance(self, duration: timedelta) -> Snapshot:
        """Let so much virtual time pass, and everything happen that is due by then.

        It raises what `run` raises, except that it may be waiting.
        """
        return self._advance(self._stage.world.loop.time() + duration.total_seconds())

    def do(self, *parts: Act | FakeCallback) -> None:
        """Do something to the execution, or answer its open callbacks of a name, from now on.

        `simulation.do(now.signal(CANCEL, "changed my mind"))`; it happens in the next move.
        """
        for part in parts:
            if isinstance(part, Act):
                self._stage.play(part)
            else:
                self._stage.answer(part)

    def look(self) -> Snapshot:
        """What there is to be seen now."""
        stage = self._stage
        history = stage.history()
        return Snapshot(
            history.status,
            datetime.fromtimestamp(stage.world.now / 1000, UTC),
            pending_of(history),
            calls_of(history, stage.app.services),
            history,
            dict(stage.players.performed),
            warnings_of(stage.world.heard),
            tuple(self._schedule.faults),
            inline(history.custom_status),
            replies_of(history),
            [str(line) for line in stage.world.lines],
        )

    # being a context

    def __enter__(self) -> Simulation[In, Out]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, wherever it stands."""
        self._stage.close()

    def _advance(self, until: float) -> Snapshot:
        try:
            self._stage.advance(until)
        except UnknownService as unknown:
            raise SimulationError(_no_fake(unknown)) from None
        return self.look()


def simulate(
    workflow: Workflow[In, Out],
    request: In,
    *parts: Part,
    seed: int = 0,
    app: App | None = None,
    chaos: bool = False,
    faults: Iterable[Fault | str] | Decide = (),
    strict: bool = True,
    turns_max: int = TURNS_MAX,
    turn_seconds_max: float | None = SECONDS_MAX,
    check: bool = True,
) -> Simulated[Out]:
    """Run a workflow to its end in virtual time, where a wait of three days takes no time.

    A plain function, for plain and `async` tests alike. Every turn is replayed from the start and
    compared, so that code which is not deterministic fails here.

    It takes what `Simulation` takes, and raises what `Simulation.run` raises. An execution that
    ends in an error raises it at `.result` only; or look at `.failure`.
    """
    with Simulation(
        workflow, request, *parts, seed=seed, app=app, chaos=chaos, faults=faults,
        strict=strict, turns_max=turns_max, turn_seconds_max=turn_seconds_max,
        check=check,
    ) as simulation:  # fmt: skip
        return simulation.run()


def _decided(faults: Iterable[Fault | str] | Decide) -> Decide:
    if callable(faults):
        return faults
    listed = [Fault.parse(fault) if isinstance(fault, str) else fault for fault in faults]
    return by_script(listed) if listed else never


def _app(workflow: Workflow[Any, Any], cast: Cast) -> App:
    others = [one for one in cast.known_workflows if one is not workflow]
    return App("simulated", workflows=[workflow, *others], services=cast.known_services)


def _no_fake(unknown: UnknownService) -> str:
    said = str(unknown).partition(", which its App")[0]
    return f"{said}, which has no fake: add fake(SERVICE).returns(…) to the simulation"
