"""The simulation: the runtime under every fault, and the simulation's own honesty."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lambda_workflow.testing.simulation.__main__ import main
from lambda_workflow.testing.simulation.corpus import CORPUS
from lambda_workflow.testing.simulation.faults import Fate
from lambda_workflow.testing.simulation.shape import Shape
from lambda_workflow.testing.simulation.simulate import every_point, simulate, simulate_point

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 150
SEEDS_THOROUGH = 2_000
CHUNK = 50
RARE_SEEDS = 180  # more of them, in one process
CHUNKS = [
    pytest.param(first, marks=[pytest.mark.thorough] if first >= SEEDS else [])
    for first in range(0, SEEDS_THOROUGH, CHUNK)
]

POINTS_MAX = 3  # of a shape and a fault
POINTS_MAX_THOROUGH = 12  # `--shape all` takes every one of them

every_shape = pytest.mark.parametrize(
    "shape", [shape for shape in CORPUS.shapes if shape.alone], ids=lambda shape: shape.name
)


@pytest.mark.parametrize("first", CHUNKS)
def test_seeds(first: int) -> None:
    broken = [r for r in map(simulate, range(first, first + CHUNK)) if r.broken]
    assert not broken, "\n".join(map(str, broken))


@every_shape
def test_a_worker_may_die_all_along_the_way_of_a_shape(
    shape: Shape, request: pytest.FixtureRequest
) -> None:
    fates = (Fate.KILL_BEFORE, Fate.KILL_AFTER)
    most = POINTS_MAX_THOROUGH if request.config.getoption("--thorough") else POINTS_MAX
    reports = list(every_point(shape, fates=fates, most=most))
    broken = [report for report in reports if report.broken]
    assert not broken, "\n".join(map(str, broken))
    assert len(reports) > 4


def test_every_fault_at_every_point_mends_itself_after_wrong_code_has_blocked() -> None:
    (shape,) = (shape for shape in CORPUS.shapes if shape.name == "beaten_beside")
    reports = list(every_point(shape, most=40, wrong_code=True))
    broken = [report for report in reports if report.broken]
    assert not broken, "\n".join(map(str, broken))
    assert all(report.seen["a heartbeat alone wakes what was BLOCKED"] for report in reports[:1])


RARE = (
    "a heartbeat alone wakes what was BLOCKED",
    "a message without its payload is moved away",
    "a payload is lost",
    "a step blocks its worker for hours",
    "a step that runs at most once is interrupted",
    "a timer is lost",
    "an execution expires",
    "payloads are out of reach",
    "time ran out in a batch",
)
OFTEN = ("beaten_beside", "charged", "charged_again", "charged_and_refused", "charged_side_by_side")


def test_what_seldom_happens_comes_up_in_the_seeds() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS_THOROUGH, SEEDS_THOROUGH + RARE_SEEDS):
        report = simulate(seed)
        assert not report.broken, str(report)
        seen += report.seen
    assert [what for what in RARE if not seen[what]] == []
    assert [name for name in OFTEN if seen[f"shape {name}"] < RARE_SEEDS // 25] == []


def test_a_seed_gives_the_same_trace_in_every_process() -> None:
    command = [sys.executable, "-m", "lambda_workflow.testing.simulation", "--trace"]
    traces = {
        subprocess.run(
            [*command, "--seed", "11"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashing},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.rpartition("\n1 runs")[0]
        for hashing in ("1", "2", "3")
    }
    assert len(traces) == 1
    assert traces.pop().count("\n") > 20


def test_a_broken_law_is_reported_with_the_command_that_reproduces_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shape = CORPUS.shapes[0]
    lie = Shape(shape.workflow, shape.request, lambda request, outcome: False)
    report = simulate_point(lie, Fate.GO, 0)
    assert len(report.broken) == 1
    assert "law 1: COMPLETED with" in str(report)
    command = str(report).rpartition("reproduce it with: ")[2].split()
    assert command[:3] == ["python", "-m", "lambda_workflow.testing.simulation"]
    assert main(command[3:]) == 0  # the real shape is sound
    assert "observer" in capsys.readouterr().out
