"""Senseless messages about an execution, of which none may change how it ends.

Laws
 1. What cannot be understood is poison: it is moved away, intact, with a reason.
 2. All else is taken, or dropped, and nothing of it is performed.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from lambda_workflow.model.messages import Heartbeat, Redrive, Request, Timer, Update
from lambda_workflow.testing.simulation.world import World

if TYPE_CHECKING:
    from lambda_workflow.testing.simulation.run import Execution, Run

POISON: Final = (
    "not json",
    '{"type":"Update","execution_id":"x"}',
    '{"type":"Request","execution_id":"no spaces please","workflow":"w"}',
    '{"type":"Unheard-of","execution_id":"x","ü":"世界"}',
    "[]",
)
KINDS: Final = 8


def annoy(run: Run, execution: Execution, when: float) -> None:
    """Send one such message at a moment."""
    world, rng = run.world, run.world.rng
    loop, name, salt = world.loop, execution.id, str(rng.random())
    match rng.randrange(KINDS):
        case 0:
            body = rng.choice(POISON)
            run.poison.append(body)
            loop.call_later(when, world.inbox.send, body, name, salt)
        case 1:
            loop.call_later(when, _impersonate, run, execution, salt)
        case 2:
            loop.call_later(when, world.send, Update(name, "99.99", "?"), salt)
        case 3:
            loop.call_later(when, world.send, Update(f"no-{name}", "1", "?"), salt)
        case 4:
            loop.call_later(when, world.send, Timer(name, "77", world.now), salt)
        case 5 | 6:
            for number in range(rng.choice((1, 1, 3))):
                beat = Heartbeat(name, _operation(rng), {"beat": number})
                loop.call_later(when + 20 * number, world.send, beat, f"{salt}{number}")
        case _:
            run.redriven.add(name)
            loop.call_later(when, world.send, Redrive(name), salt)


def _operation(rng: Random) -> str:
    """Of a call that there may be: an adapter may beat without its attempt."""
    return rng.choice(("1", "1", "2", "1.1", "2.1", "3"))


def _impersonate(run: Run, execution: Execution, salt: str) -> None:
    """Somebody starts another execution under an id that is taken."""
    world: World = run.world
    if world.records(execution.id):
        world.send(Request(execution.id, execution.shape.name, {"another": "request"}), salt)
