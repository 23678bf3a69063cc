"""Senseless messages about an execution, of which none may change how it ends.

Laws
 1. What cannot be understood is poison: it is moved away, intact, with a reason.
 2. What can be understood, but refers to a payload that is not there, is moved away as well, unless
    it comes too late to be taken in.
 3. All else is taken, or dropped, and nothing of it is performed.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.messages import (
    Heartbeat,
    Message,
    Redrive,
    Request,
    Signal,
    Timer,
    Update,
    UpdateRequest,
)
from lambda_workflow.model.references import CLIENT_PLACE, key_of
from lambda_workflow.model.wire import render
from lambda_workflow.testing.simulation.world import World

if TYPE_CHECKING:
    from lambda_workflow.testing.simulation.run import Execution, Run


def _signal(payload: str) -> str:
    return f'{{"type":"Signal","execution_id":"x","name":"go","id":"s","payload":{payload}}}'


POISON: Final = (
    "not json",
    '{"type":"Update","execution_id":"x"}',
    '{"type":"Request","execution_id":"no spaces please","workflow":"w"}',
    '{"type":"Unheard-of","execution_id":"x","ü":"世界"}',
    "[]",
    # what could be read and never be written, or written and never be read again
    _signal("1e400"),
    _signal("[" * 400 + "]" * 400),
    _signal("9" * 700),
    '{"type":"Signal","execution_id":"x","name":"\\ud800","id":"s","payload":1}',
    '{"type":"Signal","execution_id":"x","name":"go","id":"' + "s" * 300 + '","payload":1}',
    '{"type":"Timer","execution_id":"x","task_id":"x/1","due":99999999999999999999}',
    render(Signal("x", "go", BlobRef(key_of(CLIENT_PLACE, "another", b"1"), "1", 40_000), "s")),
)
KINDS: Final = 10
NOWHERE: Final = "0" * 64  # the digest of a payload that there never was


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
        case 5 | 6 if execution.shape.starts_timed:
            return  # it would say that an adapter has begun, where none has
        case 5 | 6:
            for number in range(rng.choice((1, 1, 3))):
                beat = Heartbeat(name, _operation(rng), {"beat": number})
                loop.call_later(when + 20 * number, world.send, beat, f"{salt}{number}")
        case 7:
            message = _hollow(name, rng)
            run.hollow.append(render(message))
            loop.call_later(when, world.send, message, salt)
        case _:
            run.redriven.add(name)
            loop.call_later(when, world.send, Redrive(name), salt)


def _hollow(name: str, rng: Random) -> Message:
    """A message in order, whose payload is not where it says."""
    number = str(rng.random())
    ref = BlobRef(key_of(CLIENT_PLACE, name, number.encode()), NOWHERE, 40_000)
    match rng.randrange(4):
        case 0:
            return UpdateRequest(name, "add", ref, number)
        case 1:
            return Update(name, _operation(rng), ref)
        case 2:
            stranger = f"no-{name}"
            key = key_of(CLIENT_PLACE, stranger, number.encode())
            return Request(stranger, "any", replace(ref, key=key))
        case _:
            return Signal(name, "word", ref, number)


def _operation(rng: Random) -> str:
    """Of a call that there may be: an adapter may beat without its attempt."""
    return rng.choice(("1", "1", "2", "1.1", "2.1", "3"))


def _impersonate(run: Run, execution: Execution, salt: str) -> None:
    """Somebody starts another execution under an id that is taken."""
    world: World = run.world
    if world.records(execution.id):
        world.send(Request(execution.id, execution.shape.name, {"another": "request"}), salt)
