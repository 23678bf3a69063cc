"""The laws of the simulation: they catch what is wrong, and allow what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lambda_workflow.testing.simulation.corpus import CORPUS
from lambda_workflow.testing.simulation.faults import Fate, OnePoint
from lambda_workflow.testing.simulation.laws import violations
from lambda_workflow.testing.simulation.noise import annoy
from lambda_workflow.testing.simulation.run import Run, prepare
from lambda_workflow.testing.simulation.simulate import unwind

PARENT = "rival_parents-0"
KID = f"{PARENT}-kid"


@pytest.fixture
def calm() -> Iterator[Callable[[str], Run]]:
    """Makes runs of one execution of a shape, without faults, that have not begun."""
    runs: list[Run] = []

    def make(name: str) -> Run:
        shape = CORPUS.shape(name)
        assert shape is not None
        run = prepare(0, CORPUS, plan=OnePoint(0, Fate.GO), shapes=[shape], calm=True)
        runs.append(run)
        return run

    yield make
    for run in runs:
        unwind(run.world.loop)


def played(run: Run) -> Run:
    """The run after its end."""
    run.world.loop.run_until_complete(run.play())
    return run


def test_a_former_child_under_the_same_id_is_kept_and_may_have_answered(
    calm: Callable[[str], Run],
) -> None:
    texts = list(played(calm("rival_parents")).store.history(KID))
    run = calm("rival_parents")
    run.store.expired[KID] = texts
    assert violations(played(run)) == []
    assert run.store.former == {KID: [texts]}
    assert KID not in run.store.expired

    second = [text.replace(f"{PARENT}/1", f"{PARENT}/2") for text in texts]
    assert second != texts
    run.store._texts[KID] = second  # it is of the second call now; the former was of the first
    assert not any("law 14" in text for text in violations(run))
    del run.store.former[KID]
    assert any("law 14" in text and "CallSucceeded" in text for text in violations(run))


def test_rival_parents_may_have_two_results_only_once_a_child_can_have_expired(
    calm: Callable[[str], Run],
) -> None:
    run = played(calm("rival_parents"))
    (execution,) = run.executions
    number = execution.request
    both = f'"{2 * number} {2 * (number + 1)}"'
    *before, last = run.store._texts[PARENT]
    refused = f'"{2 * number} ExecutionAlreadyStarted"'
    assert refused in last
    run.store._texts[PARENT] = [*before, last.replace(refused, both)]
    assert any("law 1:" in text for text in violations(run))


@pytest.mark.parametrize(
    ("name", "beats"), [("never_begun", False), ("begun_in_time", False), ("beaten", True)]
)
def test_noise_does_not_begin_a_call_with_a_start_timeout(
    calm: Callable[[str], Run], name: str, beats: bool
) -> None:
    run = calm(name)
    for _ in range(100):
        annoy(run, run.executions[0], 0.0)
    run.world.loop.run_until_complete(run.world.loop.wait_idle())
    bodies = [message.body for message in run.world.inbox.messages]
    assert len(bodies) > 30
    assert any('"Heartbeat"' in body for body in bodies) is beats
