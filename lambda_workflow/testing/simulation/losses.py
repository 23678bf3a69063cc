"""A payload that is lost, and the operator who restores it from a backup.

Law: the operator moves the messages back that were moved away for its sake, redrives what was
BLOCKED for its sake, and no more.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Redrive

if TYPE_CHECKING:
    from lambda_workflow.testing.simulation.run import Run

LOST_WITHIN_SECONDS: Final = (0.0, 0.0, 5.0, 30.0)  # of being stored
LOST_SECONDS_MAX: Final = 900.0  # as long as a task that fails is hidden


def begin_losses(run: Run) -> None:
    """Lose one payload, if this run's outages say so."""
    if when := run.setting.outages.blob_lost:
        run.world.loop.call_later(when, setattr, run.blobs, "on_put", partial(_expect, run))


def _expect(run: Run, key: str) -> None:
    """One was stored: it may be the one to be lost."""
    rng = run.world.rng
    if rng.random() < 0.5:
        run.blobs.on_put = lambda key: None
        within = rng.choice(LOST_WITHIN_SECONDS) * rng.random()
        run.world.loop.call_later(within, _lose, run, key)


def _lose(run: Run, key: str) -> None:
    world, rng = run.world, run.world.rng
    run.blobs.lose(key, replaced=rng.random() < 0.3)
    world.seen["a payload is lost"] += 1
    world.note("payloads", f"lost is {key}")
    world.loop.call_later(rng.uniform(60, LOST_SECONDS_MAX), _restore, run)


def _restore(run: Run) -> None:
    world, (key, *_) = run.world, run.blobs.lost
    run.blobs.restore()
    world.note("operator", f"restores {key}")
    letters = [letter for letter in world.poison if key in letter.reason]
    world.seen["a message is moved away for a lost payload"] += len(letters)
    for letter in letters:
        world.poison.remove(letter)
        world.send_back(letter)
    for execution_id in run.ids():
        last = run.turns(execution_id)[-1]
        if last.status is Status.BLOCKED and key in last.reason:
            world.seen["an execution is BLOCKED for a lost payload"] += 1
            run.redriven.add(execution_id)
            world.send(Redrive(execution_id), f"restored:{execution_id}")
